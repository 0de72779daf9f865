//! Jobs as users write them, where "not given" and "zero" differ.
//!
//! These are what job files and JSON jobs are read into, what defaults are filled into, and what `jobs/parse`
//! answers. Every member is optional where the difference matters; lists and maps tell `null` from empty.
//! `Job::from(ApiJob)` makes the stored form: what is still absent becomes zero, so defaults come first.
//! Members that only serve as defaults for others (`Migrate` and `Reschedule` of a job, `CheckRestart` of a
//! service) do not survive it. Declared in the order of the JSON, which is alphabetical.

mod connect;
mod group;
mod job;
mod placement;
mod service;
mod task;

pub use connect::*;
pub use group::*;
pub use job::*;
pub use placement::*;
pub use service::*;
pub use task::*;

use crate::Constraint;
use std::collections::BTreeMap;

fn list<A, B: From<A>>(items: Option<Vec<A>>) -> Vec<B> {
    items.into_iter().flatten().map(B::from).collect()
}

fn map<A, B: From<A>>(items: Option<BTreeMap<String, A>>) -> BTreeMap<String, B> {
    items
        .into_iter()
        .flatten()
        .map(|(key, value)| (key, B::from(value)))
        .collect()
}
