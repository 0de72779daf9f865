//! Emptying nodes (scheduler sheet §16): what an operator asks, and what the leader does until a node is empty.

mod drainer;
mod groups;
#[cfg(test)]
mod tests;
mod update;

pub use drainer::Drainer;
pub use update::drain_update;
