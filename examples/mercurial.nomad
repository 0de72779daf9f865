# A program from a Mercurial repository, at a revision.
#   nomad job run -var source=hg::https://hg.example.org/app -var rev=v1 mercurial.nomad
variable "source" {
  type        = string
  description = "The repository; it holds a script named run."
  default     = "hg::https://hg.example.org/app"
}

variable "rev" {
  type        = string
  description = "A tag, branch or number; empty for the tip."
  default     = ""
}

job "mercurial" {
  datacenters = ["dc1"]
  type        = "batch"

  group "g" {
    task "run" {
      driver = "raw_exec"

      artifact {
        source      = var.source
        destination = "local/app"

        options {
          rev = var.rev
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
