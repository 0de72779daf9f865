# A file and an environment made from data of the cluster; the task is told when they change.
#   nomad var put nomad/jobs/template who=ada
#   nomad job run template.nomad
#   nomad var put -force nomad/jobs/template who=grace
job "template" {
  datacenters = ["dc1"]

  group "g" {
    task "show" {
      driver = "raw_exec"

      # Signed by the cluster, for this task alone.
      identity {
        env  = true
        file = true
      }

      template {
        destination   = "local/greeting"
        change_mode   = "signal"
        change_signal = "SIGHUP"
        data          = <<-END
          {{ with nomadVar "nomad/jobs/template" }}hello {{ or .who.Value "nobody" }}{{ end }} on {{ env "node.unique.name" }}
        END
      }

      template {
        destination = "secrets/task.env"
        env         = true
        change_mode = "noop"
        data        = "GREETING_FILE={{ env \"NOMAD_TASK_DIR\" }}/greeting\n"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "trap 'cat $GREETING_FILE' HUP; cat $GREETING_FILE; while true; do sleep 0.1; done"]
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
