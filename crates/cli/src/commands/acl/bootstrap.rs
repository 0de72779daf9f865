//! `acl bootstrap`: the first management token.

use super::token_text;
use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::hostfiles::read_or_stdin;
use caravan_sdk::Query;
use serde_json::{Value, json};

pub(super) const SPEC: Command = Command {
    name: "acl bootstrap",
    args: "[options] [<path>]",
    synopsis: "Bootstrap the ACL system for initial token",
    about: "Bootstrap is used to bootstrap the ACL system and get an initial token. A secret of one's own can be given in a file, or with \"-\" on stdin.",
    flags: &[JSON, TEMPLATE],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.expect_args(
        0..=1,
        "This command takes 0 or 1 positional arguments: [<path>]",
    )?;
    let body = match context.given.arg(0) {
        "" => Value::Null,
        path => {
            let bytes = read_or_stdin(path)
                .map_err(|error| format!("Error reading provided token file: {error}"))?;
            let secret = String::from_utf8_lossy(&bytes).trim().to_owned();
            json!({"BootstrapSecret": secret})
        }
    };
    let api = context.api()?;
    let token = api
        .put("/v1/acl/bootstrap", Query::new(), &body)
        .doing("Error bootstrapping")?;
    if !context.data_if_wanted(&token, "*api.ACLToken")? {
        let text = token_text(&context.ui, &token);
        context.ui.out(&text);
    }
    Ok(0)
}
