//! Services and checks as users write them.

use super::*;
use crate::{CheckRestart, Duration, Service, ServiceCheck, ServiceWeights, StringMap};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A service as users write it; see [`Service`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiService {
    pub address: String,
    pub address_mode: String,
    pub canary_meta: Option<StringMap>,
    pub canary_tags: Option<Vec<String>>,
    /// What checks start from; not kept on the service.
    pub check_restart: Option<ApiCheckRestart>,
    pub checks: Option<Vec<ApiServiceCheck>>,
    pub cluster: String,
    pub connect: Option<ApiConnect>,
    pub enable_tag_override: bool,
    pub identity: Option<ApiIdentity>,
    pub kind: String,
    pub meta: Option<StringMap>,
    pub name: String,
    pub on_update: String,
    pub port_label: String,
    pub provider: String,
    pub tagged_addresses: Option<StringMap>,
    pub tags: Option<Vec<String>>,
    pub task_name: String,
    pub weights: Option<ServiceWeights>,
}

impl From<ApiService> for Service {
    fn from(api: ApiService) -> Self {
        // exhaustive
        let ApiService {
            address,
            address_mode,
            canary_meta,
            canary_tags,
            check_restart: _,
            checks,
            cluster,
            connect,
            enable_tag_override,
            identity,
            kind,
            meta,
            name,
            on_update,
            port_label,
            provider,
            tagged_addresses,
            tags,
            task_name,
            weights,
        } = api;
        Self {
            name,
            task_name,
            port_label,
            address_mode,
            address,
            enable_tag_override,
            tags: tags.unwrap_or_default(),
            canary_tags: canary_tags.unwrap_or_default(),
            checks: list(checks),
            connect: connect.map(Into::into),
            meta: meta.unwrap_or_default(),
            canary_meta: canary_meta.unwrap_or_default(),
            weights,
            tagged_addresses: tagged_addresses.unwrap_or_default(),
            namespace: String::new(),
            on_update,
            provider,
            cluster,
            identity: identity.map(Into::into),
            kind,
        }
    }
}

/// See [`ServiceCheck`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiServiceCheck {
    pub address_mode: String,
    pub advertise: String,
    pub args: Option<Vec<String>>,
    pub body: String,
    pub check_restart: Option<ApiCheckRestart>,
    pub command: String,
    pub expose: bool,
    pub failures_before_critical: i64,
    pub failures_before_warning: i64,
    #[serde(rename = "GRPCService")]
    pub grpc_service: String,
    #[serde(rename = "GRPCUseTLS")]
    pub grpc_use_tls: bool,
    pub header: Option<BTreeMap<String, Vec<String>>>,
    pub initial_status: String,
    pub interval: Duration,
    pub method: String,
    pub name: String,
    pub notes: String,
    pub on_update: String,
    pub path: String,
    pub port_label: String,
    pub protocol: String,
    pub success_before_passing: i64,
    #[serde(rename = "TLSServerName")]
    pub tls_server_name: String,
    #[serde(rename = "TLSSkipVerify")]
    pub tls_skip_verify: bool,
    pub task_name: String,
    pub timeout: Duration,
    pub r#type: String,
}

impl From<ApiServiceCheck> for ServiceCheck {
    fn from(api: ApiServiceCheck) -> Self {
        // exhaustive
        let ApiServiceCheck {
            address_mode,
            advertise,
            args,
            body,
            check_restart,
            command,
            expose,
            failures_before_critical,
            failures_before_warning,
            grpc_service,
            grpc_use_tls,
            header,
            initial_status,
            interval,
            method,
            name,
            notes,
            on_update,
            path,
            port_label,
            protocol,
            success_before_passing,
            tls_server_name,
            tls_skip_verify,
            task_name,
            timeout,
            r#type,
        } = api;
        Self {
            name,
            r#type,
            command,
            args: args.unwrap_or_default(),
            path,
            protocol,
            port_label,
            expose,
            address_mode,
            advertise,
            interval,
            timeout,
            initial_status,
            notes,
            tls_server_name,
            tls_skip_verify,
            method,
            header: header.unwrap_or_default(),
            check_restart: check_restart.map(Into::into),
            grpc_service,
            grpc_use_tls,
            task_name,
            success_before_passing,
            failures_before_critical,
            failures_before_warning,
            body,
            on_update,
        }
    }
}

/// See [`CheckRestart`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiCheckRestart {
    pub grace: Option<Duration>,
    pub ignore_warnings: bool,
    pub limit: i64,
}

impl From<ApiCheckRestart> for CheckRestart {
    fn from(api: ApiCheckRestart) -> Self {
        // exhaustive
        let ApiCheckRestart {
            grace,
            ignore_warnings,
            limit,
        } = api;
        Self {
            limit,
            grace: grace.unwrap_or_default(),
            ignore_warnings,
        }
    }
}
