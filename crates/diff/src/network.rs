//! Networks and ports (plan sheet §9): any change of a network is the old one gone and a new one there.

use crate::flatten::Fields;
use crate::order::sort_objects;
use crate::primitive::{Contextual, nested, object};
use caravan_model::*;

pub(crate) fn networks(
    old: &[NetworkResource],
    new: &[NetworkResource],
    contextual: Contextual,
) -> Vec<ObjectDiff> {
    let mut list = Vec::new();
    for network in old.iter().filter(|network| !new.contains(network)) {
        list.extend(network_diff(Some(network), None, contextual));
    }
    for network in new.iter().filter(|network| !old.contains(network)) {
        list.extend(network_diff(None, Some(network), contextual));
    }
    sort_objects(&mut list);
    list
}

fn network_diff(
    old: Option<&NetworkResource>,
    new: Option<&NetworkResource>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&NetworkResource>| {
        side.map(|side| -> Fields {
            [
                ("Hostname".to_owned(), side.hostname.clone()),
                ("Mode".to_owned(), side.mode.clone()),
            ]
            .into()
        })
    };
    let dns =
        |side: Option<&NetworkResource>| side.and_then(|side| side.dns.as_ref()).map(dns_fields);
    let cni = |side: Option<&NetworkResource>| {
        side.and_then(|side| side.cni.as_ref())
            .map(|cni| cni.args.clone())
    };
    let mut list = ports("Static Port", old, new, contextual);
    list.extend(ports("Dynamic Port", old, new, contextual));
    list.extend(object("DNS", dns(old), dns(new), contextual));
    list.extend(object("CNIConfig", cni(old), cni(new), contextual));
    let kind = if new.is_some() {
        DiffType::Added
    } else {
        DiffType::Deleted
    };
    nested("Network", kind, flat(old), flat(new), list, contextual)
}

fn dns_fields(dns: &DnsConfig) -> Fields {
    // exhaustive
    let DnsConfig {
        servers,
        searches,
        options,
    } = dns;
    [
        ("Servers", servers),
        ("Searches", searches),
        ("Options", options),
    ]
    .into_iter()
    .filter(|(_, list)| !list.is_empty())
    .map(|(name, list)| (name.to_owned(), list.join(",")))
    .collect()
}

fn ports(
    name: &str,
    old: Option<&NetworkResource>,
    new: Option<&NetworkResource>,
    contextual: Contextual,
) -> Vec<ObjectDiff> {
    let fixed = name == "Static Port";
    let of = |side: Option<&NetworkResource>| -> Vec<Fields> {
        let Some(side) = side else { return Vec::new() };
        let list = if fixed {
            &side.reserved_ports
        } else {
            &side.dynamic_ports
        };
        list.iter().map(|port| port_fields(port, fixed)).collect()
    };
    let mut list: Vec<ObjectDiff> = of(old)
        .into_iter()
        .filter_map(|port| object(name, Some(port), None, contextual))
        .chain(
            of(new)
                .into_iter()
                .filter_map(|port| object(name, None, Some(port), contextual)),
        )
        .collect();
    sort_objects(&mut list);
    list
}

fn port_fields(port: &Port, fixed: bool) -> Fields {
    // exhaustive
    let Port {
        label,
        value,
        to,
        host_network,
        ignore_collision,
    } = port;
    let mut fields: Fields = [
        ("HostNetwork".to_owned(), host_network.clone()),
        ("Label".to_owned(), label.clone()),
        ("To".to_owned(), to.to_string()),
    ]
    .into();
    if fixed {
        fields.insert("IgnoreCollision".to_owned(), ignore_collision.to_string());
        fields.insert("Value".to_owned(), value.to_string());
    }
    fields
}
