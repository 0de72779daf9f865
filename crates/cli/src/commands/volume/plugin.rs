//! `plugin status`: storage plugins.

use crate::command::{COMMAND, Command, JSON, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{switch, text_or};
use crate::json::{Fields, list};
use crate::render;
use crate::table::{columns, pairs};
use caravan_sdk::{Query, escape_path};
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "plugin status",
    args: "[options] <plugin>",
    synopsis: "Display status information about a plugin",
    about: "Display status information about a plugin. If no plugin id is given, a list of all plugins will be displayed.",
    flags: &[
        text_or("type", "csi", "csi", "The type of the plugin."),
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
    context.expect_args(
        0..=1,
        "This command takes either no arguments or one: <plugin>",
    )?;
    let prefix = context.given.arg(0).to_owned();
    let api = context.api()?;
    let query = Query::new()
        .with("type", "csi")
        .with_some("prefix", &prefix);
    let found = api
        .get("/v1/plugins", query)
        .doing("Error querying CSI plugins")?;
    if prefix.is_empty() {
        if context.data_if_wanted(&found, "[]*api.CSIPluginListStub")? {
            return Ok(0);
        }
        let title = context.ui.bold("Container Storage Interface");
        context.ui.out(&title);
        match list(&found) {
            [] => context.ui.error("No CSI plugins"),
            plugins => context.ui.out(&table(plugins)),
        }
        return Ok(0);
    }
    let path = format!(
        "/v1/plugin/csi/{}",
        escape_path(chosen(list(&found), &prefix)?.str("ID"))
    );
    let plugin = api
        .get(&path, Query::new())
        .doing("Error querying plugin")?;
    if context.data_if_wanted(&plugin, "*api.CSIPlugin")? {
        return Ok(0);
    }
    let text = shown(context, &plugin);
    context.ui.out(&text);
    Ok(0)
}

/// The plugin of that id, or the only one whose id begins so.
fn chosen<'a>(found: &'a [Value], prefix: &str) -> Result<&'a Value, Failure> {
    let exact = found.iter().find(|one| one.str("ID") == prefix);
    match (exact, found) {
        (Some(one), _) | (None, [one]) => Ok(one),
        (None, []) => Err(format!(
            "Error listing plugins: no plugins with prefix or ID {prefix:?} found"
        )
        .into()),
        (None, many) => Err(format!("Prefix matched multiple plugins\n\n{}", table(many)).into()),
    }
}

fn shown(context: &Context, plugin: &Value) -> String {
    let number = |name: &str| plugin.int(name).to_string();
    let mut text = pairs(&[
        ("ID", plugin.str("ID").to_owned()),
        ("Provider", plugin.str("Provider").to_owned()),
        ("Version", plugin.str("Version").to_owned()),
        ("Controllers Healthy", number("ControllersHealthy")),
        ("Controllers Expected", number("ControllersExpected")),
        ("Nodes Healthy", number("NodesHealthy")),
        ("Nodes Expected", number("NodesExpected")),
    ]);
    if !context.given.on("short") {
        let table = render::alloc_list_or_none(plugin.items("Allocations"), context.verbose());
        text += &format!("\n\n{}\n{table}", context.ui.bold("Allocations"));
    }
    text
}

fn table(plugins: &[Value]) -> String {
    let mut rows = vec![row![
        "ID",
        "Provider",
        "Controllers Healthy/Expected",
        "Nodes Healthy/Expected"
    ]];
    rows.extend(plugins.iter().map(|one| {
        row![
            one.str("ID"),
            one.str("Provider"),
            format!(
                "{}/{}",
                one.int("ControllersHealthy"),
                one.int("ControllersExpected")
            ),
            format!("{}/{}", one.int("NodesHealthy"), one.int("NodesExpected"))
        ]
    }));
    columns(&rows)
}
