# A task that runs a program fetched from elsewhere: an archive over HTTP, checked and unpacked before it starts.
#   nomad job run -var source=https://example.com/app.tar.gz -var checksum=sha256:… artifact.nomad
variable "source" {
  type        = string
  description = "Where the archive is; it holds a script named run."
  default     = "https://example.com/app.tar.gz"
}

variable "checksum" {
  type        = string
  description = "Such as sha256:<64 hex digits>; empty means that it is not checked."
  default     = ""
}

job "artifact" {
  datacenters = ["dc1"]
  type        = "batch"

  group "g" {
    task "run" {
      driver = "raw_exec"

      artifact {
        source      = var.source
        destination = "local/app"
        options {
          checksum = var.checksum
        }
      }

      config {
        command = "/bin/sh"
        args    = ["local/app/run"]
      }

      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
