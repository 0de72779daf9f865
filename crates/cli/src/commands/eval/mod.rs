//! Evaluations.

mod delete;
mod list;
mod status;

use crate::command::Command;

pub(super) use status::status;

pub(super) const COMMANDS: &[&Command] = &[&delete::SPEC, &list::SPEC, &status::SPEC];
