//! The vocabulary: every object of the public JSON, once, with typed ids and units.
//!
//! The serde shape of these types *is* the public JSON and what is stored. Only jobs have a second form, [`api`]: as users write
//! them, where "not given" and "zero" still differ.
//! This crate must never know how anything is stored, sent or decided.

pub mod api;
pub mod connect;
pub mod constraint;
pub mod diff;
pub mod free_form;
pub mod group;
pub mod job;
pub mod job_api;
pub mod job_view;
pub mod network;
pub mod resources;
pub mod service;
pub mod task;
pub mod volume_request;
pub mod id;
pub mod shape;
pub mod time;

pub use id::{AllocId, DeploymentId, EvalId, InvalidId, JobId, NamespaceName, NodeId};
pub use time::{Duration, Timestamp, UnixNanos};

// The job family.
pub use connect::*;
pub use constraint::{Affinity, Constraint, Spread, SpreadTarget, operand};
pub use diff::*;
pub use free_form::{Object, StringMap};
pub use group::*;
pub use job::*;
pub use job_api::*;
pub use job_view::*;
pub use network::*;
pub use resources::{Numa, RequestedDevice, Resources};
pub use service::*;
pub use task::*;
pub use volume_request::{MountOptions, VolumeMount, VolumeRequest, volume_type};
