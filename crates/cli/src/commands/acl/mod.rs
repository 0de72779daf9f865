//! Access control.

mod auth_method;
mod binding_rule;
mod bootstrap;
mod policy;
mod role;
mod token;

use crate::command::Command;
use crate::context::Context;
use crate::failure::Failure;

pub(super) use token::token_text;

pub(super) const COMMANDS: &[&Command] = &[
    &bootstrap::SPEC,
    &policy::APPLY,
    &policy::DELETE,
    &policy::INFO,
    &policy::LIST,
    &policy::SELF,
    &token::CREATE,
    &token::UPDATE,
    &token::DELETE,
    &token::INFO,
    &token::LIST,
    &token::SELF,
    &role::CREATE,
    &role::UPDATE,
    &role::DELETE,
    &role::INFO,
    &role::LIST,
    &auth_method::CREATE,
    &auth_method::UPDATE,
    &auth_method::DELETE,
    &auth_method::INFO,
    &auth_method::LIST,
    &binding_rule::CREATE,
    &binding_rule::UPDATE,
    &binding_rule::DELETE,
    &binding_rule::INFO,
    &binding_rule::LIST,
];

/// Refuses an update that changes nothing of `what`.
fn something_to_change(context: &Context, flags: &[&str], what: &str) -> Result<(), Failure> {
    match flags.iter().any(|flag| context.given.is_set(flag)) {
        true => Ok(()),
        false => Err(context.usage(&format!(
            "Please provide at least one flag to update the ACL {what}"
        ))),
    }
}
