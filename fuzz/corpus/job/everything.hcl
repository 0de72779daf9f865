# A job of most blocks, for tests that break it.
variable "image" {
  type        = string
  default     = "redis:7"
  description = "What runs."

  validation {
    condition     = length(split(":", var.image)) == 2
    error_message = "The image needs a tag."
  }
}

variables {
  ports = ["http", "admin"]
}

locals {
  base = "app-${var.image}"
  all  = { for p in var.ports : p => upper(p) }
}

job "everything" {
  type        = "service"
  priority    = 70
  datacenters = ["dc1", "fra-*"]

  meta {
    owner = "team"
    tier  = 2
  }

  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }

  update {
    max_parallel = 2
    canary       = 1
    auto_revert  = true
  }

  group "web" {
    count = 3

    network {
      mode = "bridge"

      dynamic "port" {
        for_each = var.ports
        labels   = [port.value]

        content {
          to = 8000 + port.key
        }
      }
    }

    service {
      name     = "web"
      provider = "nomad"
      port     = "http"

      check {
        type     = "http"
        path     = "/health"
        interval = "10s"
        timeout  = "2s"

        header {
          Accept = ["text/plain"]
        }
      }
    }

    volume "data" {
      type   = "host"
      source = "data"
    }

    task "server" {
      driver       = "docker"
      kill_timeout = "20s"

      config {
        image = var.image
        args  = ["--listen", "${NOMAD_ADDR_http}", "--index", NOMAD_ALLOC_INDEX]

        port_map {
          db = 6379
        }
      }

      env = {
        "X-Y" = local.all["http"]
        MODE  = var.image == "redis:7" ? "seven" : "other"
      }

      template {
        destination = "local/app.conf"
        data        = <<-EOT
          %{ for p in var.ports ~}
          port ${p}
          %{ endfor ~}
          {{ key "a" }} $${NOT_HERE}
        EOT
      }

      artifact {
        source = "https://example.net/a.tgz"

        options {
          checksum = "md5:d41d8cd98f00b204e9800998ecf8427e"
        }
      }

      volume_mount {
        volume      = "data"
        destination = "/data"
      }

      resources {
        cpu    = 200
        memory = 128
      }

      restart {
        attempts = 3
        mode     = "delay"
      }
    }
  }
}
