# A batch job: it runs to its end, and does not run again until it is changed, or has failed.
#   nomad job run once.nomad
job "once" {
  datacenters = ["dc1"]
  type        = "batch"

  group "work" {
    # A failure is final: no restart on the node, no other node.
    restart {
      attempts = 0
      mode     = "fail"
    }

    reschedule {
      attempts  = 0
      unlimited = false
    }

    task "migrate" {
      driver = "raw_exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "echo \"migrating to $TARGET\"; sleep 1; [ \"$TARGET\" != broken ]"]
      }

      env {
        TARGET = "one"
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
