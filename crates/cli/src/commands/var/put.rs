//! `var put`: writes a variable.

use super::get::{check_index, route};
use super::{conflict, one_namespace, show};
use crate::command::{COMMAND, Command, UI, VERBOSE};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{switch, text};
use crate::format::counted;
use crate::hostfiles::read_or_stdin;
use crate::json::{Fields, plain};
use crate::specfile;
use caravan_sdk::{Method, Query};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub(super) const SPEC: Command = Command {
    name: "var put",
    args: "[options] <variable spec file reference> [<key>=<value>]...\n       nomad var put [options] <path to store variable> [<variable spec file reference>] [<key>=<value>]...",
    synopsis: "Create or update a variable",
    about: "The 'var put' command is used to create or update an existing variable. Variable metadata and items can be supplied using a variable specification, by using command arguments, or by a combination of the two techniques.\n\nAn entire variable specification can be provided to the command via standard input by setting the first argument to \"-\" or from a file by using an @-prefixed path. Items supplied as command arguments are merged with it; an empty value removes an item. A value of \"@file\" is read from a file, and \"-\" from stdin.",
    flags: &[
        text(
            "check-index",
            "index",
            "Only if the variable's modify index is this; 0 means that it must not exist.",
        ),
        switch("force", "Whatever the modify index is."),
        text(
            "in",
            "hcl|json",
            "The format of the specification; as its name says without it.",
        ),
        text(
            "out",
            "format",
            "go-template, hcl, json, none or table. Default: none at a terminal, json elsewhere.",
        ),
        text(
            "template",
            "template",
            "With -out=go-template, the template.",
        ),
        UI,
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let args = context.given.args.clone();
    if args.is_empty() {
        return Err(context.usage("Not enough arguments (expected >1, got 0)"));
    }
    if !matches!(context.given.text("in"), "" | "hcl" | "json") {
        return Err(context.usage("Invalid value for \"-in\"; valid values are [hcl, json]"));
    }
    let format = show::format(context, "none");
    show::check(
        context,
        &format,
        &["go-template", "hcl", "json", "none", "table"],
    )?;
    let check = check_index(context)?;
    if check.is_some() && context.given.on("force") {
        return Err(context.usage("-check-index and -force are mutually exclusive"));
    }
    one_namespace(context)?;
    let variable = assemble(context, &args)?;
    let warnings = awkward_keys(&args);
    if !warnings.is_empty() {
        let count = counted(warnings.len(), "warning");
        let text = format!("Variable Warnings:\n{count}:\n\n{}\n", warnings.join("\n"));
        context.ui.warn(&text);
    }
    let path = variable.str("Path").to_owned();
    if path.is_empty() {
        return Err(context.usage("A path must be given"));
    }
    let namespace = match context.config().namespace {
        name if name.is_empty() => variable.str("Namespace").to_owned(),
        name => name,
    };
    let api = context.api()?;
    let index = check.unwrap_or(u64::try_from(variable.int("ModifyIndex")).unwrap_or_default());
    let mut query = Query::new().namespace(&namespace);
    if !context.given.on("force") {
        query = query.with("cas", index.to_string());
    }
    let stored = match api.write(Method::PUT, &route(&path), query, &variable) {
        Ok(stored) => stored,
        Err(error) if error.code() == Some(409) => {
            let found = serde_json::from_str(error.body().unwrap_or_default()).unwrap_or_default();
            return Err(conflict(context, &found, index));
        }
        Err(error) => return Err(format!("Error creating variable: {error}").into()),
    };
    let done = format!(
        "Created variable {:?} with modify index {}",
        stored.str("Path"),
        stored.int("ModifyIndex")
    );
    match format.as_str() {
        "none" => context.ui.out(&done),
        format => {
            let text = show::text(context, &stored, format)?;
            context.ui.out(&text);
        }
    }
    let hint = format!(
        "/variables/var/{}@{}",
        stored.str("Path"),
        stored.str("Namespace")
    );
    context.hint(&api, "View variable details", &hint);
    Ok(0)
}

/// The variable that the arguments describe.
fn assemble(context: &Context, args: &[String]) -> Result<Value, Failure> {
    let is_spec = |word: &str| word == "-" || word.starts_with('@');
    let (path, spec, pairs) = match args {
        [spec, pairs @ ..] if is_spec(spec) => (None, Some(spec), pairs),
        [path, spec, pairs @ ..] if is_spec(spec) => (Some(path), Some(spec), pairs),
        [path, pairs @ ..] => (Some(path), None, pairs),
        [] => (None, None, args),
    };
    let mut variable = match spec {
        Some(spec) => read_spec(context, spec)?,
        None if pairs.is_empty() => return Err(context.usage("Must supply data")),
        None => json!({"Items": {}}),
    };
    if let Some(path) = path {
        variable["Path"] = json!(path);
    }
    let mut items = match variable.at("Items") {
        Value::Object(items) => items.clone(),
        _ => Map::new(),
    };
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(format!("Failed to parse K=V data: invalid key/value pair {pair:?}: format must be key=value").into());
        };
        match item(value).map_err(|error| format!("Failed to parse K=V data: {error}"))? {
            text if text.is_empty() => {
                items.shift_remove(key);
            }
            text => {
                items.insert(key.to_owned(), json!(text));
            }
        }
    }
    variable["Items"] = Value::Object(items);
    Ok(variable)
}

/// What is said of keys among the arguments that templates cannot write as a field.
fn awkward_keys(args: &[String]) -> Vec<String> {
    let keys = args.iter().skip(1).filter_map(|arg| arg.split_once('='));
    keys.filter_map(|(key, _)| {
        let awkward = |c: &char| !(c.is_alphanumeric() || *c == '_');
        let found: BTreeSet<char> = key.chars().filter(awkward).collect();
        let found: Vec<String> = found.iter().map(|c| format!("\"{c}\"")).collect();
        (!found.is_empty()).then(|| {
            format!(
                "* \"{key}\" contains characters [{}] that require the 'index' function for direct access in templates",
                found.join(",")
            )
        })
    })
    .collect()
}

/// The value of an item: itself, or from a file or stdin.
fn item(value: &str) -> Result<String, String> {
    let source = match value {
        "-" => "-",
        _ => match value.strip_prefix('@') {
            Some(path) => path,
            None => {
                return Ok(value
                    .strip_prefix('\\')
                    .filter(|rest| rest.starts_with('@'))
                    .unwrap_or(value)
                    .to_owned());
            }
        },
    };
    let bytes = read_or_stdin(source).map_err(|error| format!("error reading file: {error}"))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_spec(context: &Context, reference: &str) -> Result<Value, Failure> {
    let path = reference.strip_prefix('@').unwrap_or(reference);
    let bytes = read_or_stdin(path)
        .map_err(|error| format!("Error reading variable specification: {error}"))?;
    let ending = std::path::Path::new(path)
        .extension()
        .map(|end| end.to_string_lossy().into_owned());
    let format = match (context.given.text("in"), ending.as_deref()) {
        ("", Some(ending @ ("hcl" | "json"))) => ending.to_owned(),
        ("", _) if path == "-" => "json".to_owned(),
        ("", _) => {
            return Err(format!(
                "Unable to determine format of {path}; Use the -in flag to specify it."
            )
            .into());
        }
        (format, _) => format.to_owned(),
    };
    match format.as_str() {
        "json" => crate::json::parse(&bytes)
            .map_err(|error| format!("Failed to parse variable data: {error}").into()),
        _ => {
            let text = String::from_utf8_lossy(&bytes);
            let body = specfile::parse(&text)
                .map_err(|error| format!("Failed to parse variable data: {error}"))?;
            let mut items = Map::new();
            if let Value::Object(found) = body.map("items") {
                items.extend(
                    found
                        .into_iter()
                        .map(|(key, value)| (key, json!(plain(&value)))),
                );
            }
            Ok(json!({
                "Namespace": body.text("namespace"),
                "Path": body.text("path"),
                "ModifyIndex": body.value("modify_index").as_u64().unwrap_or_default(),
                "Items": items,
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::awkward_keys;

    #[test]
    fn keys_that_are_no_names_are_warned_of() {
        let args = ["app/db", "user=a", "x.y-z.q=b", "größe_2=c"].map(str::to_owned);
        assert_eq!(
            awkward_keys(&args),
            [
                "* \"x.y-z.q\" contains characters [\"-\",\".\"] that require the 'index' function for direct access in templates"
            ]
        );
    }
}
