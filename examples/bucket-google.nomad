# A program from Google's Cloud Storage. The agent needs a token of the account that may read it, and passes it on:
#   client { artifact { set_environment_variables = "GOOGLE_OAUTH_ACCESS_TOKEN" } }
#   nomad job run bucket-google.nomad
variable "store" {
  type        = string
  description = "Where the buckets are."
  default     = "https://www.googleapis.com"
}

job "bucket-google" {
  datacenters = ["dc1"]
  type        = "batch"

  group "g" {
    task "run" {
      driver = "raw_exec"

      artifact {
        source      = "gcs::${var.store}/storage/v1/releases/app/app.tar.gz"
        destination = "local/app"
      }

      artifact {
        source      = "gcs::${var.store}/storage/v1/releases/settings"
        destination = "local/settings"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "sh local/app/run; cd local/settings; cat one two/three"]
      }

      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
