//! Deployments.

mod actions;
mod list;
mod status;

use crate::command::Command;

pub(super) use status::status;

pub(super) const COMMANDS: &[&Command] = &[
    &list::SPEC,
    &status::SPEC,
    &actions::FAIL,
    &actions::PAUSE,
    &actions::PROMOTE,
    &actions::RESUME,
    &actions::UNBLOCK,
];
