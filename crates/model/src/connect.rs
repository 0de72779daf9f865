//! Service mesh settings of a service: sidecars, upstreams and gateways.

use crate::{Duration, Identity, LogConfig, Object, Resources, StringMap, VolumeMount, shape};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a service takes part in the mesh: exactly one of the four.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Connect {
    /// The task speaks the mesh's protocol itself.
    pub native: bool,
    pub sidecar_service: Option<SidecarService>,
    pub sidecar_task: Option<SidecarTask>,
    pub gateway: Option<Gateway>,
}

/// The proxy registered next to a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SidecarService {
    #[serde(with = "shape::nullable")]
    pub tags: Vec<String>,
    pub port: String,
    pub proxy: Option<ConnectProxy>,
    #[serde(rename = "DisableDefaultTCPCheck")]
    pub disable_default_tcp_check: bool,
    #[serde(with = "shape::nullable")]
    pub meta: StringMap,
}

/// What a sidecar proxy does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ConnectProxy {
    pub local_service_address: String,
    pub local_service_port: i64,
    pub expose: Option<ExposeConfig>,
    #[serde(with = "shape::nullable")]
    pub upstreams: Vec<Upstream>,
    pub transparent_proxy: Option<TransparentProxy>,
    /// Passed to the proxy as it is.
    #[serde(with = "shape::nullable")]
    pub config: Object,
}

/// Paths of a service that are reachable without the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ExposeConfig {
    #[serde(with = "shape::nullable")]
    pub paths: Vec<ExposePath>,
}

/// A path reachable without the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ExposePath {
    pub path: String,
    pub protocol: String,
    pub local_path_port: i64,
    /// Label of the port that listens.
    pub listener_port: String,
}

/// Another service that is reached through the sidecar.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Upstream {
    pub destination_name: String,
    pub destination_namespace: String,
    pub destination_peer: String,
    pub destination_partition: String,
    /// `service` or `prepared_query`.
    pub destination_type: String,
    pub local_bind_port: i64,
    pub local_bind_address: String,
    pub local_bind_socket_path: String,
    pub local_bind_socket_mode: String,
    pub datacenter: String,
    pub mesh_gateway: Option<MeshGateway>,
    /// Passed to the proxy as it is.
    #[serde(with = "shape::nullable")]
    pub config: Object,
}

/// How traffic leaves for other datacenters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MeshGateway {
    /// `none`, `local` or `remote`.
    pub mode: String,
}

/// Traffic is redirected into the proxy without the task's knowledge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TransparentProxy {
    #[serde(rename = "UID")]
    pub uid: String,
    pub outbound_port: u64,
    #[serde(with = "shape::nullable")]
    pub exclude_inbound_ports: Vec<String>,
    #[serde(with = "shape::nullable")]
    pub exclude_outbound_ports: Vec<u64>,
    #[serde(rename = "ExcludeOutboundCIDRs", with = "shape::nullable")]
    pub exclude_outbound_cidrs: Vec<String>,
    #[serde(rename = "ExcludeUIDs", with = "shape::nullable")]
    pub exclude_uids: Vec<String>,
    #[serde(rename = "NoDNS")]
    pub no_dns: bool,
}

/// Overrides of the injected proxy task; what is absent keeps the injected value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SidecarTask {
    pub name: String,
    pub driver: String,
    pub user: String,
    #[serde(with = "shape::nullable")]
    pub config: Object,
    #[serde(with = "shape::nullable")]
    pub env: StringMap,
    pub resources: Option<Resources>,
    #[serde(with = "shape::nullable")]
    pub meta: StringMap,
    pub kill_timeout: Option<Duration>,
    pub log_config: Option<LogConfig>,
    pub shutdown_delay: Option<Duration>,
    pub kill_signal: String,
    #[serde(with = "shape::nullable")]
    pub volume_mounts: Vec<VolumeMount>,
    #[serde(with = "shape::nullable")]
    pub identities: Vec<Identity>,
}

/// A gateway of the mesh: exactly one of ingress, terminating and mesh.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Gateway {
    pub proxy: Option<GatewayProxy>,
    pub ingress: Option<IngressGateway>,
    pub terminating: Option<TerminatingGateway>,
    pub mesh: Option<MeshGatewayConfig>,
}

/// The proxy of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GatewayProxy {
    pub connect_timeout: Option<Duration>,
    pub envoy_gateway_bind_tagged_addresses: bool,
    #[serde(with = "shape::nullable")]
    pub envoy_gateway_bind_addresses: BTreeMap<String, GatewayBindAddress>,
    pub envoy_gateway_no_default_bind: bool,
    #[serde(rename = "EnvoyDNSDiscoveryType")]
    pub envoy_dns_discovery_type: String,
    /// Passed to the proxy as it is.
    #[serde(with = "shape::nullable")]
    pub config: Object,
}

/// An address a gateway binds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GatewayBindAddress {
    pub name: String,
    pub address: String,
    pub port: i64,
}

/// Traffic from outside into the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IngressGateway {
    #[serde(rename = "TLS")]
    pub tls: Option<GatewayTls>,
    #[serde(with = "shape::nullable")]
    pub listeners: Vec<IngressListener>,
}

/// Encryption of a gateway's listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GatewayTls {
    pub enabled: bool,
    #[serde(rename = "TLSMinVersion")]
    pub tls_min_version: String,
    #[serde(rename = "TLSMaxVersion")]
    pub tls_max_version: String,
    #[serde(with = "shape::nullable")]
    pub cipher_suites: Vec<String>,
    #[serde(rename = "SDS")]
    pub sds: Option<GatewayTlsSds>,
}

/// Where a gateway fetches its certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct GatewayTlsSds {
    pub cluster_name: String,
    pub cert_resource: String,
}

/// A port of an ingress gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IngressListener {
    pub port: i64,
    /// `tcp`, `http`, `http2` or `grpc`.
    pub protocol: String,
    #[serde(with = "shape::nullable")]
    pub services: Vec<IngressService>,
}

/// A service behind an ingress listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IngressService {
    pub name: String,
    #[serde(with = "shape::nullable")]
    pub hosts: Vec<String>,
    #[serde(rename = "TLS")]
    pub tls: Option<GatewayTls>,
    pub request_headers: Option<HeaderModifiers>,
    pub response_headers: Option<HeaderModifiers>,
    pub max_connections: Option<u64>,
    pub max_pending_requests: Option<u64>,
    pub max_concurrent_requests: Option<u64>,
}

/// Headers added, replaced and removed on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HeaderModifiers {
    #[serde(with = "shape::nullable")]
    pub add: StringMap,
    #[serde(with = "shape::nullable")]
    pub set: StringMap,
    #[serde(with = "shape::nullable")]
    pub remove: Vec<String>,
}

/// Traffic from the mesh to services outside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TerminatingGateway {
    #[serde(with = "shape::nullable")]
    pub services: Vec<LinkedService>,
}

/// A service outside the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LinkedService {
    pub name: String,
    #[serde(rename = "CAFile")]
    pub ca_file: String,
    pub cert_file: String,
    pub key_file: String,
    #[serde(rename = "SNI")]
    pub sni: String,
}

/// A gateway between datacenters; it has no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MeshGatewayConfig {}
