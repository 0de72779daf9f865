# Counts its runs in a volume: each run finds what the one before has left. Create volume.hcl first.
# Needs a driver that mounts: exec (as root).
#   nomad volume create volume.hcl
#   nomad job run volume.nomad
job "volume" {
  datacenters = ["dc1"]
  type        = "batch"

  group "g" {
    volume "data" {
      type   = "host"
      source = "counter"
    }

    task "count" {
      driver = "exec"

      volume_mount {
        volume      = "data"
        destination = "/data"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo run >> /data/runs; wc -l < /data/runs"]
      }

      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
