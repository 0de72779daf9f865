//! `volume status`: host volumes and those of storage plugins.

use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{switch, text};
use crate::format::{id, size};
use crate::json::{Fields, list};
use crate::render;
use crate::table::{columns, pairs};
use caravan_sdk::{Query, escape_path};
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "volume status",
    args: "[options] <id>",
    synopsis: "Display status information about a volume",
    about: "Display status information about a volume. If no volume id is given, a list of all known volumes will be displayed.",
    flags: &[
        text("type", "csi|host", "Only volumes of this type."),
        text("node", "id", "Only volumes of this node."),
        text("node-pool", "pool", "Only volumes of this pool."),
        switch("short", "Without allocations."),
        JSON,
        TEMPLATE,
        VERBOSE,
    ],
    run: |context| status(context),
    ..COMMAND
};

/// The command, also for `nomad status`.
pub(crate) fn status(context: &mut Context) -> Outcome {
    context.expect_args(0..=1, "This command takes either no arguments or one: <id>")?;
    let kind = context.given.text("type").to_owned();
    if !matches!(kind.as_str(), "" | "csi" | "host") {
        return Err(format!("No such volume type {kind:?}").into());
    }
    let api = context.api()?;
    match context.given.args.first().cloned() {
        None => all(context, &api, &kind),
        Some(prefix) => one(context, &api, &kind, &prefix),
    }
}

fn fetch(context: &Context, api: &Api, kind: &str, prefix: &str) -> Result<Vec<Value>, Failure> {
    let query = Query::new()
        .with("type", kind)
        .with_some("prefix", prefix)
        .with_some("node_id", context.given.text("node"))
        .with_some("node_pool", context.given.text("node-pool"));
    let doing = format!("Error listing {} volumes", title(kind));
    let found = api.get("/v1/volumes", query).doing(doing)?;
    Ok(list(&found).to_vec())
}

fn title(kind: &str) -> &'static str {
    if kind == "csi" { "CSI" } else { "host" }
}

fn all(context: &mut Context, api: &Api, kind: &str) -> Outcome {
    if context.wants_data()? {
        let kind = if kind.is_empty() { "csi" } else { kind };
        let found = fetch(context, api, kind, "")?;
        context.data(&Value::Array(found), "[]*api.VolumeListStub")?;
        return Ok(0);
    }
    let everything = kind.is_empty();
    if everything || kind == "host" {
        let title = context.ui.bold("Dynamic Host Volumes");
        context.ui.out(&title);
        match fetch(context, api, "host", "")?.as_slice() {
            [] => context.ui.error("No dynamic host volumes"),
            found => {
                let table = host_table(found, context.verbose());
                context.ui.out(&table);
            }
        }
    }
    if everything {
        context.ui.out("");
    }
    if everything || kind == "csi" {
        let title = context.ui.bold("Container Storage Interface");
        context.ui.out(&title);
        match fetch(context, api, "csi", "")?.as_slice() {
            [] => context.ui.error("No CSI volumes"),
            found => {
                let table = csi_table(found, context.verbose());
                context.ui.out(&table);
            }
        }
    }
    Ok(0)
}

fn host_table(volumes: &[Value], verbose: bool) -> String {
    let mut rows = vec![row![
        "ID",
        "Name",
        "Namespace",
        "Plugin ID",
        "Node ID",
        "Node Pool",
        "State"
    ]];
    rows.extend(volumes.iter().map(|one| {
        row![
            id(one.str("ID"), verbose),
            one.str("Name"),
            one.str("Namespace"),
            one.str("PluginID"),
            id(one.str("NodeID"), verbose),
            one.str("NodePool"),
            one.str("State")
        ]
    }));
    columns(&rows)
}

fn csi_table(volumes: &[Value], verbose: bool) -> String {
    let mut rows = vec![row![
        "ID",
        "Name",
        "Namespace",
        "Plugin ID",
        "Schedulable",
        "Access Mode"
    ]];
    rows.extend(volumes.iter().map(|one| {
        row![
            id(one.str("ID"), verbose || one.str("ID").len() != 36),
            one.str("Name"),
            one.str("Namespace"),
            one.str("PluginID"),
            one.yes("Schedulable"),
            one.str("AccessMode")
        ]
    }));
    columns(&rows)
}

fn one(context: &mut Context, api: &Api, kind: &str, prefix: &str) -> Outcome {
    let mut complaints = Vec::new();
    for kind in ["host", "csi"]
        .into_iter()
        .filter(|one| kind.is_empty() || kind == *one)
    {
        let found = fetch(context, api, kind, prefix)?;
        let exact = found.iter().find(|one| one.str("ID") == prefix).cloned();
        let chosen = match (exact, found.as_slice()) {
            (Some(exact), _) => exact,
            (None, [one]) => one.clone(),
            (None, []) => {
                complaints.push(format!(
                    "Error listing {} volumes: no volumes with prefix or ID {prefix:?} found",
                    title(kind)
                ));
                continue;
            }
            (None, many) => {
                let table = if kind == "csi" {
                    csi_table(many, context.verbose())
                } else {
                    host_table(many, context.verbose())
                };
                return Err(format!("Prefix matched multiple volumes\n\n{table}").into());
            }
        };
        let path = format!("/v1/volume/{kind}/{}", escape_path(chosen.str("ID")));
        let query = Query::new().namespace(chosen.str("Namespace"));
        let volume = api.get(&path, query).doing("Error querying volume")?;
        if context.data_if_wanted(&volume, "*api.Volume")? {
            return Ok(0);
        }
        let text = if kind == "csi" {
            csi(context, &volume)
        } else {
            host(context, &volume)
        };
        context.ui.out(&text);
        return Ok(0);
    }
    Err(complaints.join("\n").into())
}

fn capabilities(context: &Context, all: &[Value]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut rows = vec![row!["Access Mode", "Attachment Mode"]];
    rows.extend(
        all.iter()
            .map(|one| row![one.str("AccessMode"), one.str("AttachmentMode")]),
    );
    format!(
        "\n\n{}\n{}",
        context.ui.bold("Capabilities"),
        columns(&rows)
    )
}

fn allocations(context: &Context, allocs: &[Value]) -> String {
    if context.given.on("short") {
        return String::new();
    }
    let table = render::alloc_list_or_none(allocs, context.verbose());
    format!("\n\n{}\n{table}", context.ui.bold("Allocations"))
}

fn host(context: &Context, volume: &Value) -> String {
    let capacity = u64::try_from(volume.int("CapacityBytes")).unwrap_or_default();
    let head = pairs(&[
        ("ID", volume.str("ID").to_owned()),
        ("Name", volume.str("Name").to_owned()),
        ("Namespace", volume.str("Namespace").to_owned()),
        ("Plugin ID", volume.str("PluginID").to_owned()),
        ("Node ID", volume.str("NodeID").to_owned()),
        ("Node Pool", volume.str("NodePool").to_owned()),
        ("Capacity", size(capacity)),
        ("State", volume.str("State").to_owned()),
        ("Host Path", volume.str("HostPath").to_owned()),
    ]);
    if context.given.on("short") {
        return head;
    }
    head + &capabilities(context, volume.items("RequestedCapabilities"))
        + &allocations(context, volume.items("Allocations"))
}

fn csi(context: &Context, volume: &Value) -> String {
    let capacity = u64::try_from(volume.int("Capacity")).unwrap_or_default();
    let options = volume.at("MountOptions");
    let flags = options.strs("MountFlags").join(", ");
    let options = match (options.str("FSType"), flags.as_str()) {
        ("", "") => String::new(),
        (kind, "") => format!("fs_type: {kind}"),
        (kind, _) => format!("fs_type: {kind} flags: [REDACTED]"),
    };
    let head = pairs(&[
        ("ID", volume.str("ID").to_owned()),
        ("Name", volume.str("Name").to_owned()),
        ("Namespace", volume.str("Namespace").to_owned()),
        ("External ID", volume.str("ExternalID").to_owned()),
        ("Plugin ID", volume.str("PluginID").to_owned()),
        ("Provider", volume.str("Provider").to_owned()),
        ("Version", volume.str("ProviderVersion").to_owned()),
        ("Capacity", size(capacity)),
        ("Schedulable", volume.yes("Schedulable").to_string()),
        (
            "Controllers Healthy",
            volume.int("ControllersHealthy").to_string(),
        ),
        (
            "Controllers Expected",
            volume.int("ControllersExpected").to_string(),
        ),
        ("Nodes Healthy", volume.int("NodesHealthy").to_string()),
        ("Nodes Expected", volume.int("NodesExpected").to_string()),
        ("Access Mode", volume.str("AccessMode").to_owned()),
        ("Attachment Mode", volume.str("AttachmentMode").to_owned()),
        ("Mount Options", options),
    ]);
    if context.given.on("short") {
        return head;
    }
    head + &capabilities(context, volume.items("RequestedCapabilities"))
        + &allocations(context, volume.items("Allocations"))
}
