# A container whose image lies in a registry that asks who is there. Needs Docker.
#   nomad job run -var image=registry.example.org/team/app:1 -var username=ada -var password=… private-image.nomad
variable "image" {
  type    = string
  default = "registry.example.org/team/app:1"
}

variable "username" {
  type    = string
  default = "ada"
}

variable "password" {
  type    = string
  default = ""
}

job "private-image" {
  datacenters = ["dc1"]
  type        = "batch"

  group "work" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    reschedule {
      attempts  = 0
      unlimited = false
    }

    task "look" {
      driver = "docker"

      config {
        image   = var.image
        command = "/bin/sh"
        args    = ["-c", "echo hello from a private image"]

        auth {
          username = var.username
          password = var.password
        }
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
