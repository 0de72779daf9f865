//! `volume delete|deregister|detach`.

use super::create::pairs_of;
use crate::api::Api;
use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{list, switch, text_or};
use crate::json::plain;
use caravan_sdk::{Method, Query, Request, escape_path};

pub(super) const DELETE: Command = Command {
    name: "volume delete",
    args: "[options] <vol id>",
    synopsis: "Delete a volume",
    about: "Delete a volume from an external storage provider or from its host, and from Nomad.",
    flags: &[
        text_or("type", "csi", "csi|host", "The type of the volume."),
        list(
            "secret",
            "key=value",
            "A secret for the plugin. May be repeated.",
        ),
        switch("force", "Although its node is gone."),
    ],
    run: delete,
    ..COMMAND
};

pub(super) const DEREGISTER: Command = Command {
    name: "volume deregister",
    args: "[options] <id>",
    synopsis: "Remove a volume",
    about: "Remove an unused volume from Nomad; it stays with its storage provider.",
    flags: &[switch("force", "Although allocations claim it.")],
    run: deregister,
    ..COMMAND
};

pub(super) const DETACH: Command = Command {
    name: "volume detach",
    args: "[options] <vol id> <node id>",
    synopsis: "Detach a volume",
    about: "Detach a volume from a node.",
    run: detach,
    ..COMMAND
};

fn delete(context: &mut Context) -> Outcome {
    context.expect_args(1..=2, "This command takes at least one argument: <vol id>")?;
    let id = context.given.arg(0).to_owned();
    let secrets = pairs_of(context, "secret")?;
    let api = context.api()?;
    const DOING: &str = "Error deleting volume";
    match context.given.text("type") {
        "host" => {
            let query = Query::new().flag("force", context.given.on("force"));
            let path = format!("/v1/volume/host/{}/delete", escape_path(&id));
            api.delete(&path, query).doing(DOING)?;
        }
        "csi" => {
            let path = format!("/v1/volume/csi/{}/delete", escape_path(&id));
            let mut request = Request::new(Method::DELETE, path, Query::new());
            let pairs: Vec<String> = secrets
                .iter()
                .map(|(key, value)| format!("{key}={}", plain(value)))
                .collect();
            if !pairs.is_empty() {
                request
                    .headers
                    .push(("X-Nomad-CSI-Secrets".into(), pairs.join(",")));
            }
            api.wait(async { api.client.send(request).await?.ok().await?.bytes().await })
                .doing(DOING)?;
        }
        other => return Err(format!("No such volume type {other:?}").into()),
    }
    context
        .ui
        .out(&format!("Successfully deleted volume {id:?}!"));
    Ok(0)
}

fn deregister(context: &mut Context) -> Outcome {
    let id = context.one_arg("<id>")?;
    let api = context.api()?;
    let force = context.given.on("force");
    let question = format!("Are you sure you want to force deregister volume {id:?}?");
    if force
        && !context
            .ui
            .confirm(&question, "Cancelling volume deregister")?
    {
        return Ok(0);
    }
    remove(&api, &id, force)?;
    context
        .ui
        .out(&format!("Successfully deregistered volume {id:?}!"));
    Ok(0)
}

fn remove(api: &Api, id: &str, force: bool) -> Result<(), Failure> {
    let path = format!("/v1/volume/csi/{}", escape_path(id));
    api.delete(&path, Query::new().flag("force", force))
        .doing("Error deregistering volume")?;
    Ok(())
}

fn detach(context: &mut Context) -> Outcome {
    context.expect_args(
        2..=2,
        "This command takes two arguments: <vol id> <node id>",
    )?;
    let (volume, node) = (
        context.given.arg(0).to_owned(),
        context.given.arg(1).to_owned(),
    );
    let api = context.api()?;
    let path = format!("/v1/volume/csi/{}/detach", escape_path(&volume));
    api.delete(&path, Query::new().with("node", node))
        .doing("Error detaching volume")?;
    Ok(0)
}
