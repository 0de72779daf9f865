//! Objects as text.

mod alloc;
mod alloc_stats;
mod deployment;
mod diff;
mod job;
mod node;
mod placement;
mod plan;
mod rollout;

pub(crate) use alloc::*;
pub(crate) use deployment::*;
pub(crate) use diff::job_diff;
pub(crate) use job::*;
pub(crate) use node::*;
pub(crate) use placement::*;
pub(crate) use plan::{plan, preemptions};
pub(crate) use rollout::rollout;
