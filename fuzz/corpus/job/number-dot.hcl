job "j" {
  meta {
    a =  1 .0+ 0.2
    b = [[1]].0.0
    c = x.0 .y
  }
}
