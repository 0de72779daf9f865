//! Consul and Vault beside the node, looked at now and then: what they are is told as attributes, and taken back when
//! they no longer answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::consul::{Consul, http_client};
use crate::shared::Shared;
use crate::vault::VaultConfig;

const EVERY: Duration = Duration::from_secs(15);

/// Looks until the agent stops.
pub(crate) async fn watch(shared: Arc<Shared>) {
    let vault = shared.config.vault.clone();
    if shared.consul.is_none() && vault.is_none() {
        return;
    }
    loop {
        let mut found = BTreeMap::new();
        let mut link = None;
        if let Some(consul) = &shared.consul {
            let attributes = self_of(consul).await;
            link = attributes.get("unique.consul.name").cloned();
            found.extend(attributes);
        }
        if let Some(vault) = &vault {
            found.extend(health_of(vault).await);
        }
        shared.change_node(|node| {
            let own = |name: &str| {
                ["consul.", "unique.consul.", "vault."]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
            };
            node.attributes.retain(|name, _| !own(name));
            node.attributes.extend(found);
            match link {
                Some(name) => node
                    .links
                    .insert("consul".into(), format!("{}.{name}", node.datacenter)),
                None => node.links.remove("consul"),
            };
        });
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = shared.shutdown.cancelled() => return,
        }
    }
}

async fn self_of(consul: &Consul) -> BTreeMap<String, String> {
    let found: Value = match consul.json("/v1/agent/self").await {
        Ok(Some(found)) => found,
        _ => return BTreeMap::new(),
    };
    let config = &found["Config"];
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        _ => None,
    };
    let pairs = [
        ("consul.server", &config["Server"]),
        ("consul.version", &config["Version"]),
        ("consul.revision", &config["Revision"]),
        ("consul.datacenter", &config["Datacenter"]),
        ("consul.segment", &found["Member"]["Tags"]["segment"]),
        ("consul.partition", &config["Partition"]),
        ("consul.connect", &found["DebugConfig"]["ConnectEnabled"]),
        ("consul.grpc", &found["DebugConfig"]["GRPCPort"]),
        ("unique.consul.name", &config["NodeName"]),
    ];
    let mut all: BTreeMap<String, String> = pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), text(value)?)))
        .collect();
    if let Some(version) = all.get("consul.version") {
        let sku = if version.contains("ent") {
            "ent"
        } else {
            "oss"
        };
        all.insert("consul.sku".into(), sku.into());
    }
    all
}

async fn health_of(vault: &VaultConfig) -> BTreeMap<String, String> {
    let asked = async {
        let http = http_client(Duration::from_secs(5), vault.verify).ok()?;
        let url = format!(
            "{}/v1/sys/health?standbyok=true",
            vault.address.trim_end_matches('/')
        );
        let answer = http.get(url).send().await.ok()?.bytes().await.ok()?;
        serde_json::from_slice::<Value>(&answer).ok()
    };
    let Some(found) = asked.await else {
        return BTreeMap::new();
    };
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    BTreeMap::from([
        ("vault.accessible".into(), "true".into()),
        (
            "vault.version".into(),
            text("version").trim_start_matches("Vault ").into(),
        ),
        ("vault.cluster_id".into(), text("cluster_id")),
        ("vault.cluster_name".into(), text("cluster_name")),
    ])
}
