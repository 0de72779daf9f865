//! Services of a mesh.

use super::Faults;
use caravan_model::{Connect, Gateway, Service};

pub(super) fn validate(service: &Service, connect: &Connect, of_group: bool, faults: &mut Faults) {
    let ways = usize::from(connect.native)
        + usize::from(connect.sidecar_service.is_some())
        + usize::from(connect.gateway.is_some());
    faults.add_if(
        ways != 1,
        "Consul Connect must be exclusively native, make use of a sidecar, or represent a Gateway",
    );
    if let Some(gateway) = &connect.gateway {
        faults.extend(validate_gateway(gateway));
    }
    faults.add_if(
        connect.native && of_group && service.task_name.is_empty(),
        format!(
            "Service {} is Connect Native and requires setting the task",
            service.name
        ),
    );
}

fn validate_gateway(gateway: &Gateway) -> Faults {
    let mut faults = Faults::default();
    let kinds = usize::from(gateway.ingress.is_some())
        + usize::from(gateway.terminating.is_some())
        + usize::from(gateway.mesh.is_some());
    if kinds != 1 {
        faults.add("One Consul Gateway Configuration must be set");
        return faults;
    }
    if let Some(why) = gateway_problem(gateway) {
        faults.add(why);
    }
    faults
}

/// The first thing that is wrong with a gateway.
fn gateway_problem(gateway: &Gateway) -> Option<String> {
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
            if listener
                .services
                .iter()
                .any(|service| service.name.is_empty())
            {
                return Some("Consul Ingress Service requires a name".to_owned());
            }
        }
    }
    if let Some(terminating) = &gateway.terminating {
        if terminating.services.is_empty() {
            return Some("Consul Terminating Gateway requires at least one service".to_owned());
        }
        if terminating
            .services
            .iter()
            .any(|service| service.name.is_empty())
        {
            return Some("Consul Linked Service requires Name".to_owned());
        }
    }
    None
}
