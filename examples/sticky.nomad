# Data that goes with a job from version to version: an allocation finds what the one before it left, also on another node.
#   nomad job run sticky.nomad
#   nomad job run -var release=2 sticky.nomad
#   nomad alloc logs <the new allocation>
variable "release" {
  default = "1"
}

job "sticky" {
  datacenters = ["dc1"]

  update {
    min_healthy_time = "1s"
    healthy_deadline = "1m"
  }

  group "g" {
    ephemeral_disk {
      # Taken over on the same node, and preferred there.
      sticky = true
      # Fetched from the other node, where it must be another one.
      migrate = true
      # Megabytes; the task's logs count, too.
      size = 150
    }

    task "count" {
      driver = "raw_exec"

      # alloc/data is taken over, and local/ of each task.
      config {
        command = "/bin/sh"
        args    = ["-c", "echo release $RELEASE >> $NOMAD_ALLOC_DIR/data/history; cat $NOMAD_ALLOC_DIR/data/history; exec sleep 3600"]
      }

      env {
        RELEASE = var.release
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
