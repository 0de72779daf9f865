//! A whole cluster in plain values, for tests: the servers' control loops over a real state, with simulated nodes,
//! under a virtual clock and one seed.
//!
//! Entry point: [`Simulation::run`]. A seed decides everything, so a failure is told with its seed and repeated by
//! it. First faults happen (nodes fall silent and come back, drains begin and are called off, workers vanish, plans
//! are refused in part, clients are slow), then they end, and the cluster must come to rest with all work done.
//! After every change [`invariants`] are checked.
//!
//! It must never know a real clock, a thread or a socket; what it drives is the code that servers run.

mod clients;
mod faults;
mod invariants;
mod operators;
mod plans;
mod random;
mod shapes;
mod simulation;
mod workers;
mod world;

pub use random::Random;
pub use simulation::{Failure, Report, Simulation, Size};
