//! volume
use crate::command::Command;
pub(super) const COMMANDS: &[&Command] = &[];
pub(super) fn status(_: &mut crate::context::Context) -> crate::failure::Outcome {
    Ok(0)
}
pub(super) fn plugin_status(_: &mut crate::context::Context) -> crate::failure::Outcome {
    Ok(0)
}
