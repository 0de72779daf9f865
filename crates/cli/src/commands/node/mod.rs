//! Nodes and node pools.

mod config;
mod drain;
mod eligibility;
mod identity;
mod meta;
mod pool;
mod pool_init;
mod pool_lists;
mod status;
mod watch;

use crate::command::Command;

pub(super) use status::status;

pub(super) const COMMANDS: &[&Command] = &[
    &config::SPEC,
    &drain::SPEC,
    &eligibility::SPEC,
    &identity::GET,
    &identity::RENEW,
    &identity::INTRO,
    &meta::APPLY,
    &meta::READ,
    &pool::APPLY,
    &pool::DELETE,
    &pool::INFO,
    &pool_init::SPEC,
    &pool_lists::LIST,
    &pool_lists::JOBS,
    &pool_lists::NODES,
    &status::SPEC,
];
