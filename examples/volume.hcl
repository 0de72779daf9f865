# A directory that outlives the jobs that use it.
#   nomad volume create volume.hcl
name      = "counter"
type      = "host"
plugin_id = "mkdir"

capability {
  access_mode     = "single-node-writer"
  attachment_mode = "file-system"
}

parameters {
  mode = "0777"
}
