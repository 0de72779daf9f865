job "g" {
  datacenters = ["${NOMAD_DC}", "dc-${meta.x}"]
  vault {
    role = "x"
  }
  group "g" {
    consul {}
    disconnect {
      lost_after = "6h"
      replace = false
      reconcile = "keep_original"
    }
    network {
      mode = "cni/mynet"
      hostname = "h-${NOMAD_ALLOC_INDEX}"
      cni { args = { a = "b" } }
      port "http" { to = 80 }
    }
    update {
      max_parallel     = 1
      canary           = 1
      min_healthy_time = "30s"
      healthy_deadline = "5m"
      auto_revert      = true
      auto_promote     = true
      stagger = "30s"
    }
    service {
      provider = "nomad"
      name = "svc-${NOMAD_JOB_NAME}"
      tags = [
        "traefik.enable=true",
        "traefik.http.routers.${NOMAD_TASK_NAME}.rule=Host(`x.${meta.domain}`)",
        <<EOF
multi
EOF
        ,
      ]
      identity { aud = ["x"] }
      weights { passing = 10 }
      tagged_addresses { lan = "1.2.3.4" }
      check {
        name = "c"
        type = "grpc"
        grpc_service = "x"
        grpc_use_tls = true
        tls_skip_verify = true
        interval = "10s"
        timeout = "2s"
        success_before_passing = 3
        body = <<EOF
{"a": "${b}"}
EOF
      }
    }
    service {
      name = "native"
      port = 9000
      task = "t"
      connect {
        native = true
      }
    }
    service {
      connect {
        sidecar_service {
          tags = ["a"]
          port = "x"
          disable_default_tcp_check = true
          proxy {
            local_service_port = 80
            config { protocol = "http" }
            upstreams {
              destination_name = "a"
              local_bind_port = 8080
              mesh_gateway { mode = "local" }
              config { connect_timeout_ms = 5000 }
            }
            transparent_proxy {
              exclude_inbound_ports = ["22"]
            }
          }
        }
        sidecar_task {
          driver = "docker"
          resources { cpu = 100 }
          config {
            image = "x"
          }
          logs { max_files = 1 }
          shutdown_delay = "5s"
        }
      }
    }
    task "t" {
      driver = "podman"
      identity {
        name = "vault_default"
        aud = ["vault.io"]
        ttl = "1h"
        file = true
        change_mode = "signal"
        change_signal = "SIGHUP"
      }
      identity { env = true }
      action "a" {
        command = "/bin/sh"
        args = ["-c", "x"]
      }
      template {
        data = "{{ key \"x\" }}"
        destination = "local/a"
        left_delimiter = "[["
        right_delimiter = "]]"
        change_mode = "script"
        change_script {
          command = "/bin/x"
          args = ["a"]
          timeout = "5s"
          fail_on_error = true
        }
        wait {
          min = "1s"
          max = "10s"
        }
        uid = 0
        gid = 0
        error_on_missing_key = true
      }
      scaling "cpu" {
        enabled = true
        min = 1
        max = 2
        policy {}
      }
      resources {
        cores = 2
        memory = 100
        memory_max = 200
        numa {
          affinity = "prefer"
        }
        device "vendor/type/name" {}
      }
      csi_plugin {
        id = "x"
        type = "monolith"
        mount_dir = "/csi"
      }
      volume_mount {
        volume = "x"
        destination = "/x"
        propagation_mode = "private"
      }
      kill_signal = "SIGTERM"
      kill_timeout = "1m30s"
      config {
        image = "x:${local_tag}"
        ports = ["http"]
        command = "sh"
        args = ["-c", "echo ${NOMAD_META_x} && exec $${HOME}", "%%{if}"]
        entrypoint = null
        sysctl { x = 1 }
      }
    }
  }
}
