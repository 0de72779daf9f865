//! `operator debug`: what helps to understand a cluster, in one folder.

use crate::api::Api;
use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{switch, text, text_or};
use crate::hostfiles::io_text;
use crate::json::{Fields, pretty_sorted};
use caravan_sdk::Query;
use std::path::Path;
use std::time::{Duration, Instant};

pub(super) const SPEC: Command = Command {
    name: "operator debug",
    synopsis: "Build a debug archive",
    about: "Asks the cluster at intervals for its jobs, nodes, evaluations, allocations, deployments and metrics, and keeps the answers in a folder.",
    flags: &[
        text_or("duration", "5m", "duration", "For how long."),
        text_or("interval", "30s", "duration", "How often."),
        text_or("log-level", "TRACE", "level", "Not used yet."),
        text_or("node-id", "all", "ids", "Not used yet."),
        text_or("server-id", "all", "ids", "Not used yet."),
        text("max-nodes", "count", "Not used yet."),
        text(
            "output",
            "folder",
            "Where the folder is made; here without it.",
        ),
        switch("stale", "Whether any server may answer."),
        switch("verbose", "More detail."),
        switch("log-include-location", "Not used yet."),
        switch("log-file-export", "Not used yet."),
        text("log-lookback", "duration", "Not used yet."),
        text("node-class", "class", "Not used yet."),
        text("pprof-duration", "duration", "Not used yet."),
        text("pprof-interval", "duration", "Not used yet."),
        text("event-topic", "topics", "Not used yet."),
        text("event-index", "int", "Not used yet."),
        text("consul-http-addr", "addr", "Not used yet."),
        text("consul-token", "token", "Not used yet."),
        text("consul-token-file", "path", "Not used yet."),
        text("consul-client-cert", "path", "Not used yet."),
        text("consul-client-key", "path", "Not used yet."),
        text("consul-ca-cert", "path", "Not used yet."),
        text("consul-ca-path", "path", "Not used yet."),
        text("vault-address", "addr", "Not used yet."),
        text("vault-token", "token", "Not used yet."),
        text("vault-client-cert", "path", "Not used yet."),
        text("vault-client-key", "path", "Not used yet."),
        text("vault-ca-cert", "path", "Not used yet."),
        text("vault-ca-path", "path", "Not used yet."),
    ],
    run,
    ..COMMAND
};

const ROUTES: [(&str, &str); 12] = [
    ("agent-self", "/v1/agent/self"),
    ("members", "/v1/agent/members"),
    ("regions", "/v1/regions"),
    ("jobs", "/v1/jobs"),
    ("nodes", "/v1/nodes"),
    ("evaluations", "/v1/evaluations"),
    ("allocations", "/v1/allocations"),
    ("deployments", "/v1/deployments"),
    ("plugins", "/v1/plugins"),
    ("raft", "/v1/operator/raft/configuration"),
    ("scheduler", "/v1/operator/scheduler/configuration"),
    ("metrics", "/v1/metrics"),
];

fn length(context: &Context, flag: &str) -> Result<Duration, Failure> {
    let text = context.given.text(flag);
    let length: caravan_model::Duration = text
        .parse()
        .map_err(|_| format!("Error parsing {flag}: {text}: time: invalid duration {text:?}"))?;
    Ok(Duration::from_nanos(length.0.unsigned_abs()))
}

fn run(context: &mut Context) -> Outcome {
    context.no_args()?;
    let duration = length(context, "duration")?;
    let interval = length(context, "interval")?;
    if interval > duration {
        return Err("Error parsing interval: it must not be longer than the duration".into());
    }
    let api = context.api()?;
    let now = crate::format::time(crate::format::now()).replace([':', '-'], "");
    let parent = match context.given.text("output") {
        "" => ".",
        folder => folder,
    };
    let folder = Path::new(parent).join(format!("nomad-debug-{now}"));
    context.ui.out(&format!(
        "Starting debugger...\n\n         Duration: {duration:?}\n         Interval: {interval:?}\n"
    ));
    let started = Instant::now();
    for round in 0.. {
        capture(context, &api, &folder.join(format!("{round:04}")))?;
        if started.elapsed() + interval > duration {
            break;
        }
        std::thread::sleep(interval);
    }
    context
        .ui
        .out(&format!("Created debug directory: {}", folder.display()));
    Ok(0)
}

fn capture(context: &mut Context, api: &Api, folder: &Path) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!(
            "Error writing {}: {}",
            folder.display(),
            io_text(&error)
        ))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    for (name, route) in ROUTES {
        let mut query = Query::new();
        if !matches!(name, "metrics" | "regions") {
            query = query.namespace("*");
        }
        if context.given.on("stale") {
            query = query.stale();
        }
        match api.get(route, query) {
            Ok(mut value) => {
                hide(&mut value);
                std::fs::write(folder.join(format!("{name}.json")), pretty_sorted(&value))
                    .map_err(failed)?;
            }
            Err(error) => context
                .ui
                .error(&format!("Error querying {route}: {error}")),
        }
    }
    Ok(())
}

/// Secrets have no place in what is handed around.
fn hide(value: &mut serde_json::Value) {
    let token = value
        .at("config")
        .at("ACL")
        .str("ReplicationToken")
        .to_owned();
    if !token.is_empty() {
        value["config"]["ACL"]["ReplicationToken"] = "<redacted>".into();
    }
}
