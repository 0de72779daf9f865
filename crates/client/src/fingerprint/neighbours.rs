//! Consul and Vault beside the node, looked at before it registers and then now and then: what they are is told as
//! attributes, and taken back when they no longer answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use caravan_model::Node;
use serde_json::Value;

use crate::consul::Consul;
use crate::shared::Shared;
use crate::vault::VaultConfig;

const EVERY: Duration = Duration::from_secs(15);
/// The node does not wait longer for them before it registers.
const AT_FIRST: Duration = Duration::from_secs(5);

/// What is beside the node.
struct Found {
    attributes: BTreeMap<String, String>,
    /// The name of the Consul agent.
    consul: Option<String>,
}

/// Looks once, so that the node registers with all that is beside it.
pub(crate) async fn look_once(shared: &Shared) {
    if !has_any(shared) {
        return;
    }
    match tokio::time::timeout(AT_FIRST, look(shared)).await {
        Ok(found) => shared.change_node_quietly(|node| {
            lay(node, found);
            node.computed_class = caravan_model::computed_class(node);
        }),
        Err(_) => tracing::warn!("Consul or Vault does not answer; the node registers without it"),
    }
}

/// Looks again and again until the agent stops.
pub(crate) async fn watch(shared: Arc<Shared>) {
    if !has_any(&shared) {
        return;
    }
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = shared.shutdown.cancelled() => return,
        }
        let found = look(&shared).await;
        shared.change_node(|node| lay(node, found));
    }
}

fn has_any(shared: &Shared) -> bool {
    shared.consul.is_some() || shared.config.vault.is_some()
}

async fn look(shared: &Shared) -> Found {
    let consul = async {
        match &shared.consul {
            Some(consul) => self_of(consul).await,
            None => BTreeMap::new(),
        }
    };
    let vault = async {
        match &shared.config.vault {
            Some(vault) => health_of(vault).await,
            None => BTreeMap::new(),
        }
    };
    let (mut attributes, vault) = tokio::join!(consul, vault);
    let consul = attributes.get("unique.consul.name").cloned();
    attributes.extend(vault);
    Found { attributes, consul }
}

fn lay(node: &mut Node, found: Found) {
    let own = |name: &str| {
        ["consul.", "unique.consul.", "vault."]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    node.attributes.retain(|name, _| !own(name));
    node.attributes.extend(found.attributes);
    match found.consul {
        Some(name) => node
            .links
            .insert("consul".into(), format!("{}.{name}", node.datacenter)),
        None => node.links.remove("consul"),
    };
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
        let http = vault.tls.client(Duration::from_secs(5)).ok()?;
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
