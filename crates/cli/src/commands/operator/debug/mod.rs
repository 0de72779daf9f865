//! `operator debug`: what helps to understand a cluster, in one archive.

mod archive;
mod capture;
mod neighbours;
mod streams;
mod targets;

use crate::api::Api;
use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{int, switch, switch_on, text, text_or};
use archive::Folder;
use capture::Capture;
use neighbours::Neighbour;
use std::time::{Duration, Instant};
use targets::Targets;

pub(super) const SPEC: Command = Command {
    name: "operator debug",
    synopsis: "Build a debug archive",
    about: "Builds an archive of what the cluster knows, asked for at intervals, of what chosen servers and nodes log meanwhile, and of their hosts and threads. Secrets are left out, but look at the archive before you hand it on. Ctrl-C ends the capture early.",
    flags: &[
        text_or("duration", "5m", "duration", "For how long."),
        text_or(
            "interval",
            "30s",
            "duration",
            "How often the state of the cluster is asked for.",
        ),
        text_or(
            "log-level",
            "TRACE",
            "level",
            "The least level of what is logged.",
        ),
        switch_on(
            "log-include-location",
            "With the place in the program that logs.",
        ),
        text(
            "log-lookback",
            "duration",
            "With what the journal has of the agents for so long before.",
        ),
        switch("log-file-export", "With the agents' log files."),
        int(
            "max-nodes",
            "10",
            "The most nodes to look at. 0 for no limit.",
        ),
        text("node-class", "class", "Only nodes of this class."),
        text_or(
            "node-id",
            "all",
            "ids",
            "The nodes to look at, ids or their beginnings with commas between.",
        ),
        text_or(
            "server-id",
            "all",
            "names",
            "The servers to look at, names with commas between, or leader.",
        ),
        switch("stale", "Whether any server may answer."),
        text(
            "output",
            "folder",
            "Makes a folder within this one, not an archive.",
        ),
        text_or(
            "pprof-duration",
            "1s",
            "duration",
            "For how long profiles are taken.",
        ),
        text_or(
            "pprof-interval",
            "30s",
            "duration",
            "How often profiles are taken.",
        ),
        text_or(
            "event-topic",
            "none",
            "topics",
            "With events of these topics: Topic or Topic:key, with commas between, or all.",
        ),
        int("event-index", "0", "The first event that is wanted."),
        switch("verbose", "Says what cannot be had."),
        text(
            "consul-http-addr",
            "addr",
            "Where Consul is. Overrides CONSUL_HTTP_ADDR.",
        ),
        text("consul-token", "token", "Overrides CONSUL_HTTP_TOKEN."),
        text(
            "consul-token-file",
            "path",
            "Overrides CONSUL_HTTP_TOKEN_FILE.",
        ),
        text(
            "consul-client-cert",
            "path",
            "Overrides CONSUL_CLIENT_CERT.",
        ),
        text("consul-client-key", "path", "Overrides CONSUL_CLIENT_KEY."),
        text("consul-ca-cert", "path", "Overrides CONSUL_CACERT."),
        text("consul-ca-path", "path", "Overrides CONSUL_CAPATH."),
        text(
            "vault-address",
            "addr",
            "Where Vault is. Overrides VAULT_ADDR.",
        ),
        text("vault-token", "token", "Overrides VAULT_TOKEN."),
        text("vault-client-cert", "path", "Overrides VAULT_CLIENT_CERT."),
        text("vault-client-key", "path", "Overrides VAULT_CLIENT_KEY."),
        text("vault-ca-cert", "path", "Overrides VAULT_CACERT."),
        text("vault-ca-path", "path", "Overrides VAULT_CAPATH."),
    ],
    run,
    ..COMMAND
};

/// A length of time that a flag gives.
fn length(context: &Context, flag: &str) -> Result<Duration, Failure> {
    let text = context.given.text(flag);
    let length: caravan_model::Duration = text
        .parse()
        .map_err(|_| format!("Error parsing {flag}: {text}: time: invalid duration {text:?}"))?;
    Ok(Duration::from_nanos(length.0.unsigned_abs()))
}

fn shown(length: Duration) -> caravan_model::Duration {
    caravan_model::Duration(i64::try_from(length.as_nanos()).unwrap_or(i64::MAX))
}

fn run(context: &mut Context) -> Outcome {
    context.no_args()?;
    let duration = length(context, "duration")?;
    let interval = length(context, "interval")?;
    if interval > duration {
        let (interval, duration) = (shown(interval), shown(duration));
        return Err(format!(
            "Error parsing interval: {interval} is greater than duration {duration}"
        )
        .into());
    }
    let profile = length(context, "pprof-duration")?;
    let profile_interval = length(context, "pprof-interval")?.min(duration);
    if !context.given.text("log-lookback").is_empty() {
        length(context, "log-lookback")?;
    }
    let api = context.api()?;
    let neighbours = [Neighbour::consul(context)?, Neighbour::vault(context)?];
    let targets = Targets::find(context, &api)?;
    let folder = Folder::create(context.given.text("output"))?;
    let count =
        |chosen: &[String], all: usize| format!("({}/{all}) [{}]", chosen.len(), chosen.join(" "));
    context.ui.out(&format!(
        "Starting debugger...\n\n          Servers: {}\n          Clients: {}\n         Interval: {}\n         Duration: {}\n   pprof Interval: {}\n\nCapturing cluster data...",
        count(&targets.servers, targets.all_servers),
        count(&targets.nodes, targets.all_nodes),
        shown(interval),
        shown(duration),
        shown(profile_interval),
    ));
    let mut capture = Capture::new(&api, &folder, context.given.on("stale"), profile);
    let started = Instant::now();
    let streams = streams::start(context, &api, &targets, &folder, duration)?;
    capture.cluster();
    for neighbour in neighbours.iter().flatten() {
        capture.neighbour(neighbour);
    }
    capture.hosts(&targets);
    let pace = Pace {
        interval,
        duration,
        profile_interval,
    };
    rounds(context, &api, &mut capture, &targets, &pace, started);
    streams.end();
    let failures = capture.failures;
    if context.given.on("verbose") {
        for failure in &failures {
            context.ui.warn(failure);
        }
    }
    let made = folder.finish(&failures)?;
    context.ui.out(&made);
    Ok(0)
}

/// How often what is captured.
struct Pace {
    interval: Duration,
    duration: Duration,
    profile_interval: Duration,
}

/// Captures how the cluster stands, again and again, until the time is over or the user has had enough.
fn rounds(
    context: &mut Context,
    api: &Api,
    capture: &mut Capture<'_>,
    targets: &Targets,
    pace: &Pace,
    started: Instant,
) {
    let mut profiled = None;
    for round in 0_u32.. {
        context.ui.out(&format!("    Capture interval {round:04}"));
        capture.state(round);
        if profiled.is_none_or(|at: Instant| at.elapsed() >= pace.profile_interval) {
            profiled = Some(Instant::now());
            capture.profiles(targets, round);
        }
        let next = pace.interval * (round + 1);
        let rest = next.min(pace.duration).saturating_sub(started.elapsed());
        let interrupted = api.wait(async {
            tokio::select! {
                () = tokio::time::sleep(rest) => false,
                _ = tokio::signal::ctrl_c() => true,
            }
        });
        if interrupted || next >= pace.duration {
            return;
        }
    }
}
