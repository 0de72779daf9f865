# A command in a root of its own: nobody's user, its own processes, a limit that holds. Needs root and cgroups.
#   nomad job run exec.nomad
#   nomad alloc logs <allocation>
job "exec" {
  datacenters = ["dc1"]
  type        = "batch"

  group "work" {
    task "look" {
      driver = "exec"

      config {
        command = "/bin/sh"
        args = [
          "-c",
          "id -un; echo process $$; ls /; echo kept > /alloc/data/result; touch /etc/changed || echo the host stays as it is",
        ]
        cap_drop = ["all"]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
