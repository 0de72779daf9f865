# A service that needs nothing but a shell: it greets once a second.
#   nomad job run hello.nomad
job "hello" {
  datacenters = ["dc1"]
  type        = "service"

  # A new version replaces one allocation at a time, and goes on when that one is healthy.
  update {
    max_parallel     = 1
    min_healthy_time = "1s"
    healthy_deadline = "30s"
    auto_revert      = true
  }

  group "greeters" {
    count = 1

    task "greet" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo \"allocation $NOMAD_ALLOC_INDEX says: $GREETING\"; while true; do sleep 1; date; done"]
      }

      env {
        GREETING = "hello"
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
