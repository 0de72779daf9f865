# A batch job that starts by the clock, never twice at once.
#   nomad job run periodic.nomad
#   nomad job periodic force report
job "report" {
  datacenters = ["dc1"]
  type        = "batch"

  periodic {
    cron             = "*/15 * * * *"
    prohibit_overlap = true
  }

  group "report" {
    task "write" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "date; uptime"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
