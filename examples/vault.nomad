# A task with a token of Vault, a password that Vault makes for it alone, and a certificate. Needs a vault block in the agent's
# configuration, and the role `app` at Vault.
#   nomad job run vault.nomad
job "vault" {
  datacenters = ["dc1"]

  group "app" {
    task "use" {
      driver = "raw_exec"

      vault {
        role        = "app"
        change_mode = "noop"
      }

      template {
        destination = "secrets/db"
        change_mode = "restart"
        data        = "{{ with secret \"database/creds/app\" }}{{ .Data.username }}:{{ .Data.password }}{{ end }}"
      }

      template {
        destination   = "secrets/tls.pem"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = "{{ with pkiCert \"pki/issue/app\" \"common_name=app.example.org\" \"ttl=24h\" }}{{ .Cert }}{{ .Key }}{{ .CA }}{{ end }}"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo token $VAULT_TOKEN; cat secrets/db secrets/tls.pem; echo; exec sleep 3600"]
      }

      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
