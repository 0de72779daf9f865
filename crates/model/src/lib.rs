//! The vocabulary: every object of the public JSON, once, with typed ids and units.
//!
//! The serde shape of these types *is* the public JSON and what is stored; there is no second set of structs.
//! This crate must never know how anything is stored, sent or decided.

pub mod id;
pub mod shape;
pub mod time;

pub use id::{AllocId, DeploymentId, EvalId, InvalidId, JobId, NamespaceName, NodeId};
pub use time::{Duration, Timestamp, UnixNanos};
