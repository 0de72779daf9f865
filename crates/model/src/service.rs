//! Services that an allocation announces, and their health checks.

use crate::{Connect, Duration, Identity, StringMap, shape};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where services are announced.
pub mod service_provider {
    /// The external catalogue.
    pub const CONSUL: &str = "consul";
    /// The built-in catalogue.
    pub const NOMAD: &str = "nomad";
}

/// What an update waits for.
pub mod on_update {
    /// Checks must pass.
    pub const REQUIRE_HEALTHY: &str = "require_healthy";
    /// Warnings count as passing.
    pub const IGNORE_WARNINGS: &str = "ignore_warnings";
    /// The check does not count.
    pub const IGNORE: &str = "ignore";
}

/// Where the announced address comes from.
pub mod address_mode {
    /// The driver's when it advertises one, else the host's.
    pub const AUTO: &str = "auto";
    /// The host's.
    pub const HOST: &str = "host";
    /// The driver's.
    pub const DRIVER: &str = "driver";
    /// The allocation's own.
    pub const ALLOC: &str = "alloc";
    /// The allocation's own IPv6 address.
    pub const ALLOC_IPV6: &str = "alloc_ipv6";
}

/// A service announced by a group or task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Service {
    pub name: String,
    /// The task that runs script checks; set for every task-level service.
    pub task_name: String,
    /// A label, or a number as text.
    pub port_label: String,
    /// One of [`address_mode`].
    pub address_mode: String,
    /// Announced instead of the found address; needs mode `auto`.
    pub address: String,
    pub enable_tag_override: bool,
    #[serde(with = "shape::nullable")]
    pub tags: Vec<String>,
    /// Replace `tags` on canaries when there are any.
    #[serde(with = "shape::nullable")]
    pub canary_tags: Vec<String>,
    #[serde(with = "shape::nullable")]
    pub checks: Vec<ServiceCheck>,
    pub connect: Option<Connect>,
    #[serde(with = "shape::nullable")]
    pub meta: StringMap,
    #[serde(with = "shape::nullable")]
    pub canary_meta: StringMap,
    pub weights: Option<ServiceWeights>,
    #[serde(with = "shape::nullable")]
    pub tagged_addresses: StringMap,
    /// Where it is announced; set by the server.
    pub namespace: String,
    /// One of [`on_update`].
    pub on_update: String,
    /// One of [`service_provider`].
    pub provider: String,
    pub cluster: String,
    pub identity: Option<Identity>,
    pub kind: String,
}

impl Service {
    /// Whether it is announced in the built-in catalogue.
    #[must_use]
    pub fn is_nomad(&self) -> bool {
        self.provider == service_provider::NOMAD
    }

    /// Whether it is announced in the external catalogue.
    #[must_use]
    pub fn is_consul(&self) -> bool {
        self.provider.is_empty() || self.provider == service_provider::CONSUL
    }
}

/// Shares of traffic by health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceWeights {
    pub passing: i64,
    pub warning: i64,
}

/// A health check of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceCheck {
    pub name: String,
    /// `http`, `tcp`, `grpc` or `script`.
    pub r#type: String,
    /// Script checks.
    pub command: String,
    /// Script checks.
    #[serde(with = "shape::nullable")]
    pub args: Vec<String>,
    /// HTTP checks.
    pub path: String,
    /// `http` or `https`; empty means `http`.
    pub protocol: String,
    /// Empty means the service's.
    pub port_label: String,
    pub expose: bool,
    pub address_mode: String,
    /// Announced to the catalogue instead of the found address; absent when unset.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub advertise: String,
    pub interval: Duration,
    pub timeout: Duration,
    /// `passing`, `warning`, `critical`; empty means critical.
    pub initial_status: String,
    pub notes: String,
    #[serde(rename = "TLSServerName")]
    pub tls_server_name: String,
    #[serde(rename = "TLSSkipVerify")]
    pub tls_skip_verify: bool,
    /// HTTP checks; empty means GET.
    pub method: String,
    #[serde(with = "shape::nullable")]
    pub header: BTreeMap<String, Vec<String>>,
    pub check_restart: Option<CheckRestart>,
    #[serde(rename = "GRPCService")]
    pub grpc_service: String,
    #[serde(rename = "GRPCUseTLS")]
    pub grpc_use_tls: bool,
    /// The task that runs a script check.
    pub task_name: String,
    pub success_before_passing: i64,
    pub failures_before_critical: i64,
    pub failures_before_warning: i64,
    pub body: String,
    /// One of [`on_update`].
    pub on_update: String,
}

impl ServiceCheck {
    /// Whether the check connects to a port; a script does not.
    #[must_use]
    pub fn needs_port(&self) -> bool {
        ["http", "tcp", "grpc"].contains(&self.r#type.as_str())
    }
}

/// When failing checks restart the task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct CheckRestart {
    /// Failures in a row; 0 turns it off.
    pub limit: i64,
    /// How long after a start failures are passed over.
    pub grace: Duration,
    pub ignore_warnings: bool,
}
