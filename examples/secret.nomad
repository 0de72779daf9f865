# Secrets that a task is given before it starts, and that nothing else shows.
#   nomad var put nomad/jobs/secret user=ada password=lovelace
#   nomad job run secret.nomad
# A provider may also be vault, or a program in common_plugins/secrets of the node's data_dir.
variable "provider" {
  default = "nomad"
}

job "secret" {
  datacenters = ["dc1"]
  type        = "batch"

  group "g" {
    task "login" {
      driver = "raw_exec"

      secret "db" {
        provider = var.provider
        path     = "nomad/jobs/secret"
      }

      env {
        LOGIN = "${secret.db.user}:${secret.db.password}"
      }

      template {
        destination = "secrets/login"
        data        = "user={{ env \"secret.db.user\" }}"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo $LOGIN; cat secrets/login"]
      }

      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
