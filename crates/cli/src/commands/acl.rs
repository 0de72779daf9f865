//! acl
use crate::command::Command;
pub(super) const COMMANDS: &[&Command] = &[];
pub(super) fn token_text(_: &crate::ui::Ui, _: &serde_json::Value) -> String {
    String::new()
}
