//! What an agent says at start and when it is told something, before and between its log lines. The
//! texts are known to scripts, so they are kept in one place.

use std::collections::BTreeMap;

use crate::config::AgentConfig;

/// Keys of the configuration table end at this column.
const COLUMN: usize = 22;

/// A line of the agent itself.
pub fn output(text: &str) -> String {
    format!("==> {text}")
}

/// Warnings and problems may have several lines; each is one.
pub fn outputs(text: &str) -> String {
    text.lines().map(output).collect::<Vec<_>>().join("\n")
}

/// Which files were read.
pub fn loaded(config: &AgentConfig) -> String {
    if config.files.is_empty() {
        return output("No configuration files loaded");
    }
    let files: Vec<String> = config
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    output(&format!("Loaded configuration from {}", files.join(", ")))
}

/// The table of what the agent is, from its start to `Nomad agent started!`.
pub fn configuration(config: &AgentConfig, version: &str, server_id: Option<&str>) -> String {
    let net = &config.net;
    let settings = &config.settings;
    let http: Vec<String> = net.http.iter().map(ToString::to_string).collect();
    let mut rows = BTreeMap::from([
        (
            "Advertise Addrs",
            format!(
                "HTTP: {}; RPC: {}; Serf: {}",
                net.advertise_http, net.advertise_rpc, net.advertise_serf
            ),
        ),
        (
            "Bind Addrs",
            format!(
                "HTTP: [{}]; RPC: {}; Serf: {}",
                http.join(" "),
                net.rpc,
                net.serf
            ),
        ),
        ("Client", settings.client.enabled.to_string()),
        ("Log Level", settings.log_level.to_uppercase()),
        (
            "Region",
            format!("{} (DC: {})", settings.region, settings.datacenter),
        ),
        ("Server", settings.server.enabled.to_string()),
        ("Version", version.to_owned()),
    ]);
    if let Some(id) = server_id {
        rows.insert("Node Id", id.to_owned());
    }
    if config.dev.is_some() {
        rows.insert(
            "State",
            "in memory; it is gone when this agent ends".to_owned(),
        );
    }
    let rows: Vec<String> = rows
        .iter()
        .map(|(key, value)| format!("{key:>COLUMN$}: {value}"))
        .collect();
    format!(
        "{}\n\n{}\n\n==> ",
        output("Nomad agent configuration:"),
        rows.join("\n")
    )
}

pub const STARTING: &str = "==> Starting Nomad agent...";
pub const STARTED: &str = "==> Nomad agent started! Log data will stream in below:\n";
pub const RELOADING: &str = "==> Reloading configuration...";
pub const LEAVING: &str = "==> Gracefully shutting down agent...";

/// `interrupt`, `terminated` or `hangup`.
pub fn caught(signal: &str) -> String {
    output(&format!("Caught signal: {signal}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Machine, load, parse_flags};

    #[test]
    fn keys_end_at_one_column() {
        let machine = Machine {
            hostname: "h".into(),
            ..Machine::default()
        };
        let config =
            load(&parse_flags(&["-dev".to_owned()]).expect("valid"), &machine).expect("valid");
        assert_eq!(loaded(&config), "==> No configuration files loaded");
        let text = configuration(&config, "1.2.3", Some("id"));
        let rows: Vec<&str> = text.lines().filter(|line| line.contains(": ")).collect();
        assert_eq!(rows.len(), 9);
        assert_eq!(
            rows[0],
            "       Advertise Addrs: HTTP: 127.0.0.1:4646; RPC: 127.0.0.1:4647; Serf: 127.0.0.1:4648"
        );
        assert!(
            rows.iter().all(|row| row.find(": ") == Some(COLUMN)),
            "{text}"
        );
        assert!(
            text.starts_with("==> Nomad agent configuration:\n\n") && text.ends_with("\n\n==> ")
        );
    }
}
