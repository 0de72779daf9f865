//! The difference between two versions of a job, as plans and histories show it (plan sheet §§2–9), and the notes
//! that say what a difference will do to running allocations (§11).
//!
//! Entry points: [`job_diff`], [`annotate`]. Pure: two jobs in, a tree of [`caravan_model::JobDiff`] out. The same
//! jobs give the same tree, and a job differs from itself in nothing.
//!
//! It must never know how the tree is shown.

mod annotate;
mod connect;
mod flatten;
mod group;
mod job;
mod network;
mod order;
mod parts;
mod plain;
mod primitive;
mod service;
mod task;

pub use annotate::annotate;
pub use job::job_diff;

#[cfg(test)]
mod tests;
