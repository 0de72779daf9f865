# A group with a network of its own, and one port of the host that leads into it.
# Needs root, iptables and the CNI plugins (Debian: containernetworking-plugins).
#   nomad job run bridge.nomad
#   nomad service info page
job "bridge" {
  datacenters = ["dc1"]

  group "web" {
    network {
      mode     = "bridge"
      hostname = "web-${NOMAD_ALLOC_INDEX}"
      port "http" {
        to = 8080
      }
      dns {
        servers = ["127.0.0.53"]
      }
    }

    service {
      name     = "page"
      port     = "http"
      provider = "nomad"

      check {
        type     = "http"
        path     = "/"
        interval = "1s"
        timeout  = "1s"
      }
    }

    task "serve" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo inside $NOMAD_ALLOC_ADDR_http > index.html; exec python3 -m http.server 8080"]
        work_dir = "${NOMAD_TASK_DIR}"
      }

      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}
