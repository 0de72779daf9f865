variable "datacenters" {
  type    = list(string)
  default = ["dc1"]
}
variable "opt" {
  type = object({
    a = string
  })
  default = { a = "x" }
}
job "f" {
  name = "f-job"
  datacenters = var.datacenters
  group "▶️" {
    task "t" {
      driver = "exec"
      template {
        data = <<EOF
nomad {
  address = "{{env "attr.unique.network.ip-address" }}:4646"
}
          EOF
        destination = "/x"
        perms       = 0444
      }
      artifact {
        source = "https://x/y.zip"
        options {
 checksum = "md5:x"
 }
      }
      config { command = "x" }
    }
  }
}
