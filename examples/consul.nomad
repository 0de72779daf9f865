# A service in Consul with every kind of check, and a file made of what Consul knows. Needs a Consul agent beside the node, and
# a consul block in the agent's configuration.
#   consul kv put app/greeting hello
#   nomad job run consul.nomad
job "consul" {
  datacenters = ["dc1"]

  group "web" {
    network {
      port "http" {}
    }

    service {
      name     = "web"
      port     = "http"
      provider = "consul"
      tags     = ["example"]

      meta {
        version = "1"
      }

      check {
        name     = "page"
        type     = "http"
        path     = "/"
        interval = "10s"
        timeout  = "2s"
      }

      check {
        name     = "port"
        type     = "tcp"
        interval = "10s"
        timeout  = "2s"
      }

      check {
        name         = "rpc"
        type         = "grpc"
        grpc_service = "web"
        interval     = "10s"
        timeout      = "2s"
      }

      check {
        name     = "inside"
        type     = "script"
        task     = "serve"
        command  = "/bin/sh"
        args     = ["-c", "cat local/greeting"]
        interval = "1s"
        timeout  = "2s"
      }
    }

    task "serve" {
      driver = "raw_exec"

      template {
        destination = "local/greeting"
        change_mode = "noop"
        data        = <<EOT
{{ key "app/greeting" }}{{ range service "db" }} {{ .Name }}={{ .Address }}:{{ .Port }}{{ end }}{{ with node }} on {{ .Node.Node }}{{ end }}
EOT
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "cat local/greeting; exec sleep 3600"]
      }

      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
