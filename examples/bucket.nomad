# A program and its settings from a bucket: Amazon's S3, or a store that speaks like it, such as MinIO.
#   nomad job run -var store=https://minio.example.org -var key=… -var secret=… bucket.nomad
variable "store" {
  type        = string
  description = "Where the buckets are."
  default     = "https://s3.amazonaws.com"
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "key" {
  type        = string
  description = "Who asks; empty for what is public."
  default     = ""
}

variable "secret" {
  type    = string
  default = ""
}

job "bucket" {
  datacenters = ["dc1"]
  type        = "batch"

  group "g" {
    task "run" {
      driver = "raw_exec"

      # One object, which is an archive.
      artifact {
        source      = "s3::${var.store}/releases/app/app.tar.gz"
        destination = "local/app"

        options {
          region                = var.region
          aws_access_key_id     = var.key
          aws_access_key_secret = var.secret
        }
      }

      # All objects below a name.
      artifact {
        source      = "s3::${var.store}/releases/settings"
        destination = "local/settings"

        options {
          region                = var.region
          aws_access_key_id     = var.key
          aws_access_key_secret = var.secret
        }
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
