# An OCI image without an engine: fetched from a registry, and run as exec runs everything. Needs root and cgroups.
#   nomad job run -var image=registry.example.org/team/app:1 image.nomad
variable "image" {
  default = "docker.io/library/busybox:1.36"
}

job "image" {
  datacenters = ["dc1"]
  type        = "batch"

  group "work" {
    task "look" {
      driver = "exec"

      config {
        image   = var.image
        command = "/bin/sh"
        args    = ["-c", "echo hello from an image; ls /; ls /local; echo kept > /alloc/data/result"]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
