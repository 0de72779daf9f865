# A node pool: a set of nodes that only its own jobs use.
node_pool "example" {
  description = "Example node pool"

  # Free text that people and tools may use.
  meta {
    environment = "prod"
    owner       = "sre"
  }
}
