//! A variable in each of the output formats.

use crate::context::Context;
use crate::failure::Failure;
use crate::format::{nanos, time};
use crate::json::{Fields, plain, pretty};
use crate::table::pairs;
use crate::template;
use serde_json::{Map, Value};
use std::io::IsTerminal;

/// The format that was asked for, or what suits the terminal.
pub(super) fn format(context: &Context, at_terminal: &str) -> String {
    match context.given.text("out") {
        "" if std::io::stdout().is_terminal() => at_terminal.to_owned(),
        "" => "json".to_owned(),
        format => format.to_owned(),
    }
}

/// Refuses formats that do not exist, and templates for the others.
pub(super) fn check(context: &Context, format: &str, known: &[&str]) -> Result<(), Failure> {
    let template = context.given.text("template");
    if !known.contains(&format) {
        return Err(context.usage(&format!(
            "Invalid value for \"-out\"; valid values are [{}]",
            known.join(", ")
        )));
    }
    match (format == "go-template", template.is_empty()) {
        (true, true) => Err(context.usage(
            "A template must be supplied using '-template' when using go-template formatting",
        )),
        (false, false) => {
            Err(context
                .usage("The '-template' flag is only valid when using 'go-template' formatting"))
        }
        _ => Ok(()),
    }
}

/// A variable as text.
pub(super) fn text(context: &Context, variable: &Value, format: &str) -> Result<String, Failure> {
    Ok(match format {
        "json" => pretty(&declared(variable), "  "),
        "hcl" => hcl(variable),
        "table" => table(context, variable),
        "go-template" => {
            template::render(context.given.text("template"), variable, "*api.Variable")
                .map_err(|error| format!("Error formatting the data: {error}"))?
        }
        _ => String::new(),
    })
}

/// The members in the order in which they are declared, without a lock that is not there.
fn declared(variable: &Value) -> Value {
    const ORDER: [&str; 8] = [
        "Namespace",
        "Path",
        "CreateIndex",
        "ModifyIndex",
        "CreateTime",
        "ModifyTime",
        "Items",
        "Lock",
    ];
    let mut members = Map::new();
    for name in ORDER {
        let value = variable.at(name);
        if !value.is_null() {
            members.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(Value::Object(items)) = members.get_mut("Items") {
        items.sort_keys();
    }
    Value::Object(members)
}

fn hcl(variable: &Value) -> String {
    let mut text = format!(
        "\nnamespace  = {:?}\npath  = {:?}\ncreate_index = {}  # Set by server\nmodify_index = {}  # Set by server; consulted for check-and-set\ncreate_time  = {}  # Set by server\nmodify_time  = {}  # Set by server\n\nitems = {{\n",
        variable.str("Namespace"),
        variable.str("Path"),
        variable.int("CreateIndex"),
        variable.int("ModifyIndex"),
        variable.int("CreateTime"),
        variable.int("ModifyTime"),
    );
    let items = variable.members("Items");
    for (key, value) in items {
        text += &format!("  {key} = {}\n", crate::format::quoted(&plain(value)));
    }
    text + "}\n"
}

fn table(context: &Context, variable: &Value) -> String {
    let (created, modified) = (
        nanos(variable.at("CreateTime")),
        nanos(variable.at("ModifyTime")),
    );
    let mut rows = vec![
        ("Namespace", variable.str("Namespace").to_owned()),
        ("Path", variable.str("Path").to_owned()),
        ("Create Time", time(created)),
    ];
    if created != modified {
        rows.push(("Modify Time", time(modified)));
    }
    rows.push(("Check Index", variable.int("ModifyIndex").to_string()));
    let items: Vec<(&str, String)> = variable
        .members("Items")
        .into_iter()
        .map(|(key, value)| (key, plain(value)))
        .collect();
    format!(
        "{}\n\n{}\n{}",
        pairs(&rows),
        context.ui.bold("Items"),
        pairs(&items)
    )
}
