//! `config validate`: whether an agent would start with these files.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::Outcome;
use crate::lent::{self, Rejection};

pub(super) const VALIDATE: Command = Command {
    name: "config validate",
    args: "<path> [<path>...]",
    synopsis: "Validate config files/directories",
    about: "Reads configuration files and folders as the agent would, and tells what keeps it from starting. All files that an agent is started with are to be given: a part of a configuration may not be valid alone.",
    client: false,
    run: validate,
    ..COMMAND
};

fn validate(context: &mut Context) -> Outcome {
    if context.given.args.is_empty() {
        return Err("Must specify at least one config file or directory".into());
    }
    match lent::validate_config(&context.given.args) {
        Ok(warnings) => {
            for warning in warnings {
                context.ui.warn(&warning);
            }
            context.ui.out("Configuration is valid!");
            Ok(0)
        }
        Err(Rejection::Unreadable(why)) => Err(format!("1 error occurred:\n\t* {why}\n\n").into()),
        Err(Rejection::Invalid(why)) => Err(format!("{why}\nConfiguration is invalid").into()),
    }
}
