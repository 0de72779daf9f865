# Commands that a task offers to whoever may run them, by name.
#   nomad job run actions.nomad
#   nomad action -job actions remember
#   nomad action -job actions recall
#   nomad action -job actions where
job "actions" {
  datacenters = ["dc1"]

  group "g" {
    task "serve" {
      driver = "raw_exec"

      action "remember" {
        command = "/bin/sh"
        args    = ["-c", "echo $NOMAD_TASK_NAME was asked >> ${NOMAD_TASK_DIR}/notes"]
      }

      action "recall" {
        command = "/bin/cat"
        args    = ["${NOMAD_TASK_DIR}/notes"]
      }

      action "where" {
        command = "/bin/echo"
        args    = ["on ${node.unique.name}"]
      }

      config {
        command = "/bin/sleep"
        args    = ["3600"]
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
