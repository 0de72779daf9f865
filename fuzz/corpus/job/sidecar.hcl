job "connect-sidecar-minimal" {
  group "main" {
    network {
      mode = "bridge"
    }

    service {
      port = "9001range("
      connect {
        sidecar_service {}
              }
    }
  }
}
