# A job that is run once for each dispatch, with what comes with that: a file and some words.
#   nomad job run dispatch.nomad
#   echo "first second third" | nomad job dispatch -meta who=ada dispatch -
#   nomad job status dispatch
job "dispatch" {
  datacenters = ["dc1"]
  type        = "batch"

  parameterized {
    payload       = "required"
    meta_required = ["who"]
    meta_optional = ["greeting"]
  }

  meta {
    greeting = "hello"
  }

  group "work" {
    task "count" {
      driver = "raw_exec"

      # Where the payload lies, below the task's local directory.
      dispatch_payload {
        file = "words"
      }

      config {
        command = "/bin/sh"
        args    = ["-c", "echo \"$NOMAD_META_greeting $NOMAD_META_who: $(wc -w < $NOMAD_TASK_DIR/words) words\""]
      }

      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}
