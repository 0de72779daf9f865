//! Service mesh settings as users write them.

use super::*;
use crate::{
    Connect, ConnectProxy, Duration, ExposeConfig, ExposePath, Gateway, GatewayBindAddress,
    GatewayProxy, GatewayTls, GatewayTlsSds, HeaderModifiers, IngressGateway, IngressListener,
    IngressService, LinkedService, MeshGateway, MeshGatewayConfig, Object, SidecarService,
    SidecarTask, StringMap, TerminatingGateway, TransparentProxy, Upstream,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// See [`Connect`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiConnect {
    pub gateway: Option<ApiGateway>,
    pub native: bool,
    pub sidecar_service: Option<ApiSidecarService>,
    pub sidecar_task: Option<ApiSidecarTask>,
}

impl From<ApiConnect> for Connect {
    fn from(api: ApiConnect) -> Self {
        // exhaustive
        let ApiConnect {
            gateway,
            native,
            sidecar_service,
            sidecar_task,
        } = api;
        Self {
            native,
            sidecar_service: sidecar_service.map(Into::into),
            sidecar_task: sidecar_task.map(Into::into),
            gateway: gateway.map(Into::into),
        }
    }
}

/// See [`SidecarService`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiSidecarService {
    #[serde(rename = "DisableDefaultTCPCheck")]
    pub disable_default_tcp_check: bool,
    pub meta: Option<StringMap>,
    pub port: String,
    pub proxy: Option<ApiConnectProxy>,
    pub tags: Option<Vec<String>>,
}

impl From<ApiSidecarService> for SidecarService {
    fn from(api: ApiSidecarService) -> Self {
        // exhaustive
        let ApiSidecarService {
            disable_default_tcp_check,
            meta,
            port,
            proxy,
            tags,
        } = api;
        Self {
            tags: tags.unwrap_or_default(),
            port,
            proxy: proxy.map(Into::into),
            disable_default_tcp_check,
            meta: meta.unwrap_or_default(),
        }
    }
}

/// See [`ConnectProxy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiConnectProxy {
    pub config: Option<Object>,
    pub expose: Option<ApiExposeConfig>,
    /// Old name of `expose`.
    pub expose_config: Option<ApiExposeConfig>,
    pub local_service_address: String,
    pub local_service_port: i64,
    pub transparent_proxy: Option<ApiTransparentProxy>,
    pub upstreams: Option<Vec<ApiUpstream>>,
}

impl From<ApiConnectProxy> for ConnectProxy {
    fn from(api: ApiConnectProxy) -> Self {
        // exhaustive
        let ApiConnectProxy {
            config,
            expose,
            expose_config,
            local_service_address,
            local_service_port,
            transparent_proxy,
            upstreams,
        } = api;
        Self {
            local_service_address,
            local_service_port,
            expose: expose.or(expose_config).map(Into::into),
            upstreams: list(upstreams),
            transparent_proxy: transparent_proxy.map(Into::into),
            config: config.unwrap_or_default(),
        }
    }
}

/// See [`ExposeConfig`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiExposeConfig {
    /// Old name of `paths`.
    pub path: Option<Vec<ExposePath>>,
    pub paths: Option<Vec<ExposePath>>,
}

impl From<ApiExposeConfig> for ExposeConfig {
    fn from(api: ApiExposeConfig) -> Self {
        // exhaustive
        let ApiExposeConfig { path, paths } = api;
        Self {
            paths: paths.or(path).unwrap_or_default(),
        }
    }
}

/// See [`Upstream`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiUpstream {
    pub config: Option<Object>,
    pub datacenter: String,
    pub destination_name: String,
    pub destination_namespace: String,
    pub destination_partition: String,
    pub destination_peer: String,
    pub destination_type: String,
    pub local_bind_address: String,
    pub local_bind_port: i64,
    pub local_bind_socket_mode: String,
    pub local_bind_socket_path: String,
    pub mesh_gateway: Option<MeshGateway>,
}

impl From<ApiUpstream> for Upstream {
    fn from(api: ApiUpstream) -> Self {
        // exhaustive
        let ApiUpstream {
            config,
            datacenter,
            destination_name,
            destination_namespace,
            destination_partition,
            destination_peer,
            destination_type,
            local_bind_address,
            local_bind_port,
            local_bind_socket_mode,
            local_bind_socket_path,
            mesh_gateway,
        } = api;
        Self {
            destination_name,
            destination_namespace,
            destination_peer,
            destination_partition,
            destination_type,
            local_bind_port,
            local_bind_address,
            local_bind_socket_path,
            local_bind_socket_mode,
            datacenter,
            mesh_gateway,
            config: config.unwrap_or_default(),
        }
    }
}

/// See [`TransparentProxy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiTransparentProxy {
    pub exclude_inbound_ports: Option<Vec<String>>,
    #[serde(rename = "ExcludeOutboundCIDRs")]
    pub exclude_outbound_cidrs: Option<Vec<String>>,
    pub exclude_outbound_ports: Option<Vec<u64>>,
    #[serde(rename = "ExcludeUIDs")]
    pub exclude_uids: Option<Vec<String>>,
    #[serde(rename = "NoDNS")]
    pub no_dns: bool,
    pub outbound_port: u64,
    #[serde(rename = "UID")]
    pub uid: String,
}

impl From<ApiTransparentProxy> for TransparentProxy {
    fn from(api: ApiTransparentProxy) -> Self {
        // exhaustive
        let ApiTransparentProxy {
            exclude_inbound_ports,
            exclude_outbound_cidrs,
            exclude_outbound_ports,
            exclude_uids,
            no_dns,
            outbound_port,
            uid,
        } = api;
        Self {
            uid,
            outbound_port,
            exclude_inbound_ports: exclude_inbound_ports.unwrap_or_default(),
            exclude_outbound_ports: exclude_outbound_ports.unwrap_or_default(),
            exclude_outbound_cidrs: exclude_outbound_cidrs.unwrap_or_default(),
            exclude_uids: exclude_uids.unwrap_or_default(),
            no_dns,
        }
    }
}

/// See [`SidecarTask`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiSidecarTask {
    pub config: Option<Object>,
    pub driver: String,
    pub env: Option<StringMap>,
    pub identities: Option<Vec<ApiIdentity>>,
    pub kill_signal: String,
    pub kill_timeout: Option<Duration>,
    pub log_config: Option<ApiLogConfig>,
    pub meta: Option<StringMap>,
    pub name: String,
    pub resources: Option<ApiResources>,
    pub shutdown_delay: Option<Duration>,
    pub user: String,
    pub volume_mounts: Option<Vec<ApiVolumeMount>>,
}

impl From<ApiSidecarTask> for SidecarTask {
    fn from(api: ApiSidecarTask) -> Self {
        // exhaustive
        let ApiSidecarTask {
            config,
            driver,
            env,
            identities,
            kill_signal,
            kill_timeout,
            log_config,
            meta,
            name,
            resources,
            shutdown_delay,
            user,
            volume_mounts,
        } = api;
        Self {
            name,
            driver,
            user,
            config: config.unwrap_or_default(),
            env: env.unwrap_or_default(),
            resources: resources.map(Into::into),
            meta: meta.unwrap_or_default(),
            kill_timeout,
            log_config: log_config.map(Into::into),
            shutdown_delay,
            kill_signal,
            volume_mounts: list(volume_mounts),
            identities: list(identities),
        }
    }
}

/// See [`Gateway`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiGateway {
    pub ingress: Option<ApiIngressGateway>,
    pub mesh: Option<MeshGatewayConfig>,
    pub proxy: Option<ApiGatewayProxy>,
    pub terminating: Option<ApiTerminatingGateway>,
}

impl From<ApiGateway> for Gateway {
    fn from(api: ApiGateway) -> Self {
        // exhaustive
        let ApiGateway {
            ingress,
            mesh,
            proxy,
            terminating,
        } = api;
        Self {
            proxy: proxy.map(Into::into),
            ingress: ingress.map(Into::into),
            terminating: terminating.map(Into::into),
            mesh,
        }
    }
}

/// See [`GatewayProxy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiGatewayProxy {
    pub config: Option<Object>,
    pub connect_timeout: Option<Duration>,
    #[serde(rename = "EnvoyDNSDiscoveryType")]
    pub envoy_dns_discovery_type: String,
    pub envoy_gateway_bind_addresses: Option<BTreeMap<String, GatewayBindAddress>>,
    pub envoy_gateway_bind_tagged_addresses: bool,
    pub envoy_gateway_no_default_bind: bool,
}

impl From<ApiGatewayProxy> for GatewayProxy {
    fn from(api: ApiGatewayProxy) -> Self {
        // exhaustive
        let ApiGatewayProxy {
            config,
            connect_timeout,
            envoy_dns_discovery_type,
            envoy_gateway_bind_addresses,
            envoy_gateway_bind_tagged_addresses,
            envoy_gateway_no_default_bind,
        } = api;
        Self {
            connect_timeout,
            envoy_gateway_bind_tagged_addresses,
            envoy_gateway_bind_addresses: envoy_gateway_bind_addresses.unwrap_or_default(),
            envoy_gateway_no_default_bind,
            envoy_dns_discovery_type,
            config: config.unwrap_or_default(),
        }
    }
}

/// See [`IngressGateway`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiIngressGateway {
    pub listeners: Option<Vec<ApiIngressListener>>,
    #[serde(rename = "TLS")]
    pub tls: Option<ApiGatewayTls>,
}

impl From<ApiIngressGateway> for IngressGateway {
    fn from(api: ApiIngressGateway) -> Self {
        // exhaustive
        let ApiIngressGateway { listeners, tls } = api;
        Self {
            tls: tls.map(Into::into),
            listeners: list(listeners),
        }
    }
}

/// See [`GatewayTls`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiGatewayTls {
    pub cipher_suites: Option<Vec<String>>,
    pub enabled: bool,
    #[serde(rename = "SDS")]
    pub sds: Option<GatewayTlsSds>,
    #[serde(rename = "TLSMaxVersion")]
    pub tls_max_version: String,
    #[serde(rename = "TLSMinVersion")]
    pub tls_min_version: String,
}

impl From<ApiGatewayTls> for GatewayTls {
    fn from(api: ApiGatewayTls) -> Self {
        // exhaustive
        let ApiGatewayTls {
            cipher_suites,
            enabled,
            sds,
            tls_max_version,
            tls_min_version,
        } = api;
        Self {
            enabled,
            tls_min_version,
            tls_max_version,
            cipher_suites: cipher_suites.unwrap_or_default(),
            sds,
        }
    }
}

/// See [`IngressListener`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiIngressListener {
    pub port: i64,
    pub protocol: String,
    pub services: Option<Vec<ApiIngressService>>,
}

impl From<ApiIngressListener> for IngressListener {
    fn from(api: ApiIngressListener) -> Self {
        // exhaustive
        let ApiIngressListener {
            port,
            protocol,
            services,
        } = api;
        Self {
            port,
            protocol,
            services: list(services),
        }
    }
}

/// See [`IngressService`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiIngressService {
    pub hosts: Option<Vec<String>>,
    pub max_concurrent_requests: Option<u64>,
    pub max_connections: Option<u64>,
    pub max_pending_requests: Option<u64>,
    pub name: String,
    pub request_headers: Option<ApiHeaderModifiers>,
    pub response_headers: Option<ApiHeaderModifiers>,
    #[serde(rename = "TLS")]
    pub tls: Option<ApiGatewayTls>,
}

impl From<ApiIngressService> for IngressService {
    fn from(api: ApiIngressService) -> Self {
        // exhaustive
        let ApiIngressService {
            hosts,
            max_concurrent_requests,
            max_connections,
            max_pending_requests,
            name,
            request_headers,
            response_headers,
            tls,
        } = api;
        Self {
            name,
            hosts: hosts.unwrap_or_default(),
            tls: tls.map(Into::into),
            request_headers: request_headers.map(Into::into),
            response_headers: response_headers.map(Into::into),
            max_connections,
            max_pending_requests,
            max_concurrent_requests,
        }
    }
}

/// See [`HeaderModifiers`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiHeaderModifiers {
    pub add: Option<StringMap>,
    pub remove: Option<Vec<String>>,
    pub set: Option<StringMap>,
}

impl From<ApiHeaderModifiers> for HeaderModifiers {
    fn from(api: ApiHeaderModifiers) -> Self {
        // exhaustive
        let ApiHeaderModifiers { add, remove, set } = api;
        Self {
            add: add.unwrap_or_default(),
            set: set.unwrap_or_default(),
            remove: remove.unwrap_or_default(),
        }
    }
}

/// See [`TerminatingGateway`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiTerminatingGateway {
    pub services: Option<Vec<LinkedService>>,
}

impl From<ApiTerminatingGateway> for TerminatingGateway {
    fn from(api: ApiTerminatingGateway) -> Self {
        // exhaustive
        let ApiTerminatingGateway { services } = api;
        Self {
            services: services.unwrap_or_default(),
        }
    }
}
