//! What the engine is and offers, as the attributes of a node.

use std::collections::BTreeMap;

use bollard::Docker;
use bollard::query_parameters::InspectNetworkOptions;
use caravan_driver::Fingerprint;

use super::options::PluginConfig;

/// There is no engine now; whether there was one before.
pub(super) fn no_engine(seen: bool) -> Fingerprint {
    let text = "Failed to connect to docker daemon";
    if seen {
        Fingerprint::unhealthy(text)
    } else {
        Fingerprint::undetected(text)
    }
}

/// `None`: the engine does not answer.
pub(super) async fn attributes(
    engine: &Docker,
    plugin: &PluginConfig,
) -> Option<BTreeMap<String, String>> {
    let version = engine.version().await.ok()?;
    let info = engine.info().await.ok()?;
    let mut runtimes: Vec<String> = info.runtimes.unwrap_or_default().into_keys().collect();
    runtimes.sort();
    let of_engine = [
        ("driver.docker", "true".to_owned()),
        ("driver.docker.version", version.version.unwrap_or_default()),
        ("driver.docker.runtimes", runtimes.join(",")),
        ("driver.docker.os_type", info.os_type.unwrap_or_default()),
    ];
    let limit = plugin.pids_limit;
    let of_plugin = [
        plugin
            .allow_privileged
            .then(|| ("driver.docker.privileged.enabled", "true".to_owned())),
        plugin
            .volumes
            .enabled
            .then(|| ("driver.docker.volumes.enabled", "true".to_owned())),
        (limit > 0).then(|| ("driver.docker.pids.limit", limit.to_string())),
        gateway(engine)
            .await
            .map(|gateway| ("driver.docker.bridge_ip", gateway)),
    ];
    let all = of_engine.into_iter().chain(of_plugin.into_iter().flatten());
    Some(all.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The address of the host in the engine's own bridge.
async fn gateway(engine: &Docker) -> Option<String> {
    let bridge = engine
        .inspect_network("bridge", None::<InspectNetworkOptions>)
        .await
        .ok()?;
    let configs = bridge.ipam?.config?;
    configs.into_iter().find_map(|config| config.gateway)
}
