//! What the engine is and offers, as the attributes of a node.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bollard::Docker;
use bollard::models::IpamConfig;
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
    let info = engine.info().await.ok()?;
    let mut runtimes: Vec<String> = info.runtimes.unwrap_or_default().into_keys().collect();
    runtimes.sort();
    let of_engine = [
        ("driver.docker", "true".to_owned()),
        (
            "driver.docker.version",
            info.server_version.unwrap_or_default(),
        ),
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

/// The address of the host in the engine's own network.
pub(super) async fn gateway(engine: &Docker) -> Option<String> {
    let bridge = engine
        .inspect_network("bridge", None::<InspectNetworkOptions>)
        .await
        .ok()?;
    gateway_of(&bridge.ipam?.config?)
}

/// An engine that was started for the first time does not say it yet: it takes the first address of the network.
fn gateway_of(networks: &[IpamConfig]) -> Option<String> {
    let said = networks.iter().find_map(|network| network.gateway.clone());
    let first = |network: &IpamConfig| {
        let address: Ipv4Addr = network.subnet.as_ref()?.split('/').next()?.parse().ok()?;
        let first = Ipv4Addr::from_bits(address.to_bits().checked_add(1)?);
        Some(first.to_string())
    };
    said.filter(|said| !said.is_empty())
        .or_else(|| networks.iter().find_map(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_the_one_that_is_said_else_the_first_address() {
        let network = |subnet: &str, gateway: Option<&str>| IpamConfig {
            subnet: Some(subnet.to_owned()),
            gateway: gateway.map(str::to_owned),
            ..IpamConfig::default()
        };
        let of = |network| gateway_of(&[network]);
        let said = network("172.17.0.0/16", Some("172.17.0.9"));
        assert_eq!(of(said).as_deref(), Some("172.17.0.9"));
        assert_eq!(
            of(network("172.17.0.0/16", None)).as_deref(),
            Some("172.17.0.1")
        );
        assert_eq!(of(network("fd00::/64", None)), None);
        assert_eq!(gateway_of(&[]), None);
    }
}
