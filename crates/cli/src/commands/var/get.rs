//! `var get` and `var purge`: reads or removes a variable.

use super::{conflict, one_namespace, show};
use crate::command::{COMMAND, Command, UI};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::text;
use crate::json::{Fields, plain};
use caravan_sdk::{Query, escape_path};

pub(super) const SPEC: Command = Command {
    name: "var get",
    args: "[options] <path>",
    synopsis: "Read a variable",
    about: "The 'var get' command is used to get the contents of an existing variable.",
    flags: &[
        text("item", "key", "Only this item's value."),
        text(
            "out",
            "format",
            "go-template, hcl, json, none or table. Default: table at a terminal, json elsewhere.",
        ),
        text(
            "template",
            "template",
            "With -out=go-template, the template.",
        ),
        UI,
    ],
    run,
    ..COMMAND
};

pub(super) const PURGE: Command = Command {
    name: "var purge",
    args: "[options] <path>",
    synopsis: "Purge a variable",
    about: "Purge is used to permanently delete an existing variable.",
    flags: &[text(
        "check-index",
        "index",
        "Only if the variable's modify index is this.",
    )],
    run: purge,
    ..COMMAND
};

/// The route of a variable.
pub(super) fn route(path: &str) -> String {
    let parts: Vec<String> = path.split('/').map(escape_path).collect();
    format!("/v1/var/{}", parts.join("/"))
}

fn run(context: &mut Context) -> Outcome {
    let path = context.one_arg("<path>")?;
    let format = show::format(context, "table");
    show::check(
        context,
        &format,
        &["go-template", "hcl", "json", "none", "table"],
    )?;
    one_namespace(context)?;
    let api = context.api()?;
    let variable = match api.get(&route(&path), Query::new()) {
        Ok(variable) => variable,
        Err(error) if error.code() == Some(404) => return Err("Variable not found".into()),
        Err(error) => return Err(format!("Error retrieving variable: {error}").into()),
    };
    let item = context.given.text("item").to_owned();
    if !item.is_empty() {
        let value = variable.at("Items").at(&item);
        if value.is_null() {
            return Err(format!("Variable does not contain {item:?} item").into());
        }
        context.ui.out(&plain(value));
        return Ok(0);
    }
    let text = show::text(context, &variable, &format)?;
    if !text.is_empty() {
        context.ui.out(&text);
    }
    let hint = format!(
        "/variables/var/{}@{}",
        variable.str("Path"),
        variable.str("Namespace")
    );
    context.hint(&api, "View variable details", &hint);
    Ok(0)
}

/// The number after `-check-index`.
pub(super) fn check_index(context: &Context) -> Result<Option<u64>, Failure> {
    match context.given.text("check-index") {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            let text = format!("Invalid -check-index value {text:?}: not parsable as uint64");
            context.usage(&text)
        }),
    }
}

fn purge(context: &mut Context) -> Outcome {
    let path = context.one_arg("<path>")?;
    let index = check_index(context)?;
    one_namespace(context)?;
    let api = context.api()?;
    let mut query = Query::new();
    if let Some(index) = index {
        query = query.with("cas", index.to_string());
    }
    match api.delete(&route(&path), query) {
        Ok(_) => {
            context
                .ui
                .out(&format!("Successfully purged variable {path:?}!"));
            Ok(0)
        }
        Err(error) if error.code() == Some(409) => {
            let found = serde_json::from_str(error.body().unwrap_or_default()).unwrap_or_default();
            Err(conflict(context, &found, index.unwrap_or_default()))
        }
        Err(error) => Err(format!("Error purging variable: {error}").into()),
    }
}
