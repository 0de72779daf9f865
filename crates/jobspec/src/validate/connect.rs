//! Services of a mesh.

use super::Faults;
use caravan_model::{Connect, Gateway, GatewayProxy, IngressService, LinkedService, Service};

pub(super) fn validate(service: &Service, connect: &Connect, of_group: bool, faults: &mut Faults) {
    let ways = usize::from(connect.native)
        + usize::from(connect.sidecar_service.is_some())
        + usize::from(connect.gateway.is_some());
    if ways != 1 {
        faults.add(
            "Consul Connect must be exclusively native, make use of a sidecar, or represent a Gateway",
        );
    } else if let Some(why) = connect.gateway.as_ref().and_then(gateway_problem) {
        faults.add(why);
    }
    faults.add_if(
        connect.native && of_group && service.task_name.is_empty(),
        format!(
            "Service {} is Connect Native and requires setting the task",
            service.name
        ),
    );
}

/// The first thing that is wrong with a gateway.
fn gateway_problem(gateway: &Gateway) -> Option<String> {
    let kinds = usize::from(gateway.ingress.is_some())
        + usize::from(gateway.terminating.is_some())
        + usize::from(gateway.mesh.is_some());
    let proxy = gateway.proxy.as_ref();
    let of_proxy = proxy.and_then(proxy_problem);
    of_proxy
        .or_else(|| kind_problem(gateway))
        .or_else(|| (kinds != 1).then(|| "One Consul Gateway Configuration must be set".to_owned()))
}

fn proxy_problem(proxy: &GatewayProxy) -> Option<String> {
    if !["", "STRICT_DNS", "LOGICAL_DNS"].contains(&proxy.envoy_dns_discovery_type.as_str()) {
        return Some(format!(
            "Consul Gateway Proxy Envoy DNS Discovery type {} not supported",
            proxy.envoy_dns_discovery_type
        ));
    }
    let mut addresses = proxy.envoy_gateway_bind_addresses.values();
    addresses.find_map(|it| {
        // Which port -1 stands for is decided with the allocation.
        let fits = it.port > 0 || it.port == -1;
        match it.address.is_empty() {
            true => Some("Consul Gateway Bind Address must be set".to_owned()),
            false if fits => None,
            false => Some("Consul Gateway Bind Address must set valid Port".to_owned()),
        }
    })
}

/// The first thing that is wrong with what a gateway lets through.
fn kind_problem(gateway: &Gateway) -> Option<String> {
    if let Some(ingress) = &gateway.ingress {
        if ingress.listeners.is_empty() {
            return Some("Consul Ingress Gateway requires at least one listener".to_owned());
        }
        for listener in &ingress.listeners {
            if listener.port <= 0 {
                return Some("Consul Ingress Listener requires valid Port".to_owned());
            }
            let protocols = ["tcp", "http", "http2", "grpc"];
            if !protocols.contains(&listener.protocol.as_str()) {
                return Some(format!(
                    "Consul Ingress Listener requires protocol of tcp, http, http2, grpc, got {:?}",
                    listener.protocol
                ));
            }
            if listener.services.is_empty() {
                return Some("Consul Ingress Listener requires one or more services".to_owned());
            }
            if listener.protocol == "tcp" && listener.services.len() > 1 {
                return Some(
                    "Consul Ingress Listener requires a single service with \"tcp\" protocol"
                        .to_owned(),
                );
            }
            let mut services = listener.services.iter();
            if let Some(why) =
                services.find_map(|service| ingress_service_problem(service, &listener.protocol))
            {
                return Some(why.to_owned());
            }
        }
    }
    if let Some(terminating) = &gateway.terminating {
        if terminating.services.is_empty() {
            return Some("Consul Terminating Gateway requires at least one service".to_owned());
        }
        let mut services = terminating.services.iter();
        if let Some(why) = services.find_map(linked_service_problem) {
            return Some(why.to_owned());
        }
    }
    None
}

/// A service behind a listener: connections of plain TCP carry no host name to tell services apart by.
fn ingress_service_problem(service: &IngressService, protocol: &str) -> Option<&'static str> {
    let (any, hosts) = (service.name == "*", !service.hosts.is_empty());
    match protocol {
        _ if service.name.is_empty() => Some("Consul Ingress Service requires a name"),
        "tcp" if any => {
            Some("Consul Ingress Service doesn't support wildcard name for \"tcp\" protocol")
        }
        "tcp" if hosts => Some(
            "Consul Ingress Service doesn't support associating hosts to a service for the \"tcp\" protocol",
        ),
        _ if any && hosts => Some(
            "Consul Ingress Service with a wildcard \"*\" service name can not also specify hosts",
        ),
        _ => None,
    }
}

/// A service outside of the mesh: its files for TLS only work together.
fn linked_service_problem(service: &LinkedService) -> Option<&'static str> {
    let set = |text: &str| !text.is_empty();
    let (ca, cert, key) = (
        set(&service.ca_file),
        set(&service.cert_file),
        set(&service.key_file),
    );
    match () {
        () if service.name.is_empty() => Some("Consul Linked Service requires Name"),
        () if (cert || key) && !ca => Some("Consul Linked Service TLS requires CAFile"),
        () if cert != key => Some("Consul Linked Service TLS Cert and Key must both be set"),
        () if set(&service.sni) && !ca => Some("Consul Linked Service TLS SNI requires CAFile"),
        () => None,
    }
}
