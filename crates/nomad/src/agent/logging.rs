//! Where the agent's log lines go: standard output, at the configured level.

use tracing_subscriber::EnvFilter;

/// Starts logging. A level that is not known counts as `info`; the configuration was checked before.
pub(super) fn start(level: &str, json: bool) {
    let level = match level.to_lowercase().as_str() {
        "trace" => "trace",
        "debug" => "debug",
        "warn" => "warn",
        "err" | "error" => "error",
        "off" => "off",
        _ => "info",
    };
    // Libraries speak only when something is wrong, unless everything is asked for.
    let filter = match level {
        "trace" | "off" => level.to_owned(),
        _ => format!("warn,{}", ROOMS.map(|room| format!("caravan_{room}={level}")).join(",")),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_target(false).with_ansi(false);
    // A second agent in one process (tests) keeps the first one's log.
    let _ = if json { lines.json().try_init() } else { lines.try_init() };
}

/// The rooms that log.
const ROOMS: [&str; 10] =
    ["client", "consensus", "control", "drivers", "host", "http", "nomad", "rpc", "scheduler", "server"];
