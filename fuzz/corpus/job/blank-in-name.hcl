job "j" {
  meta {
    a =eta .nope
  }
}
