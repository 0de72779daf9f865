//! Gateways of a mesh.

use super::content::BlockRef;
use super::free_form::free_form;
use super::policy::{all, only};
use super::schema::{Schema, many, named, one};
use crate::eval::{Scope, Session};
use caravan_model::api::{
    ApiGateway, ApiGatewayProxy, ApiGatewayTls, ApiHeaderModifiers, ApiIngressGateway,
    ApiIngressListener, ApiIngressService, ApiTerminatingGateway,
};
use caravan_model::{GatewayBindAddress, GatewayTlsSds, LinkedService, MeshGatewayConfig};

const GATEWAY: Schema = Schema {
    attributes: &[],
    blocks: &[
        one("proxy"),
        one("ingress"),
        one("terminating"),
        one("mesh"),
    ],
};

const PROXY: Schema = Schema {
    attributes: &[
        "connect_timeout",
        "envoy_gateway_bind_tagged_addresses",
        "envoy_gateway_no_default_bind",
        "envoy_dns_discovery_type",
    ],
    blocks: &[named("envoy_gateway_bind_addresses"), one("config")],
};

const ADDRESS: Schema = Schema {
    attributes: &["address", "port"],
    blocks: &[],
};

const INGRESS: Schema = Schema {
    attributes: &[],
    blocks: &[one("tls"), many("listener")],
};

const TLS: Schema = Schema {
    attributes: &[
        "enabled",
        "tls_min_version",
        "tls_max_version",
        "cipher_suites",
    ],
    blocks: &[one("sds")],
};

const SDS: Schema = Schema {
    attributes: &["cluster_name", "cert_resource"],
    blocks: &[],
};

const LISTENER: Schema = Schema {
    attributes: &["port", "protocol"],
    blocks: &[many("service")],
};

const SERVICE: Schema = Schema {
    attributes: &[
        "name",
        "hosts",
        "max_connections",
        "max_pending_requests",
        "max_concurrent_requests",
    ],
    blocks: &[one("tls"), one("request_headers"), one("response_headers")],
};

const HEADERS: Schema = Schema {
    attributes: &["remove"],
    blocks: &[one("add"), one("set")],
};

const TERMINATING: Schema = Schema {
    attributes: &[],
    blocks: &[many("service")],
};

const LINKED: Schema = Schema {
    attributes: &["name", "ca_file", "cert_file", "key_file", "sni"],
    blocks: &[],
};

const NOTHING: Schema = Schema {
    attributes: &[],
    blocks: &[],
};

pub(super) fn gateway(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiGateway {
    let body = block.content(cx, scope, &GATEWAY);
    ApiGateway {
        ingress: only(cx, &body, "ingress", ingress),
        mesh: only(cx, &body, "mesh", mesh),
        proxy: only(cx, &body, "proxy", proxy),
        terminating: only(cx, &body, "terminating", terminating),
    }
}

fn mesh(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> MeshGatewayConfig {
    block.content(cx, scope, &NOTHING);
    MeshGatewayConfig {}
}

fn proxy(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiGatewayProxy {
    let body = block.content(cx, scope, &PROXY);
    let mut addresses = std::collections::BTreeMap::new();
    for block in body.blocks("envoy_gateway_bind_addresses") {
        let address = block.content(cx, &body.scope, &ADDRESS);
        addresses.insert(
            block.label(0),
            GatewayBindAddress {
                name: block.label(0),
                address: address.plain_text(cx, "address"),
                port: address.plain_int(cx, "port"),
            },
        );
    }
    ApiGatewayProxy {
        config: only(cx, &body, "config", free_form),
        connect_timeout: body.duration(cx, "connect_timeout"),
        envoy_dns_discovery_type: body.plain_text(cx, "envoy_dns_discovery_type"),
        envoy_gateway_bind_addresses: (!addresses.is_empty()).then_some(addresses),
        envoy_gateway_bind_tagged_addresses: body
            .plain_bool(cx, "envoy_gateway_bind_tagged_addresses"),
        envoy_gateway_no_default_bind: body.plain_bool(cx, "envoy_gateway_no_default_bind"),
    }
}

fn ingress(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiIngressGateway {
    let body = block.content(cx, scope, &INGRESS);
    ApiIngressGateway {
        listeners: all(cx, &body, "listener", listener),
        tls: only(cx, &body, "tls", tls),
    }
}

fn tls(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiGatewayTls {
    let body = block.content(cx, scope, &TLS);
    ApiGatewayTls {
        cipher_suites: body.texts(cx, "cipher_suites"),
        enabled: body.plain_bool(cx, "enabled"),
        sds: only(cx, &body, "sds", sds),
        tls_max_version: body.plain_text(cx, "tls_max_version"),
        tls_min_version: body.plain_text(cx, "tls_min_version"),
    }
}

fn sds(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> GatewayTlsSds {
    let body = block.content(cx, scope, &SDS);
    GatewayTlsSds {
        cluster_name: body.plain_text(cx, "cluster_name"),
        cert_resource: body.plain_text(cx, "cert_resource"),
    }
}

fn listener(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiIngressListener {
    let body = block.content(cx, scope, &LISTENER);
    ApiIngressListener {
        port: body.plain_int(cx, "port"),
        protocol: body.plain_text(cx, "protocol"),
        services: all(cx, &body, "service", service),
    }
}

fn service(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiIngressService {
    let body = block.content(cx, scope, &SERVICE);
    ApiIngressService {
        hosts: body.texts(cx, "hosts"),
        max_concurrent_requests: body.count(cx, "max_concurrent_requests"),
        max_connections: body.count(cx, "max_connections"),
        max_pending_requests: body.count(cx, "max_pending_requests"),
        name: body.plain_text(cx, "name"),
        request_headers: only(cx, &body, "request_headers", headers),
        response_headers: only(cx, &body, "response_headers", headers),
        tls: only(cx, &body, "tls", tls),
    }
}

fn headers(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiHeaderModifiers {
    let body = block.content(cx, scope, &HEADERS);
    ApiHeaderModifiers {
        add: body.text_map(cx, "add"),
        remove: body.texts(cx, "remove"),
        set: body.text_map(cx, "set"),
    }
}

fn terminating(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> ApiTerminatingGateway {
    let body = block.content(cx, scope, &TERMINATING);
    ApiTerminatingGateway {
        services: all(cx, &body, "service", linked),
    }
}

fn linked(cx: &mut Session<'_>, block: &BlockRef<'_>, scope: &Scope) -> LinkedService {
    let body = block.content(cx, scope, &LINKED);
    LinkedService {
        name: body.plain_text(cx, "name"),
        ca_file: body.plain_text(cx, "ca_file"),
        cert_file: body.plain_text(cx, "cert_file"),
        key_file: body.plain_text(cx, "key_file"),
        sni: body.plain_text(cx, "sni"),
    }
}
