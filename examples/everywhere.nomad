# A system job: one allocation on every node.
#   nomad job run everywhere.nomad
job "everywhere" {
  datacenters = ["dc1"]
  type        = "system"

  group "agent" {
    task "watch" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "while true; do cat /proc/loadavg; sleep 10; done"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
