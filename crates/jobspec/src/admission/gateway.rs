//! Where the gateways of a mesh listen: on the addresses that a job gives them, otherwise on all of a network of their
//! own, at the ports of what they let in.

use super::connect::put_port;
use crate::validate::Faults;
use caravan_model::{Duration, Gateway, GatewayBindAddress, IngressGateway, TaskGroup};
use std::collections::BTreeMap;

/// Any address.
const ANY: &str = "0.0.0.0";
/// A port that is only known when the gateway runs.
const LATER: i64 = -1;

/// Whether the group's gateways share the network of the host.
pub(super) fn is_on_host(group: &TaskGroup) -> bool {
    group.networks.first().is_some_and(|it| it.is_host())
}

/// Gives the gateway of the service at this place addresses and ports.
pub(super) fn listen(group: &mut TaskGroup, at: usize, faults: &mut Faults) {
    let on_host = is_on_host(group);
    let service = &mut group.services[at];
    let Some(gateway) = service.connect.as_mut().and_then(|it| it.gateway.as_mut()) else {
        return;
    };
    if !on_host {
        bind(gateway);
    }
    let (kind, is_mesh) = match (&gateway.ingress, &gateway.terminating, &gateway.mesh) {
        (Some(_), ..) => ("connect-ingress", false),
        (None, Some(_), _) => ("connect-terminating", false),
        (None, None, Some(_)) => ("connect-mesh", true),
        (None, None, None) => return,
    };
    let label = format!("{kind}-{}", service.name);
    if is_mesh {
        faults.add_if(
            service.port_label.is_empty(),
            "service.port must be set for mesh gateway service",
        );
        put_port(group, &format!("{label}-lan"));
    } else if service.port_label.is_empty() || service.port_label == label {
        service.port_label.clone_from(&label);
        put_port(group, &label);
    }
}

/// In a network of its own a gateway cannot listen on the address that its service is known by.
fn bind(gateway: &mut Gateway) {
    let addresses = match (&gateway.ingress, &gateway.terminating, &gateway.mesh) {
        (Some(ingress), ..) => of_listeners(ingress),
        (None, Some(_), _) => named(&["default"]),
        (None, None, Some(_)) => named(&["lan", "wan"]),
        (None, None, None) => return,
    };
    let proxy = gateway.proxy.get_or_insert_default();
    proxy.connect_timeout.get_or_insert(Duration::from_secs(5));
    if proxy.envoy_gateway_bind_tagged_addresses || !proxy.envoy_gateway_bind_addresses.is_empty() {
        return;
    }
    proxy.envoy_gateway_no_default_bind = true;
    proxy.envoy_gateway_bind_addresses = addresses;
}

fn of_listeners(ingress: &IngressGateway) -> BTreeMap<String, GatewayBindAddress> {
    let each = ingress.listeners.iter().flat_map(|listener| {
        let services = listener.services.iter();
        services.map(|service| (service.name.clone(), any(listener.port)))
    });
    each.collect()
}

fn named(names: &[&str]) -> BTreeMap<String, GatewayBindAddress> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), any(LATER)))
        .collect()
}

fn any(port: i64) -> GatewayBindAddress {
    GatewayBindAddress {
        address: ANY.to_owned(),
        port,
        ..GatewayBindAddress::default()
    }
}
