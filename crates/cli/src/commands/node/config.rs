//! `node config`: the servers that a client agent talks to.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::switch;
use crate::json::list;
use caravan_sdk::{Method, Query, Request, escape_path};
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "node config",
    args: "[options]",
    synopsis: "View or modify client configuration details",
    about: "View or modify client configuration details. This command only works on client nodes, and can be used to update the running client configurations it supports.",
    flags: &[
        switch("servers", "List the servers that the client knows."),
        switch("update-servers", "Replace them by the arguments."),
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let (show, update) = (
        context.given.on("servers"),
        context.given.on("update-servers"),
    );
    let known_as = "The '-servers' or '-update-servers' flag(s) must be set";
    if !show && !update {
        return Err(context.usage(known_as));
    }
    let api = context.api()?;
    if update {
        if context.given.args.is_empty() {
            return Err(context.usage("If the '-update-servers' flag is set, atleast one server argument must be provided"));
        }
        let addresses: Vec<String> = context
            .given
            .args
            .iter()
            .map(|one| format!("address={}", escape_path(one)))
            .collect();
        let path = format!("/v1/agent/servers?{}", addresses.join("&"));
        let request = Request::new(Method::PUT, path, Query::new());
        let updated = api.wait(async { api.client.send(request).await?.ok().await.map(drop) });
        updated.doing("Error updating server list")?;
        context.ui.out("Updated server list");
        return Ok(0);
    }
    let servers = api
        .get("/v1/agent/servers", Query::new())
        .doing("Error querying server list")?;
    for server in list(&servers).iter().filter_map(Value::as_str) {
        context.ui.out(server);
    }
    Ok(0)
}
