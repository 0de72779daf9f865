//! The service mesh's part of a service (plan sheet §9, ConsulConnect).

use crate::order::sort_objects;
use crate::parts;
use crate::plain::plain;
use crate::primitive::{Contextual, nested, object, object_set, paired, presence, text_set};
use crate::task::config;
use caravan_model::*;

pub(crate) fn connect(
    old: Option<&Connect>,
    new: Option<&Connect>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&Connect>| side.map(|side| plain(side, &[], &[]));
    let mut list: Vec<ObjectDiff> = sidecar_service(
        old.and_then(|side| side.sidecar_service.as_ref()),
        new.and_then(|side| side.sidecar_service.as_ref()),
        contextual,
    )
    .into_iter()
    .collect();
    list.extend(sidecar_task(
        old.and_then(|side| side.sidecar_task.as_ref()),
        new.and_then(|side| side.sidecar_task.as_ref()),
        contextual,
    ));
    list.extend(gateway(
        old.and_then(|side| side.gateway.as_ref()),
        new.and_then(|side| side.gateway.as_ref()),
        contextual,
    ));
    nested(
        "ConsulConnect",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}

fn sidecar_service(
    old: Option<&SidecarService>,
    new: Option<&SidecarService>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&SidecarService>| side.map(|side| plain(side, &["Meta"], &[]));
    let of = |side: Option<&SidecarService>| side.and_then(|side| side.proxy.clone());
    let list = proxy(of(old).as_ref(), of(new).as_ref(), contextual)
        .into_iter()
        .collect();
    nested(
        "SidecarService",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}

fn proxy(
    old: Option<&ConnectProxy>,
    new: Option<&ConnectProxy>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&ConnectProxy>| side.map(|side| plain(side, &[], &[]));
    let empty = ConnectProxy::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let key = |one: &Upstream| format!("{}/{}", one.datacenter, one.destination_name);
    let mut list: Vec<ObjectDiff> = paired(&before.upstreams, &after.upstreams, key)
        .into_iter()
        .filter_map(|(old, new)| upstream(old, new, contextual))
        .collect();
    sort_objects(&mut list);
    list.extend(expose(
        before.expose.as_ref(),
        after.expose.as_ref(),
        contextual,
    ));
    list.push(transparent(
        before.transparent_proxy.as_ref(),
        after.transparent_proxy.as_ref(),
        contextual,
    ));
    list.extend(config(&before.config, &after.config, contextual));
    nested(
        "ConsulProxy",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}

fn upstream(
    old: Option<&Upstream>,
    new: Option<&Upstream>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&Upstream>| side.map(|side| plain(side, &[], &[]));
    let gateway = |side: Option<&Upstream>| {
        side.and_then(|side| side.mesh_gateway.as_ref())
            .map(|one| plain(one, &[], &[]))
    };
    let settings =
        |side: Option<&Upstream>| side.map(|side| side.config.clone()).unwrap_or_default();
    let mut list: Vec<ObjectDiff> = object("MeshGateway", gateway(old), gateway(new), contextual)
        .into_iter()
        .collect();
    list.extend(config(&settings(old), &settings(new), contextual));
    nested(
        "ConsulUpstreams",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}

fn expose(
    old: Option<&ExposeConfig>,
    new: Option<&ExposeConfig>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let paths =
        |side: Option<&ExposeConfig>| side.map(|side| side.paths.clone()).unwrap_or_default();
    let key = |path: &ExposePath| format!("{path:?}");
    let list = object_set(
        "Path",
        &paths(old),
        &paths(new),
        key,
        |path| plain(path, &[], &[]),
        contextual,
    );
    nested("Expose", presence(old, new), None, None, list, contextual)
}

/// Unlike other objects it is always listed, without anything in it when it did not change.
fn transparent(
    old: Option<&TransparentProxy>,
    new: Option<&TransparentProxy>,
    contextual: Contextual,
) -> ObjectDiff {
    let flat = |side: Option<&TransparentProxy>| side.map(|side| plain(side, &[], &[]));
    let empty = TransparentProxy::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let ports = |side: &TransparentProxy| -> Vec<String> {
        side.exclude_outbound_ports
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let sets = [
        (
            "ExcludeInboundPorts",
            before.exclude_inbound_ports.clone(),
            after.exclude_inbound_ports.clone(),
        ),
        ("ExcludeOutboundPorts", ports(before), ports(after)),
        (
            "ExcludeOutboundCIDRs",
            before.exclude_outbound_cidrs.clone(),
            after.exclude_outbound_cidrs.clone(),
        ),
        (
            "ExcludeUIDs",
            before.exclude_uids.clone(),
            after.exclude_uids.clone(),
        ),
    ];
    let sets = sets
        .into_iter()
        .filter_map(|(name, old, new)| text_set(name, &old, &new, contextual))
        .collect();
    let kind = presence(old, new);
    nested(
        "TransparentProxy",
        kind,
        flat(old),
        flat(new),
        sets,
        contextual,
    )
    .unwrap_or_else(|| ObjectDiff {
        r#type: DiffType::None,
        name: "TransparentProxy".to_owned(),
        fields: Vec::new(),
        objects: Vec::new(),
    })
}

fn sidecar_task(
    old: Option<&SidecarTask>,
    new: Option<&SidecarTask>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&SidecarTask>| side.map(|side| plain(side, &["Env", "Meta"], &[]));
    let empty = SidecarTask::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let logs = |side: &SidecarTask| side.log_config.as_ref().map(|log| plain(log, &[], &[]));
    let mut list: Vec<ObjectDiff> = config(&before.config, &after.config, contextual)
        .into_iter()
        .collect();
    list.extend(parts::resources(
        before.resources.as_ref(),
        after.resources.as_ref(),
        contextual,
    ));
    list.extend(object("LogConfig", logs(before), logs(after), contextual));
    nested(
        "SidecarTask",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}

fn gateway(
    old: Option<&Gateway>,
    new: Option<&Gateway>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let empty = Gateway::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let mut list: Vec<ObjectDiff> =
        gateway_proxy(before.proxy.as_ref(), after.proxy.as_ref(), contextual)
            .into_iter()
            .collect();
    list.extend(ingress(
        before.ingress.as_ref(),
        after.ingress.as_ref(),
        contextual,
    ));
    list.extend(terminating(
        before.terminating.as_ref(),
        after.terminating.as_ref(),
        contextual,
    ));
    list.extend(nested(
        "Mesh",
        presence(before.mesh.as_ref(), after.mesh.as_ref()),
        None,
        None,
        Vec::new(),
        contextual,
    ));
    sort_objects(&mut list);
    nested("Gateway", presence(old, new), None, None, list, contextual)
}

fn gateway_proxy(
    old: Option<&GatewayProxy>,
    new: Option<&GatewayProxy>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&GatewayProxy>| side.map(|side| plain(side, &[], &[]));
    let empty = GatewayProxy::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let addresses = |side: &GatewayProxy| -> Vec<(String, GatewayBindAddress)> {
        side.envoy_gateway_bind_addresses
            .iter()
            .map(|(name, one)| (name.clone(), one.clone()))
            .collect()
    };
    let mut list = object_set(
        "EnvoyGatewayBindAddresses",
        &addresses(before),
        &addresses(after),
        |(name, _)| name.clone(),
        |(_, one)| plain(one, &[], &["Name"]),
        contextual,
    );
    list.extend(config(&before.config, &after.config, contextual));
    sort_objects(&mut list);
    nested(
        "Proxy",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}

fn ingress(
    old: Option<&IngressGateway>,
    new: Option<&IngressGateway>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let empty = IngressGateway::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let mut list: Vec<ObjectDiff> = tls(before.tls.as_ref(), after.tls.as_ref(), contextual)
        .into_iter()
        .collect();
    let key = |one: &IngressListener| format!("{}:{}", one.protocol, one.port);
    for (old, new) in paired(&before.listeners, &after.listeners, key) {
        let flat = |side: Option<&IngressListener>| side.map(|side| plain(side, &[], &[]));
        let services = |side: Option<&IngressListener>| {
            side.map(|side| side.services.clone()).unwrap_or_default()
        };
        let (before, after) = (services(old), services(new));
        let mut inner: Vec<ObjectDiff> = paired(&before, &after, |service| service.name.clone())
            .into_iter()
            .filter_map(|(old, new)| ingress_service(old, new, contextual))
            .collect();
        sort_objects(&mut inner);
        list.extend(nested(
            "Listener",
            presence(old, new),
            flat(old),
            flat(new),
            inner,
            contextual,
        ));
    }
    sort_objects(&mut list);
    nested("Ingress", presence(old, new), None, None, list, contextual)
}

fn ingress_service(
    old: Option<&IngressService>,
    new: Option<&IngressService>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&IngressService>| side.map(|side| plain(side, &[], &[]));
    let empty = IngressService::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let mut list: Vec<ObjectDiff> = text_set("Hosts", &before.hosts, &after.hosts, contextual)
        .into_iter()
        .collect();
    list.extend(tls(before.tls.as_ref(), after.tls.as_ref(), contextual));
    for (name, old, new) in [
        (
            "RequestHeaders",
            before.request_headers.as_ref(),
            after.request_headers.as_ref(),
        ),
        (
            "ResponseHeaders",
            before.response_headers.as_ref(),
            after.response_headers.as_ref(),
        ),
    ] {
        let flat =
            |side: Option<&HeaderModifiers>| side.map(|side| plain(side, &["Add", "Set"], &[]));
        let removed = |side: Option<&HeaderModifiers>| {
            side.map(|side| side.remove.clone()).unwrap_or_default()
        };
        let set = text_set("Remove", &removed(old), &removed(new), contextual);
        list.extend(nested(
            name,
            presence(old, new),
            flat(old),
            flat(new),
            set.into_iter().collect(),
            contextual,
        ));
    }
    nested(
        "ConsulIngressService",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}

fn tls(
    old: Option<&GatewayTls>,
    new: Option<&GatewayTls>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&GatewayTls>| side.map(|side| plain(side, &[], &[]));
    let suites = |side: Option<&GatewayTls>| {
        side.map(|side| side.cipher_suites.clone())
            .unwrap_or_default()
    };
    let sds = |side: Option<&GatewayTls>| {
        side.and_then(|side| side.sds.as_ref())
            .map(|sds| plain(sds, &[], &[]))
    };
    let mut list: Vec<ObjectDiff> =
        text_set("CipherSuites", &suites(old), &suites(new), contextual)
            .into_iter()
            .collect();
    list.extend(object("SDS", sds(old), sds(new), contextual));
    nested(
        "TLS",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}

fn terminating(
    old: Option<&TerminatingGateway>,
    new: Option<&TerminatingGateway>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let services = |side: Option<&TerminatingGateway>| {
        side.map(|side| side.services.clone()).unwrap_or_default()
    };
    let list = object_set(
        "Service",
        &services(old),
        &services(new),
        |service| service.name.clone(),
        |service| plain(service, &[], &[]),
        contextual,
    );
    nested(
        "Terminating",
        presence(old, new),
        None,
        None,
        list,
        contextual,
    )
}
