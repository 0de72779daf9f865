id        = "ebs_prod_db1"
namespace = "default"
name      = "database"
type      = "csi"
plugin_id = "plugin_id"

# For "nomad volume register": what the provider calls it.
external_id = "vol-23452345"

# For "nomad volume create": how big it is to be.
capacity_min = "10GiB"
capacity_max = "20G"

# How it may be used. At least one is required.
capability {
  access_mode     = "single-node-writer"
  attachment_mode = "file-system"
}

# For file systems.
mount_options {
  fs_type     = "ext4"
  mount_flags = ["ro"]
}

# What the provider needs to know.
parameters {
  skuname = "Premium_LRS"
}
