variable "images" {
  type        = map(string)
  default = { store = "d:1" }
  description = <<EOF
  Images by name, with $DOLLARS.
EOF
}
variable "copies" {
  type    = number
  default = 3
  validation {
    condition     = var.copies % 2 == 1
    error_message = "An odd number, so that a majority exists."
  }
}
variable "endpoint" {
  type = string
  default = ""
}
variable "cred" {
  type = map(object({
    # Who
    user = string
    # Secret
    pass = string
  }))
  default = { a = { user = "u", pass = "p" } }
}
variable "envlist" {
  type = list(object({ name = string, value = string }))
  default = [{ name = "A", value = "1" }, { name = "B", value = 2 }]
}
locals {
  base = 5080
  members = [for id in range(0, var.copies * 1) : {
    id : id,
    port : local.base + id,
    http : local.base + id
  }]
  others = [for at in range(1, var.copies) : {
    id : at,
    http_port : local.base + at,
  }]
  s = join(",", [for a in local.members : "localhost:${a.port}"])
  watcher = (var.endpoint == "") ? attr.unique.network.ip-address : var.endpoint
  spans = "http://${local.watcher}:9411/api/v2/spans"
  _r = split(":", trimprefix("kv://h:1", "kv://"))
  host = local._r[0]
  m = merge({a = 1}, {b = "2"})
}
job "forms" {
  datacenters = ["dc1"]
  group "g" {
    network {
      mode = "bridge"
      dns { servers = [local.watcher] }
      port "h" { to = -1 }
    }
    task "t" {
      driver = "docker"
      config {
        image = var.images["store"]
        args = [
          "--x", "${local.base}", "idx=${var.copies + 1}",
          local.spans,
        ]
        mount {
          type     = "volume"
          readonly = false
        }
      }
      dynamic "env" {
        for_each = [1]
        content {
          A = "x${env.value}"
        }
      }
      dynamic "template" {
        for_each = var.envlist
        content {
          data = <<-EOH
            {{ range $i, $e := service "x" }}{{ end }}
            ${template.value.name}=$${foo} %%{ if } 100%
            EOH
          destination = "local/${template.key}.env"
          env = true
        }
      }
    }
    service {
      name = "z"
      port = "${local.base}"
      connect {
        sidecar_service {
          proxy {
            dynamic "upstreams" {
              iterator = other
              for_each = [for z in local.others : z if z.id != 1]
              content {
                destination_name = "z-${other.value.id}"
                local_bind_port  = other.value.http_port
              }
            }
            expose {
              path {
                path = "/health"
                protocol = "http"
                local_path_port = 80
                listener_port = "h"
              }
            }
          }
        }
      }
    }
  }
  dynamic "group" {
    iterator = made
    for_each = local.others
    labels   = ["made-${made.value.id}"]
    content {
      count = "2"
      task "x" {
        driver = "exec"
        env = { for k, v in var.cred : upper(k) => v.user }
        config { command = "x" }
      }
    }
  }
}
