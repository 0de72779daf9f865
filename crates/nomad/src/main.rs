//! The `nomad` binary.
fn main() {}
