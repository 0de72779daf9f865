//! Bodies into jobs: which attributes and blocks there are, and what they become.
//!
//! One file for each family of blocks. Whatever is not known is refused where it stands, and decoding goes on.

mod connect;
mod content;
mod dynamic;
mod free_form;
mod gateway;
mod group;
mod job;
mod network;
mod placement;
mod policy;
mod resources;
mod scaling;
mod schema;
mod service;
mod task;
mod template;
mod values;
mod volume;

pub(crate) use content::{AttributeRef, BlockRef, BodyRef, content};
pub(crate) use free_form::attributes;
pub(crate) use schema::{Schema, many, named};

use crate::eval::{Scope, Session};
use caravan_model::api::ApiJob;

/// The job of a job block. What is wrong with it is told in the session.
pub(crate) fn decode_job(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiJob {
    let body = block.content(cx, scope, &job::JOB);
    job::job(cx, block, &body)
}
