# A container with most of what keeps it in its place. Needs Docker and the image redis:4.0.
#   nomad job run docker.nomad
#   nomad alloc exec -task redis <allocation> redis-cli config get maxmemory
job "docker" {
  datacenters = ["dc1"]
  type        = "service"

  group "cache" {
    network {
      port "db" {
        to = 6379
      }
    }

    task "redis" {
      driver = "docker"

      config {
        image   = "redis:4.0"
        ports   = ["db"]
        command = "redis-server"
        args    = ["/local/redis.conf"]

        # Of its own files it may write none, of its capabilities it needs none, and it cannot fork without end.
        readonly_rootfs = true
        cap_drop        = ["all"]
        pids_limit      = 64

        ulimit {
          nofile = "4096:4096"
        }

        mount {
          type   = "tmpfs"
          target = "/data"

          tmpfs_options {
            size = 16000000
          }
        }

        labels {
          purpose = "example"
        }
      }

      template {
        destination = "local/redis.conf"
        data        = <<EOF
maxmemory 16mb
save ""
dir /data
EOF
      }

      kill_signal  = "SIGTERM"
      kill_timeout = "10s"

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
