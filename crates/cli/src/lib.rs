//! The command line: what a user types becomes calls of the public API, and answers become text.
//!
//! Entry point: [`run`]. Arguments are read before anything else happens; a runtime, a connection and time zones are
//! only made by the command that needs them. Output that scripts read goes to stdout, errors, warnings and hints to stderr.
//! This crate must never know how a server or a client works: whatever it shows came over the API.

#[macro_use]
mod table;
mod api;
mod autocomplete;
mod command;
mod commands;
mod context;
mod dispatch;
mod failure;
mod flags;
mod format;
mod go_order;
mod help;
mod hints;
mod hostfiles;
mod jobfile;
mod json;
mod lent;
mod local_validation;
mod monitor;
mod msgpack;
mod output;
mod render;
mod resolve;
mod shape;
mod specfile;
mod template;
mod ui;

pub use lent::{
    Found, Lent, Look, LookInto, Rejection, ValidateConfig, WithFunctions, WordsOfParsing,
    WrongBlocks,
};
use std::process::ExitCode;

/// The version that `nomad version` prints.
pub const VERSION: &str = concat!("Nomad v", env!("CARGO_PKG_VERSION"));

/// Runs the command in `args` (without the program's name) and returns the exit code; `lent` is what it needs of agents.
#[must_use]
pub fn run(args: Vec<String>, lent: Lent) -> ExitCode {
    lent::lend(lent);
    ExitCode::from(dispatch::dispatch(args))
}
