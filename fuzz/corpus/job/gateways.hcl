job "e" {
  datacenters = ["dc1"]
  group "ingress" {
    network {
      mode = "bridge"
      port "inbound" {
        static = 8080
        to = 8080
      }
    }
    service {
      name = "i"
      port = "8080"
      connect {
        gateway {
          proxy {
            connect_timeout = "500ms"
            envoy_gateway_bind_tagged_addresses = true
            envoy_gateway_bind_addresses "x" {
              address = "0.0.0.0"
              port = 8080
            }
            config { a = 1 }
          }
          ingress {
            tls { enabled = true }
            listener {
              port = 8080
              protocol = "http"
              service { 
                name = "*"
                hosts = ["a"]
              }
            }
          }
        }
      }
    }
    service {
      name = "t"
      connect {
        gateway {
          terminating {
            service {
              name = "x"
              ca_file = "y"
            }
          }
        }
      }
    }
    service {
      name = "m"
      port = "x"
      connect {
        gateway {
          mesh { }
        }
      }
    }
    task "t" {
      driver = "java"
      config { 
        jar_path = "x" 
        jvm_options = ["-Xmx1g"] 
      }
      lifecycle {
        hook = "prestart"
        sidecar = false
      }
      restart {
        attempts = 3
        delay = "30s"
        interval = "5m"
        mode = "delay"
      }
      env {
        X = <<EOT
multi ${NOMAD_ALLOC_ID}
%{ if true }yes%{ else }no%{ endif }
EOT
        Y = "${upper("a")}-${node.unique.name}-${env["HOME"]}-${attr.platform.aws.instance-type}"
        Z = "a\tb\u00e9\\"
      }
    }
    task "script" {
      driver = "raw_exec"
      config {
        command = "/bin/bash"
        args = ["-c", <<EOF
set -e
echo "$${FOO:-bar}" $(date +%s) 100%
for i in $${list[@]}; do echo $i; done
EOF
        ]
      }
    }
  }
}
