//! What a leader keeps doing: which evaluation is next, which wait for capacity, how deployments, drains and
//! heartbeats go on, when periodic jobs are launched, and what can be forgotten.
//!
//! Each part is a value with explicit inputs: it is told the time and reads a state, and returns what to do and
//! when to be asked again. Controllers are level-triggered: asked twice, the second answer is empty.
//!
//! It must never know a thread, a clock, a socket or how its commands are carried out.

pub mod blocked;
pub mod broker;
pub mod client_update;
#[cfg(test)]
mod cluster;
mod controller;
pub mod cron;
pub mod deployments;
pub mod dispatch;
pub mod drain;
mod duties;
mod follow_up;
pub mod gc;
pub mod liveness;
pub mod node_update;
pub mod periodic;
mod queues;
pub mod rejections;
pub mod scale;

pub use controller::{Controller, Ids, Step};
pub use duties::{Settings, controllers};
pub use queues::Queues;
