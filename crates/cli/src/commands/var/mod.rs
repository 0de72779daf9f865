//! Variables.

mod get;
mod init;
mod list;
mod lock;
mod put;
mod show;

use crate::command::Command;
use crate::context::Context;
use crate::failure::Failure;
use crate::format::{nanos, time};
use crate::json::Fields;
use serde_json::Value;

pub(super) const COMMANDS: &[&Command] = &[
    &get::SPEC,
    &get::PURGE,
    &init::SPEC,
    &list::SPEC,
    &lock::SPEC,
    &put::SPEC,
];

/// Refuses the wildcard where one variable is meant.
fn one_namespace(context: &Context) -> Result<(), Failure> {
    match context.config().namespace == "*" {
        true => Err("The wildcard namespace (\"*\") is not valid for this command.".into()),
        false => Ok(()),
    }
}

/// What is said when somebody else was faster.
fn conflict(context: &Context, found: &Value, index: u64) -> Failure {
    let title = context.ui.paint("1;4", "Check-and-Set conflict");
    let server = found.int("ModifyIndex");
    let at = time(nanos(found.at("ModifyTime")));
    let text = format!(
        "Your provided check-index ({index}) does not match the server-side index ({server}). The server-side item was last updated on {at}. If you are sure you want to perform this operation, add the -force or -check-index={server} flag before the positional arguments."
    );
    let wrapped = crate::format::wrap(&text, 78);
    let lines: Vec<String> = wrapped.lines().map(|line| format!("    {line}")).collect();
    Failure::new(format!("\n{title}\n\n{}", lines.join("\n")))
}
