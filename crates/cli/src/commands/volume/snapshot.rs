//! `volume snapshot`: snapshots at the storage provider.

use super::create::pairs_of;
use crate::command::{COMMAND, Command, PAGE_TOKEN, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{int, list, text};
use crate::format::{nanos, size, time};
use crate::json::Fields;
use crate::table::columns;
use caravan_sdk::Query;
use serde_json::{Value, json};

pub(super) const CREATE: Command = Command {
    name: "volume snapshot create",
    args: "[options] <volume id> <snapshot_name>",
    synopsis: "Snapshot a volume",
    about: "Create a snapshot of an external storage volume.",
    flags: &[
        list(
            "secret",
            "key=value",
            "A secret for the plugin. May be repeated.",
        ),
        list(
            "parameter",
            "key=value",
            "A parameter for the plugin. May be repeated.",
        ),
        VERBOSE,
    ],
    run: create,
    ..COMMAND
};

pub(super) const DELETE: Command = Command {
    name: "volume snapshot delete",
    args: "[options] <plugin id> <snapshot id>",
    synopsis: "Delete a snapshot",
    about: "Delete a snapshot from an external storage provider.",
    flags: &[list(
        "secret",
        "key=value",
        "A secret for the plugin. May be repeated.",
    )],
    run: delete,
    ..COMMAND
};

pub(super) const LIST: Command = Command {
    name: "volume snapshot list",
    synopsis: "Display a list of volume snapshots",
    about: "Display a list of snapshots of a plugin's storage provider, with their source volume id.",
    flags: &[
        text("plugin", "id", "The plugin."),
        list(
            "secret",
            "key=value",
            "A secret for the plugin. May be repeated.",
        ),
        int("per-page", "30", "How many to show at most."),
        PAGE_TOKEN,
        VERBOSE,
    ],
    run: all,
    ..COMMAND
};

fn table(snapshots: &[Value]) -> String {
    let mut rows = vec![row![
        "Snapshot ID",
        "Volume ID",
        "Size",
        "Create Time",
        "Ready?"
    ]];
    rows.extend(snapshots.iter().map(|one| {
        let bytes = u64::try_from(one.int("SizeBytes")).unwrap_or_default();
        let created = match one.int("CreateTime") {
            seconds if seconds < 100_000_000_000 => seconds.saturating_mul(1_000_000_000),
            _ => nanos(one.at("CreateTime")),
        };
        row![
            one.str("ID"),
            one.str("ExternalSourceVolumeID"),
            size(bytes),
            time(created),
            one.yes("IsReady")
        ]
    }));
    columns(&rows)
}

fn create(context: &mut Context) -> Outcome {
    context.expect_args(
        1..=2,
        "This command takes two arguments: <volume id> <snapshot name>",
    )?;
    let api = context.api()?;
    let body = json!({"Snapshots": [{
        "SourceVolumeID": context.given.arg(0),
        "Name": context.given.arg(1),
        "Secrets": pairs_of(context, "secret")?,
        "Parameters": pairs_of(context, "parameter")?,
    }]});
    let answer = api
        .put("/v1/volumes/snapshot", Query::new(), &body)
        .doing("Error snapshotting volume")?;
    context.ui.out(&table(answer.items("Snapshots")));
    Ok(0)
}

fn delete(context: &mut Context) -> Outcome {
    context.expect_args(
        2..=2,
        "This command takes two arguments: <plugin id> <snapshot id>",
    )?;
    let api = context.api()?;
    let query = Query::new()
        .with("plugin_id", context.given.arg(0))
        .with("snapshot_id", context.given.arg(1));
    api.delete("/v1/volumes/snapshot", query)
        .doing("Error deleting snapshot")?;
    Ok(0)
}

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let prefix = context.given.text("plugin").to_owned();
    let plugins = api
        .get(
            "/v1/plugins",
            Query::new()
                .with("type", "csi")
                .with_some("prefix", &prefix),
        )
        .doing("Error querying CSI plugins")?;
    let plugins = crate::json::list(&plugins);
    let exact = plugins.iter().find(|one| one.str("ID") == prefix);
    let plugin = match (exact, plugins) {
        (Some(exact), _) => exact,
        (None, [one]) => one,
        (None, []) => {
            return Err(format!("No plugins(s) with prefix or ID {prefix:?} found").into());
        }
        (None, _) => return Err(format!("Prefix {prefix:?} matched multiple plugins").into()),
    };
    let query = Query::new()
        .with("plugin_id", plugin.str("ID"))
        .with("per_page", context.given.text("per-page"))
        .with_some("next_token", context.given.text("page-token"));
    let answer = api
        .get("/v1/volumes/snapshot", query)
        .doing("Error listing snapshots")?;
    let text = match answer.items("Snapshots") {
        [] => "No snapshots".to_owned(),
        snapshots => table(snapshots),
    };
    context.ui.out(&text);
    let next = answer.str("NextToken").to_owned();
    context.next_page(&next);
    Ok(0)
}
