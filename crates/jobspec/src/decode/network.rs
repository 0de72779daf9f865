//! Networks and ports, of groups and (the form of 2017) of tasks.

use super::content::BlockRef;
use super::policy::only;
use super::schema::{BlockType, Schema, one};
use crate::eval::{Scope, Session};
use caravan_model::api::{ApiCniConfig, ApiDnsConfig, ApiNetworkResource, ApiPort};

const NETWORK: Schema = Schema {
    attributes: &[
        "mode",
        "device",
        "cidr",
        "ip",
        "hostname",
        "mbits",
        "reserved_ports",
    ],
    blocks: &[
        one("dns"),
        one("cni"),
        BlockType {
            name: "port",
            labels: &["label"],
            single: false,
        },
    ],
};

const PORT: Schema = Schema {
    attributes: &["static", "to", "host_network", "ignore_collision"],
    blocks: &[],
};

const DNS: Schema = Schema {
    attributes: &["servers", "searches", "options"],
    blocks: &[],
};

const CNI: Schema = Schema {
    attributes: &["args"],
    blocks: &[one("args")],
};

pub(super) fn network(
    cx: &mut Session<'_>,
    block: &BlockRef<'_>,
    scope: &Scope,
) -> ApiNetworkResource {
    let body = block.content(cx, scope, &NETWORK);
    let (mut dynamic, mut reserved) = (Vec::new(), Vec::new());
    for block in body.blocks("port") {
        let port = port(cx, block, &body.scope);
        match port.value > 0 {
            true => reserved.push(port),
            false => dynamic.push(port),
        }
    }
    body.text(cx, "reserved_ports");
    ApiNetworkResource {
        cidr: body.plain_text(cx, "cidr"),
        cni: only(cx, &body, "cni", cni),
        dns: only(cx, &body, "dns", dns),
        device: body.plain_text(cx, "device"),
        dynamic_ports: (!dynamic.is_empty()).then_some(dynamic),
        hostname: body.plain_text(cx, "hostname"),
        ip: body.plain_text(cx, "ip"),
        m_bits: body.int(cx, "mbits"),
        mode: body.plain_text(cx, "mode"),
        reserved_ports: (!reserved.is_empty()).then_some(reserved),
    }
}

fn port(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiPort {
    let body = block.content(cx, scope, &PORT);
    ApiPort {
        host_network: body.plain_text(cx, "host_network"),
        ignore_collision: body.plain_bool(cx, "ignore_collision"),
        label: block.label(0),
        to: body.plain_int(cx, "to"),
        value: body.plain_int(cx, "static"),
    }
}

fn dns(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiDnsConfig {
    let body = block.content(cx, scope, &DNS);
    ApiDnsConfig {
        options: body.texts(cx, "options"),
        searches: body.texts(cx, "searches"),
        servers: body.texts(cx, "servers"),
    }
}

fn cni(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiCniConfig {
    let body = block.content(cx, scope, &CNI);
    ApiCniConfig {
        args: body.text_map(cx, "args"),
    }
}
