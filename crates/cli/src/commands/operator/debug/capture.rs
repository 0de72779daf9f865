//! What is asked for at once or at intervals, and written down. What cannot be had is noted, and nothing else ends.

use super::archive::Folder;
use super::neighbours::Neighbour;
use super::targets::Targets;
use crate::api::Api;
use crate::json::pretty_sorted;
use caravan_sdk::{Client, Error, Method, Query, Request};
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

/// What hardly changes.
const CLUSTER: [(&str, &str); 5] = [
    ("agent-self", "/v1/agent/self"),
    ("members", "/v1/agent/members"),
    ("namespaces", "/v1/namespaces"),
    ("regions", "/v1/regions"),
    ("scheduler", "/v1/operator/scheduler/configuration"),
];

/// What changes.
const STATE: [(&str, &str); 12] = [
    ("allocations", "/v1/allocations"),
    ("csi-plugins", "/v1/plugins?type=csi"),
    ("csi-volumes", "/v1/volumes?type=csi"),
    ("deployments", "/v1/deployments"),
    ("evaluations", "/v1/evaluations"),
    ("host-volumes", "/v1/volumes?type=host"),
    ("jobs", "/v1/jobs"),
    ("metrics", "/v1/metrics"),
    ("nodes", "/v1/nodes"),
    ("operator-autopilot-health", "/v1/operator/autopilot/health"),
    ("operator-raft", "/v1/operator/raft/configuration"),
    ("services", "/v1/services"),
];

/// A capture that is under way.
pub(super) struct Capture<'a> {
    api: &'a Api,
    folder: &'a Folder,
    stale: bool,
    profile: Duration,
    /// What could not be had, and why.
    pub(super) failures: Vec<String>,
}

impl<'a> Capture<'a> {
    pub(super) fn new(api: &'a Api, folder: &'a Folder, stale: bool, profile: Duration) -> Self {
        Self {
            api,
            folder,
            stale,
            profile,
            failures: Vec::new(),
        }
    }

    /// What hardly changes, once.
    pub(super) fn cluster(&mut self) {
        for (name, route) in CLUSTER {
            self.answer(&format!("cluster/{name}.json"), route, Query::new());
        }
    }

    /// The state of the cluster.
    pub(super) fn state(&mut self, round: u32) {
        for (name, route) in STATE {
            let (path, kind) = route.split_once("?type=").unwrap_or((route, ""));
            let query = Query::new().namespace("*").with_some("type", kind);
            self.answer(&format!("nomad/{round:04}/{name}.json"), path, query);
        }
    }

    /// The hosts of the chosen.
    pub(super) fn hosts(&mut self, targets: &Targets) {
        for (folder, query) in each(targets) {
            let name = format!("{folder}/agent-host.json");
            self.answer(&name, "/v1/agent/host", query);
        }
    }

    /// The threads of the chosen, and what they do.
    pub(super) fn profiles(&mut self, targets: &Targets, round: u32) {
        let seconds = self.profile.as_secs().max(1).to_string();
        for (folder, query) in each(targets) {
            for profile in ["goroutine", "profile"] {
                let query = query.clone().with("seconds", seconds.as_str());
                let path = format!("/v1/agent/pprof/{profile}");
                let asked = self.bytes(&self.api.client, &path, query, None);
                let name = format!("{folder}/{profile}_{round:04}.prof");
                self.keep(&name, asked.map_err(|error| format!("{path}: {error}")));
            }
        }
    }

    /// What Consul or Vault says of itself.
    pub(super) fn neighbour(&mut self, neighbour: &Neighbour) {
        let client = match Client::new(neighbour.config.clone()) {
            Ok(client) => client,
            Err(error) => return self.failures.push(format!("{}: {error}", neighbour.name)),
        };
        for (name, route) in neighbour.routes {
            let asked = self.bytes(&client, route, Query::new(), Some(&neighbour.token));
            let name = format!("cluster/{}-{name}.json", neighbour.name);
            self.keep(&name, asked.map_err(|error| error.to_string()));
        }
    }

    fn bytes(
        &self,
        client: &Client,
        path: &str,
        query: Query,
        token: Option<&(&'static str, String)>,
    ) -> Result<Vec<u8>, Error> {
        let mut request = Request::new(Method::GET, path, query);
        if let Some((header, token)) = token.filter(|(_, token)| !token.is_empty()) {
            request.headers.push(((*header).to_owned(), token.clone()));
        }
        self.api.wait(async {
            let answer = client.send(request).await?.ok().await?;
            Ok(answer.bytes().await?.to_vec())
        })
    }

    /// Keeps an answer of the agent, without its secrets.
    fn answer(&mut self, name: &str, path: &str, query: Query) {
        let query = if self.stale { query.stale() } else { query };
        let asked = self.api.get(path, query).map(|mut value| {
            hide(&mut value);
            pretty_sorted(&value).into_bytes()
        });
        self.keep(name, asked.map_err(|error| format!("{path}: {error}")));
    }

    fn keep(&mut self, name: &str, content: Result<Vec<u8>, String>) {
        let written = content.and_then(|content| {
            let file = self.folder.file(name);
            file.and_then(|mut file| file.write_all(&content))
                .map_err(|error| error.to_string())
        });
        if let Err(error) = written {
            self.failures.push(format!("{name}: {error}"));
        }
    }
}

/// The folder of each of the chosen, and how it is asked.
pub(super) fn each(targets: &Targets) -> Vec<(String, Query)> {
    let servers = targets.servers.iter().map(|name| {
        let query = Query::new().with("server_id", name.as_str());
        (format!("server/{name}"), query)
    });
    let nodes = targets.nodes.iter().map(|id| {
        let query = Query::new().with("node_id", id.as_str());
        (format!("client/{id}"), query)
    });
    servers.chain(nodes).collect()
}

/// Secrets have no place in what is handed around.
fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let secret = ["Token", "Secret", "Password"]
                    .iter()
                    .any(|end| name.ends_with(end))
                    || name == "Environment";
                match value {
                    Value::String(text) if secret && !text.is_empty() => {
                        *text = "<redacted>".to_owned();
                    }
                    Value::Object(inner) if secret => inner
                        .values_mut()
                        .for_each(|value| *value = "<redacted>".into()),
                    value => hide(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_left_out() {
        let mut host = json!({
            "config": {"ACL": {"ReplicationToken": "x", "Enabled": true}, "Vaults": [{"Token": "y"}]},
            "Environment": {"HOME": "/root"}, "Name": "a", "SomeToken": "",
        });
        hide(&mut host);
        let hidden = json!({
            "config": {
                "ACL": {"ReplicationToken": "<redacted>", "Enabled": true},
                "Vaults": [{"Token": "<redacted>"}],
            },
            "Environment": {"HOME": "<redacted>"}, "Name": "a", "SomeToken": "",
        });
        assert_eq!(host, hidden);
    }
}
