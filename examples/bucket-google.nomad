# A program and its settings from Google's Cloud Storage, which the account of the machine may read. Elsewhere the agent needs a
# token, and passes it on:
#   client { artifact { set_environment_variables = "GOOGLE_OAUTH_ACCESS_TOKEN" } }
#   nomad job run bucket-google.nomad
job "bucket-google" {
  datacenters = ["dc1"]
  type        = "batch"

  group "g" {
    task "run" {
      driver = "raw_exec"

      artifact {
        source      = "gcs::https://www.googleapis.com/storage/v1/releases/app/app.tar.gz"
        destination = "local/app"
      }

      artifact {
        source      = "gcs::https://www.googleapis.com/storage/v1/releases/settings"
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
