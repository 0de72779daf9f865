//! Namespaces.

use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{switch, text};
use crate::hostfiles::read_or_stdin;
use crate::json::{Fields, list, newest_first, plain};
use crate::specfile;
use crate::table::{columns, pairs};
use caravan_sdk::{Query, escape_path};
use serde_json::{Value, json};

pub(super) const COMMANDS: &[&Command] = &[&APPLY, &DELETE, &INSPECT, &LIST, &STATUS];

const APPLY: Command = Command {
    name: "namespace apply",
    args: "[options] <input>",
    synopsis: "Create or update a namespace",
    about: "Apply is used to create or update a namespace. The argument is the name of a namespace, or a specification file, or \"-\" for stdin.",
    flags: &[
        text("description", "text", "What the namespace is for."),
        text("quota", "quota", "The quota of the namespace."),
        switch("json", "The file is JSON."),
    ],
    run: apply,
    ..COMMAND
};

const DELETE: Command = Command {
    name: "namespace delete",
    args: "[options] <namespace>",
    synopsis: "Delete a namespace",
    about: "Delete is used to remove a namespace.",
    run: delete,
    ..COMMAND
};

const INSPECT: Command = Command {
    name: "namespace inspect",
    args: "[options] <namespace>",
    synopsis: "Inspect a namespace",
    about: "Inspect is used to view raw information about a particular namespace.",
    flags: &[TEMPLATE],
    run: inspect,
    ..COMMAND
};

const LIST: Command = Command {
    name: "namespace list",
    synopsis: "List namespaces",
    about: "List is used to list available namespaces.",
    flags: &[JSON, TEMPLATE],
    run: all,
    ..COMMAND
};

const STATUS: Command = Command {
    name: "namespace status",
    args: "[options] <namespace>",
    synopsis: "Display a namespace's status",
    about: "Status is used to view the status of a particular namespace.",
    flags: &[JSON, TEMPLATE],
    run: |context| status(context),
    ..COMMAND
};

const TYPE: &str = "*api.Namespace";

/// What is shown of a namespace as data.
fn shown(value: &Value) -> Value {
    let mut value = value.clone();
    let all = match &mut value {
        Value::Array(items) => items.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for one in all {
        if let Value::Object(members) = one {
            members.shift_remove("Hash");
        }
    }
    value
}

fn apply(context: &mut Context) -> Outcome {
    let input = context.one_arg("<input>")?;
    let is_file = input == "-" || std::fs::metadata(&input).is_ok_and(|found| found.is_file());
    let api = context.api()?;
    let namespace = match is_file {
        true => {
            let bytes = read_or_stdin(&input)
                .map_err(|error| format!("Error reading input data: {error}"))?;
            if context.given.is_set("description") || context.given.is_set("quota") {
                context
                    .ui
                    .warn("Flags are ignored when a file is specified!");
            }
            match context.given.on("json") {
                true => crate::json::parse(&bytes)
                    .map_err(|error| format!("Error parsing JSON input: {error}"))?,
                false => {
                    from_hcl(&bytes).map_err(|error| format!("Error parsing HCL input: {error}"))?
                }
            }
        }
        false => named(context, &api, &input),
    };
    let name = namespace.str("Name").to_owned();
    api.put("/v1/namespace", Query::new(), &namespace)
        .doing("Error applying namespace")?;
    context
        .ui
        .out(&format!("Successfully applied namespace {name:?}!"));
    Ok(0)
}

/// The namespace as it is, with what the flags change.
fn named(context: &Context, api: &Api, name: &str) -> Value {
    let path = format!("/v1/namespace/{}", escape_path(name));
    let mut namespace = match api.get(&path, Query::new()) {
        Ok(found) if found.is_object() => found,
        _ => json!({"Name": name}),
    };
    for (flag, member) in [("description", "Description"), ("quota", "Quota")] {
        if context.given.is_set(flag) {
            namespace[member] = json!(context.given.text(flag));
        }
    }
    namespace
}

fn from_hcl(bytes: &[u8]) -> Result<Value, String> {
    let body = specfile::parse(&String::from_utf8_lossy(bytes))?;
    let mut namespace = json!({
        "Name": body.value("name"),
        "Description": body.value("description"),
        "Quota": body.value("quota"),
        "Meta": body.map("meta"),
    });
    if let Some(found) = body.block("capabilities") {
        namespace["Capabilities"] = json!({
            "EnabledTaskDrivers": found.value("enabled_task_drivers"),
            "DisabledTaskDrivers": found.value("disabled_task_drivers"),
            "EnabledNetworkModes": found.value("enabled_network_modes"),
            "DisabledNetworkModes": found.value("disabled_network_modes"),
        });
    }
    let lists = [
        ("node_pool_config", "NodePoolConfiguration"),
        ("vault", "VaultConfiguration"),
        ("consul", "ConsulConfiguration"),
    ];
    for (kind, member) in lists {
        if let Some(found) = body.block(kind) {
            namespace[member] = json!({
                "Default": found.value("default"),
                "Allowed": found.value("allowed"),
                "Denied": found.value("denied"),
            });
        }
    }
    if let Value::Object(members) = &mut namespace {
        members.retain(|_, value| !value.is_null());
    }
    Ok(namespace)
}

fn delete(context: &mut Context) -> Outcome {
    let name = context.one_arg("<namespace>")?;
    let api = context.api()?;
    api.delete(
        &format!("/v1/namespace/{}", escape_path(&name)),
        Query::new(),
    )
    .doing("Error deleting namespace")?;
    context
        .ui
        .out(&format!("Successfully deleted namespace {name:?}!"));
    Ok(0)
}

/// The namespace with a name or prefix.
fn find(context: &Context, api: &Api, name: &str) -> Result<Value, Failure> {
    let found = context
        .named(api, "/v1/namespaces", name)
        .doing("Error retrieving namespaces")?;
    match found.as_slice() {
        [] => Err(
            format!("Error retrieving namespaces: Namespace {name:?} matched no namespaces").into(),
        ),
        [one] => Ok(one.clone()),
        many => Err(format!("Prefix matched multiple namespaces\n\n{}", table(many)).into()),
    }
}

fn table(namespaces: &[Value]) -> String {
    let mut sorted: Vec<&Value> = namespaces.iter().collect();
    sorted.sort_by_key(|one| one.str("Name"));
    let mut rows = vec![row!["Name", "Description"]];
    rows.extend(
        sorted
            .into_iter()
            .map(|one| row![one.str("Name"), one.str("Description")]),
    );
    columns(&rows)
}

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let found = api
        .get("/v1/namespaces", Query::new())
        .doing("Error retrieving namespaces")?;
    if context.data_if_wanted(&newest_first(shown(&found)), TYPE)? {
        return Ok(0);
    }
    let text = match list(&found) {
        [] => "No namespaces found".to_owned(),
        namespaces => table(namespaces),
    };
    context.ui.out(&text);
    Ok(0)
}

fn inspect(context: &mut Context) -> Outcome {
    let name = context.one_arg("<namespace>")?;
    let api = context.api()?;
    let found = find(context, &api, &name)?;
    context.data(&shown(&found), TYPE)?;
    Ok(0)
}

/// `namespace status`, also for `nomad status`.
pub(super) fn status(context: &mut Context) -> Outcome {
    let name = context.one_arg("<namespace>")?;
    let api = context.api()?;
    let found = find(context, &api, &name)?;
    if context.data_if_wanted(&shown(&found), TYPE)? {
        return Ok(0);
    }
    let capabilities = found.at("Capabilities");
    let enabled = |member: &str| match capabilities.strs(member) {
        all if all.is_empty() => "*".to_owned(),
        some => some.join(","),
    };
    let disabled = |member: &str| capabilities.strs(member).join(",");
    let mut text = pairs(&[
        ("Name", found.str("Name").to_owned()),
        ("Description", found.str("Description").to_owned()),
        ("Quota", found.str("Quota").to_owned()),
        ("Enabled Drivers", enabled("EnabledTaskDrivers")),
        ("Disabled Drivers", disabled("DisabledTaskDrivers")),
        ("Enabled Network Modes", enabled("EnabledNetworkModes")),
        ("Disabled Network Modes", disabled("DisabledNetworkModes")),
    ]);
    let meta: Vec<(&str, String)> = found
        .members("Meta")
        .into_iter()
        .map(|(key, value)| (key, plain(value)))
        .collect();
    if !meta.is_empty() {
        text += &format!("\n\n{}\n{}", context.ui.bold("Metadata"), pairs(&meta));
    }
    let lists = [
        ("Node Pool Configuration", "NodePoolConfiguration"),
        ("Vault Configuration", "VaultConfiguration"),
        ("Consul Configuration", "ConsulConfiguration"),
    ];
    for (title, member) in lists {
        let config = found.at(member);
        if config.is_null() {
            continue;
        }
        let mut rows = vec![("Default", config.str("Default").to_owned())];
        for name in ["Allowed", "Denied"] {
            if !config.lacks(name) {
                rows.push((name, config.strs(name).join(", ")));
            }
        }
        text += &format!("\n\n{}\n{}", context.ui.bold(title), pairs(&rows));
    }
    context.ui.out(&text);
    Ok(0)
}
