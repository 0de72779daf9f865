//! Questions to the agent itself.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{int, switch, text, text_or, time};
use crate::json::{Fields, plain};
use caravan_sdk::{Method, Query, Request};
use serde_json::{Value, json};

pub(super) const COMMANDS: &[&Command] = &[&INFO, &MONITOR, &EXPORT, &CHECK];

const INFO: Command = Command {
    name: "agent-info",
    synopsis: "Display status information about the local agent",
    about: "Display status information about the local agent.",
    flags: &[JSON, TEMPLATE],
    run: info,
    ..COMMAND
};

const MONITOR: Command = Command {
    name: "monitor",
    synopsis: "Stream logs from a Nomad agent",
    about: "Stream log messages of a nomad agent. The monitor command lets you listen for log levels that may be filtered out of the Nomad agent.",
    flags: &[
        text(
            "log-level",
            "level",
            "The least level to show. Default: INFO",
        ),
        switch("log-include-location", "Also where a line was logged."),
        text("node-id", "id", "The client agent to listen to."),
        text(
            "server-id",
            "id",
            "The server to listen to: its name, or \"leader\".",
        ),
        switch("json", "Lines as JSON."),
    ],
    run: monitor,
    ..COMMAND
};

const EXPORT: Command = Command {
    name: "monitor export",
    synopsis: "Export logs of a Nomad agent",
    about: "Exports logs that an agent has written, from its log file or from the journal.",
    flags: &[
        text("service-name", "name", "The unit in the journal."),
        switch("on-disk", "The agent's log file."),
        time("logs-since", "72h", "How far back."),
        switch("follow", "Go on as more is written."),
        text("node-id", "id", "The client agent."),
        text("server-id", "id", "The server."),
    ],
    run: export,
    ..COMMAND
};

const CHECK: Command = Command {
    name: "check",
    synopsis: "Checks health of the local Nomad agent",
    about: "Display state of the Nomad agent. The exit code of the command is compatible with Nagios and could be used with alerting systems.",
    flags: &[
        int("min-peers", "0", "How many peers a server should have."),
        int("min-servers", "1", "How many servers a client should know."),
        text_or("unused", "", "", "Not used."),
    ],
    run: check,
    ..COMMAND
};

fn info(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let agent = api
        .get("/v1/agent/self", Query::new())
        .doing("Error querying agent info")?;
    let named = json!({
        "Config": agent.at("config"),
        "Member": agent.at("member"),
        "Stats": agent.at("stats"),
    });
    let value = if context.given.text("t").is_empty() {
        &agent
    } else {
        &named
    };
    if context.data_if_wanted(value, "*api.AgentSelf")? {
        return Ok(0);
    }
    let mut lines = Vec::new();
    for (subsystem, stats) in agent.members("stats") {
        lines.push(subsystem.to_owned());
        for (key, value) in crate::json::sorted(stats) {
            lines.push(format!("  {key} = {}", plain(value)));
        }
    }
    context.ui.out(&lines.join("\n"));
    Ok(0)
}

/// A failure in the monitor's words.
fn arrow(failure: Failure) -> Failure {
    Failure::new(format!("==> {}", failure.message))
}

fn target(context: &Context, api: &crate::api::Api, query: Query) -> Result<Query, Failure> {
    let query = query.with_some("server_id", context.given.text("server-id"));
    match context.given.text("node-id") {
        "" => Ok(query),
        prefix => {
            let node = context
                .node_id(api, prefix, "prefix or id", "Error querying nodes")
                .map_err(arrow)?;
            Ok(query.with("node_id", node))
        }
    }
}

fn monitor(context: &mut Context) -> Outcome {
    if !context.given.args.is_empty() {
        return Err("==> This command takes no arguments\n==> For additional help try 'nomad monitor -help'".into());
    }
    let api = context.api()?;
    let given = &context.given;
    let query = Query::new()
        .with_some("log_level", given.text("log-level"))
        .flag("log_json", given.on("json"))
        .flag("log_include_location", given.on("log-include-location"));
    let query = target(context, &api, query)?;
    stream(context, &api, "/v1/agent/monitor", query, "monitor")
}

fn export(context: &mut Context) -> Outcome {
    let (disk, service) = (
        context.given.on("on-disk"),
        context.given.text("service-name").to_owned(),
    );
    if disk != service.is_empty() {
        return Err(context.usage("One of -service-name or -on-disk must be set"));
    }
    let api = context.api()?;
    let query = Query::new()
        .with_some("service_name", &service)
        .flag("on_disk", disk)
        .flag("follow", context.given.on("follow"))
        .with("logs_since", context.given.time("logs-since").to_string());
    let query = target(context, &api, query)?;
    stream(
        context,
        &api,
        "/v1/agent/monitor/export",
        query,
        "monitor export",
    )
}

fn stream(
    context: &mut Context,
    api: &crate::api::Api,
    path: &str,
    query: Query,
    name: &str,
) -> Outcome {
    let opened = api.wait(api.client.frames(path, query));
    let mut frames = opened.map_err(|error| {
        Failure::new(format!(
            "==> Error starting monitor: {error}\n==> For additional help try 'nomad {name} -help'"
        ))
    })?;
    loop {
        match api.wait(frames.frame()) {
            Ok(Some(frame)) => context.ui.raw(&frame.data),
            Ok(None) => return Ok(0),
            Err(error) => return Err(format!("==> {error}").into()),
        }
    }
}

fn check(context: &mut Context) -> Outcome {
    let critical = |message: String| Failure::new(message).code(2);
    let api = context.api()?;
    let request = Request::new(Method::GET, "/v1/agent/self", Query::new());
    let agent = api.wait(async { api.client.send(request).await?.json::<Value>().await });
    let (agent, _) =
        agent.map_err(|error| critical(format!("unable to query agent info: {error}")))?;
    let stats = agent.at("stats");
    let number = |of: &Value, key: &str| plain(of.at(key)).parse::<i64>().unwrap_or_default();
    if stats.at("nomad").is_object() {
        let peers = number(stats.at("raft"), "num_peers");
        let least = context.given.int("min-peers");
        if peers < least {
            return Err(critical(format!(
                "unknown servers: {peers} peers, expected at least {least}"
            )));
        }
    }
    let client = stats.at("client");
    if client.is_object() {
        let known = client
            .str("known_servers")
            .split(',')
            .filter(|one| !one.is_empty())
            .count();
        let least = usize::try_from(context.given.int("min-servers")).unwrap_or(0);
        if known < least {
            return Err(critical(format!(
                "unknown servers: {known}, expected at least {least}"
            )));
        }
    }
    Ok(0)
}
