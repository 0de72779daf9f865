# A service whose checks decide: one that its port is open, one that its page is well. When the page is lost the task is
# restarted, and makes it anew.
#   nomad job run checks.nomad
#   nomad alloc checks <allocation>
job "checks" {
  datacenters = ["dc1"]

  update {
    min_healthy_time = "1s"
    healthy_deadline = "1m"
  }

  group "web" {
    network {
      port "http" {}
    }

    restart {
      attempts = 3
      delay    = "1s"
    }

    service {
      name     = "checked"
      port     = "http"
      provider = "nomad"
      tags     = ["example"]

      check {
        name     = "open"
        type     = "tcp"
        interval = "1s"
        timeout  = "1s"
      }

      check {
        name     = "well"
        type     = "http"
        path     = "/health"
        interval = "1s"
        timeout  = "1s"

        check_restart {
          limit = 2
          grace = "2s"
        }
      }

      check {
        name      = "ready"
        type      = "http"
        method    = "HEAD"
        path      = "/not-yet"
        interval  = "1s"
        timeout   = "1s"
        on_update = "ignore"
      }
    }

    task "serve" {
      driver = "raw_exec"

      config {
        command  = "/bin/sh"
        args     = ["-c", "echo fine > health; exec python3 -m http.server $NOMAD_PORT_http"]
        work_dir = "${NOMAD_TASK_DIR}"
      }

      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}
