# Tasks around a main task: one before it, one beside it, one after it has started, one at the end.
#   nomad job run lifecycle.nomad
#   nomad alloc logs <id> main
job "lifecycle" {
  datacenters = ["dc1"]
  type        = "batch"

  group "all" {
    # Every task writes its name into a file that they share.
    task "prepare" {
      driver = "raw_exec"
      lifecycle {
        hook = "prestart"
      }
      config {
        command = "/bin/sh"
        args    = ["-c", "echo prepare >> $NOMAD_ALLOC_DIR/data/order"]
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }

    task "beside" {
      driver = "raw_exec"
      lifecycle {
        hook    = "prestart"
        sidecar = true
      }
      config {
        command = "/bin/sh"
        args    = ["-c", "echo beside >> $NOMAD_ALLOC_DIR/data/order; while true; do sleep 0.1; done"]
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }

    task "main" {
      driver       = "raw_exec"
      leader       = true
      kill_signal  = "SIGTERM"
      kill_timeout = "3s"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo main >> $NOMAD_ALLOC_DIR/data/order; until grep -q greet $NOMAD_ALLOC_DIR/data/order; do sleep 0.05; done; cat $NOMAD_ALLOC_DIR/data/order"]
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }

    task "greet" {
      driver = "raw_exec"
      lifecycle {
        hook = "poststart"
      }
      config {
        command = "/bin/sh"
        args    = ["-c", "until grep -q main $NOMAD_ALLOC_DIR/data/order; do sleep 0.05; done; echo greet >> $NOMAD_ALLOC_DIR/data/order"]
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }

    task "tidy" {
      driver = "raw_exec"
      lifecycle {
        hook = "poststop"
      }
      config {
        command = "/bin/sh"
        args    = ["-c", "echo tidy >> $NOMAD_ALLOC_DIR/data/order"]
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
