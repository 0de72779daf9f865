//! What an agent says about itself and its members.

use crate::shape;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an agent says about itself.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentSelf {
    /// The configuration in force, with secrets blanked.
    pub config: serde_json::Value,
    /// Itself as a member.
    pub member: AgentMember,
    /// Numbers as text, by group.
    #[serde(deserialize_with = "shape::null_default")]
    pub stats: BTreeMap<String, BTreeMap<String, String>>,
}

/// A server as a member of the cluster.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AgentMember {
    /// `<name>.<region>`.
    pub name: String,
    /// Its address.
    pub addr: String,
    /// Its port.
    pub port: u16,
    /// What it says about itself.
    #[serde(with = "shape::nullable")]
    pub tags: BTreeMap<String, String>,
    /// `alive`, `leaving`, `left` or `failed`.
    pub status: String,
    /// Oldest protocol it speaks.
    pub protocol_min: u8,
    /// Newest protocol it speaks.
    pub protocol_max: u8,
    /// The protocol it speaks.
    pub protocol_cur: u8,
    /// Oldest inner protocol it speaks.
    pub delegate_min: u8,
    /// Newest inner protocol it speaks.
    pub delegate_max: u8,
    /// The inner protocol it speaks.
    pub delegate_cur: u8,
}

/// The servers of a region.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentMembers {
    /// Who says so.
    #[serde(rename = "ServerName")]
    pub server_name: String,
    /// Its region.
    #[serde(rename = "ServerRegion")]
    pub server_region: String,
    /// Its datacenter.
    #[serde(rename = "ServerDC")]
    pub server_dc: String,
    /// The members.
    #[serde(rename = "Members", with = "shape::nullable")]
    pub members: Vec<AgentMember>,
}

/// Whether an agent is healthy, by role.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentHealth {
    /// As a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<AgentRoleHealth>,
    /// As a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<AgentRoleHealth>,
}

/// Whether an agent is healthy in a role.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentRoleHealth {
    /// `ok`, or what is wrong.
    pub message: String,
    /// Whether it is.
    pub ok: bool,
}

/// The workers of a server.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentSchedulers {
    /// The workers.
    pub schedulers: Vec<AgentScheduler>,
    /// `<name>.<region>`.
    pub server_id: String,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentScheduler {
    /// Types of evaluations it takes.
    pub enabled_schedulers: Vec<String>,
    /// Its id.
    pub id: String,
    /// Since when.
    pub started: Timestamp,
    /// `Started`, `Paused`, …
    pub status: String,
    /// `WaitingToDequeue`, `Paused`, …
    pub workload_status: String,
}

/// How many workers a server has and what they take.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentSchedulersConfig {
    /// Types of evaluations they take.
    pub enabled_schedulers: Vec<String>,
    /// How many.
    pub num_schedulers: i64,
    /// `<name>.<region>`.
    pub server_id: String,
}

/// Answer to joining.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentJoinResponse {
    /// How many were joined.
    pub num_joined: i64,
    /// What went wrong.
    pub error: String,
    /// What should be done otherwise.
    pub warning: String,
}

/// Numbers an agent has counted.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MetricsSummary {
    /// Counted up.
    pub counters: Vec<MetricSample>,
    /// Current values.
    pub gauges: Vec<MetricGauge>,
    /// Lists of values.
    pub points: Vec<MetricPoints>,
    /// Current values of more digits.
    pub precision_gauges: Vec<MetricGauge>,
    /// Measured.
    pub samples: Vec<MetricSample>,
    /// Such as `2026-11-21 09:17:10 +0000 UTC`.
    pub timestamp: String,
}

/// A current value.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MetricGauge {
    /// What it belongs to.
    #[serde(deserialize_with = "shape::null_default")]
    pub labels: BTreeMap<String, String>,
    /// Its name.
    pub name: String,
    /// The value.
    pub value: f64,
}

/// A list of values.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MetricPoints {
    /// Its name.
    pub name: String,
    /// The values.
    pub points: Vec<f64>,
}

/// Many values, summed up over an interval.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MetricSample {
    /// How many.
    pub count: i64,
    /// What they belong to.
    #[serde(deserialize_with = "shape::null_default")]
    pub labels: BTreeMap<String, String>,
    /// The highest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The lowest.
    pub min: f64,
    /// Its name.
    pub name: String,
    /// The sum by second.
    pub rate: f64,
    /// The standard deviation.
    pub stddev: f64,
    /// The sum.
    pub sum: f64,
}
