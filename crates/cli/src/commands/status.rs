//! `nomad status`: whatever an identifier names.

use super::{alloc, deployment, eval, job, namespace, node, volume};
use crate::api::Api;
use crate::command::{COMMAND, Command, UI, VERBOSE};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::format::quoted;
use crate::json::Fields;
use caravan_sdk::Query;
use serde_json::{Value, json};

pub(super) const COMMANDS: &[&Command] = &[&STATUS];

const STATUS: Command = Command {
    name: "status",
    args: "[options] <identifier>",
    synopsis: "Display the status output for a resource",
    about: "Display the status output for any given resource. The command will detect the type of resource being queried and display the appropriate status output.",
    flags: &[UI, VERBOSE],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    if context.given.args.is_empty() {
        return job::job_status(context);
    }
    let id = context.given.args.last().cloned().unwrap_or_default();
    let api = context.api()?;
    let kind = match search(&api, &id)? {
        Found::One(kind) => kind,
        Found::Many(text) => return Err(text.into()),
    };
    match kind.as_str() {
        "jobs" => job::job_status(context),
        "allocs" => alloc::status(context),
        "evals" => eval::status(context),
        "nodes" => node::status(context),
        "deployment" => deployment::status(context),
        "namespaces" => namespace::status(context),
        "volumes" | "host_volumes" => volume::status(context),
        "plugins" => volume::plugin_status(context),
        _ => Err(format!("Unable to resolve ID: {id:?}").into()),
    }
}

/// What a search came to.
pub(super) enum Found {
    /// The context of the only match.
    One(String),
    /// What to say when there are several.
    Many(String),
}

/// Looks an identifier up in every context.
pub(super) fn search(api: &Api, id: &str) -> Result<Found, Failure> {
    let body = json!({"Prefix": id, "Context": "all"});
    let answer = api
        .put("/v1/search", Query::new(), &body)
        .map_err(|error| {
            let text = quoted(&error.to_string());
            Failure::new(format!("Error querying search with id: {text}"))
        })?;
    resolve(&answer, id).ok_or_else(|| format!("Unable to resolve ID: {id:?}").into())
}

fn resolve(answer: &Value, id: &str) -> Option<Found> {
    let contexts: Vec<(&str, Vec<&str>)> = answer
        .members("Matches")
        .into_iter()
        .map(|(context, _)| (context, answer.at("Matches").strs(context)))
        .filter(|(_, matches)| !matches.is_empty())
        .collect();
    let exact: Vec<&str> = contexts
        .iter()
        .filter(|(_, matches)| matches.contains(&id))
        .map(|(context, _)| *context)
        .collect();
    if let [only] = exact.as_slice() {
        return Some(Found::One((*only).to_owned()));
    }
    match contexts.as_slice() {
        [] => None,
        [(context, matches)] if matches.len() == 1 => Some(Found::One((*context).to_owned())),
        several => {
            let mut text = format!("Multiple matches found for id {id:?}");
            for (context, matches) in several {
                let mut letters = context.chars();
                let first: String = letters
                    .next()
                    .map(|c| c.to_ascii_uppercase())
                    .into_iter()
                    .collect();
                text += &format!("\n\n{first}{}:\n{}", letters.as_str(), matches.join(", "));
            }
            Some(Found::Many(text))
        }
    }
}
