# An OCI image of an archive (docker save, or an OCI layout), run without an engine. Needs root and cgroups.
#   docker save -o app.tar registry.example.org/team/app:1     # somewhere
#   nomad job run -var source=https://files.example.org/app.tar archive.nomad
variable "source" {
  type        = string
  description = "Where the archive is."
  default     = "https://files.example.org/app.tar"
}

job "archive" {
  datacenters = ["dc1"]
  type        = "batch"

  group "work" {
    task "look" {
      driver = "exec"

      artifact {
        source      = var.source
        destination = "local/image.tar"
        mode        = "file"

        options {
          archive = false
        }
      }

      config {
        image   = "local/image.tar"
        command = "/bin/sh"
        args    = ["-c", "echo hello from an archive; ls /"]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
