//! `var list`: variables below a path.

use super::show;
use crate::command::{COMMAND, Command, FILTER, PAGE_TOKEN, PER_PAGE, UI};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::text;
use crate::format::{nanos, time};
use crate::json::{Fields, list, pretty_sorted};
use crate::table::columns;
use crate::template;
use caravan_sdk::Meta;
use serde_json::{Value, json};

pub(super) const SPEC: Command = Command {
    name: "var list",
    args: "[options] <prefix>",
    synopsis: "List variable metadata",
    about: "List is used to list available variables.",
    flags: &[
        FILTER,
        text(
            "out",
            "format",
            "go-template, json, table or terse. Default: table at a terminal, json elsewhere.",
        ),
        PAGE_TOKEN,
        PER_PAGE,
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

fn run(context: &mut Context) -> Outcome {
    context.expect_args(
        0..=1,
        "This command takes flags and either no arguments or one: <prefix>",
    )?;
    let format = show::format(context, "table");
    show::check(context, &format, &["go-template", "json", "table", "terse"])?;
    let prefix = context.given.arg(0).to_owned();
    let api = context.api()?;
    let query = context.page().with_some("prefix", &prefix);
    let (found, meta) = api
        .get_meta("/v1/vars", query)
        .doing("Error retrieving vars")?;
    let text = match format.as_str() {
        "json" => as_json(context, &found, &meta),
        "go-template" => template::render(
            context.given.text("template"),
            &found,
            "[]*api.VariableMetadata",
        )
        .map_err(|error| format!("Error formatting the data: {error}"))?,
        _ if list(&found).is_empty() => "No matching variables found".to_owned(),
        "terse" => terse(&found, context.config().namespace == "*"),
        _ => table(&found),
    };
    context.ui.out(&text);
    if format != "json" && !meta.next_token.is_empty() {
        context
            .ui
            .hint(&format!("Next page token: {}", meta.next_token));
    }
    let (text, path) = match prefix.is_empty() {
        true => ("View Nomad variables", "/variables".to_owned()),
        false => (
            "View Nomad variables at this path",
            format!("/variables/path/{prefix}"),
        ),
    };
    context.hint(&api, text, &path);
    Ok(0)
}

fn as_json(context: &Context, found: &Value, meta: &Meta) -> String {
    let shown = without_locks(found);
    pretty_sorted(&match context.given.is_set("per-page") {
        true => {
            json!({"Data": shown, "QueryMeta": {"NextToken": meta.next_token, "LastIndex": meta.index}})
        }
        false => shown,
    })
}

fn terse(found: &Value, everywhere: bool) -> String {
    let rows: Vec<Vec<String>> = list(found)
        .iter()
        .map(|one| match everywhere {
            true => row![one.str("Namespace"), one.str("Path")],
            false => row![one.str("Path")],
        })
        .collect();
    columns(&rows)
}

fn table(found: &Value) -> String {
    let mut rows = vec![row!["Namespace", "Path", "Last Updated"]];
    rows.extend(list(found).iter().map(|one| {
        row![
            one.str("Namespace"),
            one.str("Path"),
            time(nanos(one.at("ModifyTime")))
        ]
    }));
    columns(&rows)
}

/// Locks are only shown where there is one.
fn without_locks(found: &Value) -> Value {
    let mut all = list(found).to_vec();
    for one in &mut all {
        if let Value::Object(members) = one {
            members.retain(|name, value| name != "Lock" || !value.is_null());
        }
    }
    Value::Array(all)
}
