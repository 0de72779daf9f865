namespace = "default"
name      = "example"
type      = "host"
plugin_id = "mkdir"

# How it may be used. At least one is required.
capability {
  access_mode     = "single-node-writer"
  attachment_mode = "file-system"
}

# Where it may be made.
constraint {
  attribute = "${attr.kernel.name}"
  value     = "linux"
}
