//! Commands that stand alone: version, fmt, config validate, ui, login, scaling policies, setup of others.

mod config;
mod fmt;
mod login;
mod scaling;
mod setup;

use super::status::{Found, search};
use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::switch;
use crate::hints;
use crate::json::Fields;
use caravan_sdk::{Query, escape_path};
use serde_json::json;

pub(super) const COMMANDS: &[&Command] = &[
    &VERSION,
    &config::VALIDATE,
    &fmt::SPEC,
    &UI_COMMAND,
    &login::SPEC,
    &scaling::LIST,
    &scaling::INFO,
    &setup::CONSUL,
    &setup::VAULT,
];

const VERSION: Command = Command {
    name: "version",
    args: "",
    synopsis: "Prints the Nomad version",
    client: false,
    run: |context| {
        context.ui.out(&crate::dispatch::version());
        Ok(0)
    },
    ..COMMAND
};

const UI_COMMAND: Command = Command {
    name: "ui",
    args: "[options] <identifier>",
    synopsis: "Open the Nomad Web UI",
    about: "Open the Nomad Web UI in the default browser. An optional identifier may be provided, in which case the UI will be opened to view the details for that object.",
    flags: &[
        switch("authenticate", "Sign in with a token that is valid once."),
        switch("show-url", "Print the address instead of opening it."),
    ],
    run: open,
    ..COMMAND
};

fn open(context: &mut Context) -> Outcome {
    context.expect_args(
        0..=1,
        "This command takes no or one optional argument, [<identifier>]",
    )?;
    let api = context.api()?;
    let base = api.client.base();
    let mut url = base.clone();
    let id = context.given.arg(0).to_owned();
    if !id.is_empty() {
        let kind = match search(&api, &id)? {
            Found::One(kind) => kind,
            Found::Many(text) => return Err(text.into()),
        };
        let full = |path: &str| {
            let found = api.get(path, Query::new().with("prefix", crate::resolve::even(&id)));
            let id_of = found
                .ok()
                .and_then(|all| all.get(0).map(|one| one.str("ID").to_owned()));
            id_of.unwrap_or_else(|| id.clone())
        };
        url = match kind.as_str() {
            "jobs" => format!("{base}/ui/jobs/{}", escape_path(&id)),
            "allocs" => format!("{base}/ui/allocations/{}", full("/v1/allocations")),
            "nodes" => format!("{base}/ui/clients/{}", full("/v1/nodes")),
            "evals" => format!(
                "{base}/ui/evaluations?currentEval={}",
                full("/v1/evaluations")
            ),
            _ => return Err(format!("Unable to resolve ID: {id:?}").into()),
        };
    }
    if context.given.on("authenticate") {
        let answer = api
            .put("/v1/acl/token/onetime", Query::new(), &json!({}))
            .doing("Could not get one-time token")?;
        let token = answer.at("OneTimeToken").str("OneTimeSecretID");
        url += &format!("{}ott={token}", if url.contains('?') { '&' } else { '?' });
    }
    if context.given.on("show-url") {
        context.ui.out(&format!("URL for web UI: {url}"));
        return Ok(0);
    }
    context.ui.out(&format!("Opening URL {url:?}"));
    hints::open(&url);
    Ok(0)
}
