job "c" {
  datacenters = ["dc1"]
  priority = "60"
  all_at_once = "true"
  constraint { distinct_hosts = true }
  constraint {
    operator = "distinct_hosts"
    value = true
  }
  constraint {
    attribute = "${meta.x}"
    set_contains = "a,b"
  }
  constraint {
    attribute = "${attr.vault.version}"
    version = ">= 0.6"
  }
  constraint {
    distinct_property = "${meta.rack}"
    value = 2
  }
  constraint {
    attribute = attr.kernel.name
    value = "linux"
  }
  affinity {
    attribute = node.datacenter
    value = "us"
    weight = -50
  }
  spread {
    attribute = "${node.datacenter}"
    weight = 100
    target "a" { percent = 70 }
    target "b" { 
      percent = 30 
    }
  }
  periodic {
    cron = "*/15 * * * * *"
    prohibit_overlap = true
    time_zone = "America/New_York"
  }
  parameterized {
    payload = "required"
    meta_required = ["a"]
  }
  group "g" {
    count = "3"
    volume "v" {
      type = "csi"
      source = "x"
      read_only = false
      attachment_mode = "file-system"
      access_mode = "single-node-writer"
      per_alloc = true
      mount_options {
        fs_type = "ext4"
        mount_flags = ["noatime"]
      }
    }
    scaling {
      enabled = true
      min = 1
      max = 5
      policy {
        cooldown = "1m"
        evaluation_interval = "10s"
        check "x" {
          source = "prometheus"
          query = "sum(x)"
          strategy "target-value" {
            target = 20
          }
        }
      }
    }
    network {
      mode = "bridge"
      port "http" {
        static = "80"
        to = "8080"
        host_network = "public"
      }
      port "x" {}
    }
    ephemeral_disk {
      size = "500"
      sticky = true
      migrate = true
    }
    service {
      tags = ["a", "traefik.http.routers.x.rule=Host(`a.b`) && PathPrefix(`/`)"]
      port = "http"
      canary_tags = []
      meta { a = "b" }
      check {
        type = "http"
        path = "/"
        interval = "10s"
        timeout = "2s"
        header { 
          Authorization = ["Basic x"]
          X = ["a", "b"]
        }
        check_restart {
          limit = 3
          grace = "90s"
        }
      }
    }
    task "t" {
      driver = "docker"
      leader = "true"
      kill_timeout = 30000000000
      user = "1000:1000"
      config {
        image = "x"
        port_map { http = 80 }
        volumes = ["a:b"]
        labels = { "com.x" = "y" }
        logging {
          type = "gelf"
          config { 
            gelf-address = "udp://1.1.1.1:1"
          }
        }
        ulimit { nofile = "1:2" }
        sysctl = { "net.core.somaxconn" = "16384" }
        auth {
          username = "x"
          password = "y"
        }
        mounts = [{
          type = "bind"
          source = "x"
          bind_options = { propagation = "rslave" }
        }]
      }
      env {
        A = 1
        B = true
        C = 1.5

      }
      resources {
        cpu = "500"
        memory = 256
        network {
          mbits = 10
          port "db" {}
        }
        device "nvidia/gpu" {
          count = 2
          constraint {
            attribute = "${device.attr.memory}"
            operator = ">="
            value = "2 GiB"
          }
        }
      }
      template {
        data = <<EOF
{{ with secret "x" }}{{ .Data.y }}{{ end }}
key = "{{ env "NOMAD_PORT_http" }}"
EOF
        destination = "secrets/x"
        change_mode = "signal"
        change_signal = "sighup"
        splay = "5m"
        perms = 600
      }
      artifact {
        source = "git::https://x"
        destination = "local"
        options {
          checksum = "md5:x"
          ref = "main"
        }
      }
      logs {
        max_files = 3
        max_file_size = 5
      }
      vault { policies = ["a"] }
      volume_mount {
        volume = "v"
        destination = "/d"
      }
    }
  }
}
