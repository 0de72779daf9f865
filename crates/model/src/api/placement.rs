//! Affinities, spreads, networks and resources as users write them.

use super::*;
use crate::{
    Affinity, CniConfig, Constraint, DnsConfig, NetworkResource, Numa, Port, RequestedDevice,
    Resources, Spread, SpreadTarget, StringMap,
};
use serde::{Deserialize, Serialize};

/// See [`Affinity`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiAffinity {
    pub l_target: String,
    pub operand: String,
    pub r_target: String,
    pub weight: Option<i64>,
}

impl From<ApiAffinity> for Affinity {
    fn from(api: ApiAffinity) -> Self {
        // exhaustive
        let ApiAffinity {
            l_target,
            operand,
            r_target,
            weight,
        } = api;
        Self {
            l_target,
            r_target,
            operand,
            weight: weight.unwrap_or_default(),
        }
    }
}

/// See [`Spread`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiSpread {
    pub attribute: String,
    pub spread_target: Option<Vec<SpreadTarget>>,
    pub weight: Option<i64>,
}

impl From<ApiSpread> for Spread {
    fn from(api: ApiSpread) -> Self {
        // exhaustive
        let ApiSpread {
            attribute,
            spread_target,
            weight,
        } = api;
        Self {
            attribute,
            weight: weight.unwrap_or_default(),
            spread_target: spread_target.unwrap_or_default(),
        }
    }
}

/// See [`NetworkResource`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiNetworkResource {
    #[serde(rename = "CIDR")]
    pub cidr: String,
    #[serde(rename = "CNI")]
    pub cni: Option<ApiCniConfig>,
    #[serde(rename = "DNS")]
    pub dns: Option<ApiDnsConfig>,
    pub device: String,
    pub dynamic_ports: Option<Vec<ApiPort>>,
    pub hostname: String,
    #[serde(rename = "IP")]
    pub ip: String,
    pub m_bits: Option<i64>,
    pub mode: String,
    pub reserved_ports: Option<Vec<ApiPort>>,
}

impl From<ApiNetworkResource> for NetworkResource {
    fn from(api: ApiNetworkResource) -> Self {
        // exhaustive
        let ApiNetworkResource {
            cidr,
            cni,
            dns,
            device,
            dynamic_ports,
            hostname,
            ip,
            m_bits,
            mode,
            reserved_ports,
        } = api;
        Self {
            mode,
            device,
            cidr,
            ip,
            hostname,
            m_bits: m_bits.unwrap_or_default(),
            dns: dns.map(Into::into),
            reserved_ports: list(reserved_ports),
            dynamic_ports: list(dynamic_ports),
            cni: cni.map(Into::into),
        }
    }
}

/// See [`Port`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiPort {
    pub host_network: String,
    pub ignore_collision: bool,
    pub label: String,
    pub to: i64,
    pub value: i64,
}

impl From<ApiPort> for Port {
    fn from(api: ApiPort) -> Self {
        // exhaustive
        let ApiPort {
            host_network,
            ignore_collision,
            label,
            to,
            value,
        } = api;
        Self {
            label,
            value,
            to,
            host_network,
            ignore_collision,
        }
    }
}

/// See [`DnsConfig`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiDnsConfig {
    pub options: Option<Vec<String>>,
    pub searches: Option<Vec<String>>,
    pub servers: Option<Vec<String>>,
}

impl From<ApiDnsConfig> for DnsConfig {
    fn from(api: ApiDnsConfig) -> Self {
        // exhaustive
        let ApiDnsConfig {
            options,
            searches,
            servers,
        } = api;
        Self {
            servers: servers.unwrap_or_default(),
            searches: searches.unwrap_or_default(),
            options: options.unwrap_or_default(),
        }
    }
}

/// See [`CniConfig`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiCniConfig {
    pub args: Option<StringMap>,
}

impl From<ApiCniConfig> for CniConfig {
    fn from(api: ApiCniConfig) -> Self {
        // exhaustive
        let ApiCniConfig { args } = api;
        Self {
            args: args.unwrap_or_default(),
        }
    }
}

/// See [`Resources`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiResources {
    #[serde(rename = "CPU")]
    pub cpu: Option<i64>,
    pub cores: Option<i64>,
    pub devices: Option<Vec<ApiRequestedDevice>>,
    #[serde(rename = "DiskMB")]
    pub disk_mb: Option<i64>,
    #[serde(rename = "IOPS")]
    pub iops: Option<i64>,
    #[serde(rename = "MemoryMB")]
    pub memory_mb: Option<i64>,
    #[serde(rename = "MemoryMaxMB")]
    pub memory_max_mb: Option<i64>,
    #[serde(rename = "NUMA")]
    pub numa: Option<ApiNuma>,
    pub networks: Option<Vec<ApiNetworkResource>>,
    #[serde(rename = "SecretsMB")]
    pub secrets_mb: Option<i64>,
}

impl From<ApiResources> for Resources {
    fn from(api: ApiResources) -> Self {
        // exhaustive
        let ApiResources {
            cpu,
            cores,
            devices,
            disk_mb,
            iops,
            memory_mb,
            memory_max_mb,
            numa,
            networks,
            secrets_mb,
        } = api;
        Self {
            cpu: cpu.unwrap_or_default(),
            cores: cores.unwrap_or_default(),
            memory_mb: memory_mb.unwrap_or_default(),
            memory_max_mb: memory_max_mb.unwrap_or_default(),
            disk_mb: disk_mb.unwrap_or_default(),
            iops: iops.unwrap_or_default(),
            networks: list(networks),
            devices: list(devices),
            numa: numa.map(Into::into),
            secrets_mb: secrets_mb.unwrap_or_default(),
        }
    }
}

/// See [`RequestedDevice`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiRequestedDevice {
    pub affinities: Option<Vec<ApiAffinity>>,
    pub constraints: Option<Vec<Constraint>>,
    pub count: Option<u64>,
    pub name: String,
}

impl From<ApiRequestedDevice> for RequestedDevice {
    fn from(api: ApiRequestedDevice) -> Self {
        // exhaustive
        let ApiRequestedDevice {
            affinities,
            constraints,
            count,
            name,
        } = api;
        Self {
            name,
            count: count.unwrap_or_default(),
            constraints: constraints.unwrap_or_default(),
            affinities: list(affinities),
        }
    }
}

/// See [`Numa`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiNuma {
    pub affinity: String,
    pub devices: Option<Vec<String>>,
}

impl From<ApiNuma> for Numa {
    fn from(api: ApiNuma) -> Self {
        // exhaustive
        let ApiNuma { affinity, devices } = api;
        Self {
            affinity,
            devices: devices.unwrap_or_default(),
        }
    }
}
