# Where the variable is kept; both can be given on the command line instead.
# namespace = "default"
# path      = "path/to/variable"

# What is kept, encrypted as a whole. Keys without dots are easier to use in
# templates.
items {
  key1 = "value 1"
  key2 = "value 2"
}
