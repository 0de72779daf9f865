# A job file to start from: one Redis server in a container.
#
#   nomad job plan example.nomad    what would happen
#   nomad job run example.nomad     make it happen
#   nomad job status example        how it is going
#
# A job holds groups; the tasks of a group run together on one machine.
job "example" {
  # The kind of work: "service" runs until it is stopped, "batch" until it is
  # done, "system" on every machine.
  type = "service"

  # Jobs of a higher priority are placed first (1 to 100).
  priority = 50

  group "cache" {
    # How many instances of this group run.
    count = 1

    # A port that is chosen when the group is placed; inside the container it
    # is 6379. Tasks find it in $NOMAD_PORT_db and $NOMAD_ADDR_db.
    network {
      port "db" {
        to = 6379
      }
    }

    # How a changed job replaces what runs: one instance after the other, each
    # healthy for ten seconds before the next one follows.
    update {
      max_parallel      = 1
      min_healthy_time  = "10s"
      healthy_deadline  = "3m"
      progress_deadline = "10m"

      # Go back to the last good version when the new one does not get healthy.
      auto_revert = false

      # How many instances of the new version to try beside the old ones; they
      # wait for "nomad job promote".
      canary = 0
    }

    # How often a failing task is started again on the same machine, and what
    # happens then: "fail" gives up and lets another machine try.
    restart {
      attempts = 2
      interval = "30m"
      delay    = "15s"
      mode     = "fail"
    }

    # Space that the tasks of the group share, in MB.
    ephemeral_disk {
      size = 300
    }

    task "redis" {
      # What runs the task. Each driver has its own config.
      driver = "docker"

      config {
        image = "redis:3.2"
        ports = ["db"]
      }

      # What the task may use: MHz and MB.
      resources {
        cpu    = 500
        memory = 256
      }

      # Its output is kept in files of this size: nomad alloc logs.
      logs {
        max_files     = 10
        max_file_size = 15
      }
    }
  }
}
