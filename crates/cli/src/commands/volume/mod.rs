//! Volumes and their plugins.

mod actions;
mod claim;
mod create;
mod init;
mod plugin;
mod snapshot;
mod status;

use crate::command::Command;

pub(super) use plugin::status as plugin_status;
pub(super) use status::status;

pub(super) const COMMANDS: &[&Command] = &[
    &actions::DELETE,
    &actions::DEREGISTER,
    &actions::DETACH,
    &claim::LIST,
    &claim::DELETE,
    &create::CREATE,
    &create::REGISTER,
    &init::SPEC,
    &plugin::SPEC,
    &snapshot::CREATE,
    &snapshot::DELETE,
    &snapshot::LIST,
    &status::SPEC,
];
