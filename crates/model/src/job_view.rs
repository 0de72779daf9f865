//! Reduced and computed views of jobs: list entries, summaries, statuses, scale, history.

use crate::{
    AllocId, DeploymentId, EvalId, Job, JobDiff, JobId, Multiregion, NamespaceName, NodeId, Object,
    SmallMap, StringMap, UnixNanos, shape,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A job in a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobListStub {
    #[serde(rename = "ID")]
    pub id: JobId,
    #[serde(rename = "ParentID")]
    pub parent_id: JobId,
    pub name: String,
    /// Absent when empty.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub namespace: NamespaceName,
    #[serde(with = "shape::nullable")]
    pub datacenters: Vec<String>,
    pub node_pool: String,
    pub multiregion: Option<Multiregion>,
    pub r#type: String,
    pub priority: i64,
    pub periodic: bool,
    pub parameterized_job: bool,
    pub stop: bool,
    pub status: String,
    pub status_description: String,
    pub job_summary: Option<JobSummary>,
    pub create_index: u64,
    pub modify_index: u64,
    pub job_modify_index: u64,
    pub submit_time: UnixNanos,
    /// Only when asked for.
    #[serde(with = "shape::nullable")]
    pub meta: StringMap,
}

impl JobListStub {
    /// The list entry of a job; `meta` is filled in by whoever was asked for it.
    #[must_use]
    pub fn new(job: &Job, summary: Option<JobSummary>) -> Self {
        Self {
            id: job.id.clone(),
            parent_id: job.parent_id.clone(),
            name: job.name.clone(),
            namespace: job.namespace.clone(),
            datacenters: job.datacenters.clone(),
            node_pool: job.node_pool.clone(),
            multiregion: job.multiregion.clone(),
            r#type: job.r#type.clone(),
            priority: job.priority,
            periodic: job.is_periodic(),
            parameterized_job: job.is_parameterized(),
            stop: job.stop,
            status: job.status.clone(),
            status_description: job.status_description.clone(),
            job_summary: summary,
            create_index: job.create_index,
            modify_index: job.modify_index,
            job_modify_index: job.job_modify_index,
            submit_time: job.submit_time,
            meta: StringMap::new(),
        }
    }
}

/// Counts of a job's allocations and children by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobSummary {
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    pub namespace: NamespaceName,
    /// By task group.
    #[serde(with = "shape::nullable")]
    pub summary: SmallMap<String, TaskGroupSummary>,
    /// Launched jobs.
    pub children: Option<JobChildrenSummary>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// Counts of a group's allocations by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskGroupSummary {
    /// Wanted, and not placed yet.
    pub queued: i64,
    pub complete: i64,
    pub failed: i64,
    pub running: i64,
    pub starting: i64,
    pub lost: i64,
    pub unknown: i64,
}

/// Counts of launched jobs by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobChildrenSummary {
    pub pending: i64,
    pub running: i64,
    pub dead: i64,
}

/// A job with its allocations, for the web interface's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobStatus {
    #[serde(rename = "ID")]
    pub id: JobId,
    pub namespace: NamespaceName,
    pub name: String,
    pub r#type: String,
    pub node_pool: String,
    #[serde(with = "shape::nullable")]
    pub datacenters: Vec<String>,
    pub priority: i64,
    pub version: u64,
    pub submit_time: UnixNanos,
    pub modify_index: u64,
    #[serde(with = "shape::nullable")]
    pub allocs: Vec<JobStatusAlloc>,
    /// Allocations wanted over all groups.
    pub group_count_sum: i64,
    /// Status of each launched job; null unless it launches some.
    #[serde(with = "shape::nullable")]
    pub child_statuses: Vec<String>,
    #[serde(rename = "ParentID")]
    pub parent_id: JobId,
    pub latest_deployment: Option<JobStatusLatestDeployment>,
    pub stop: bool,
    /// Registered by the pack tool.
    pub is_pack: bool,
    pub status: String,
}

/// An allocation within [`JobStatus`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobStatusAlloc {
    #[serde(rename = "ID")]
    pub id: AllocId,
    pub group: String,
    pub client_status: String,
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    pub deployment_status: JobStatusAllocHealth,
    pub job_version: u64,
    #[serde(rename = "FollowupEvalID")]
    pub followup_eval_id: EvalId,
    pub has_paused_task: bool,
}

/// Health of an allocation within [`JobStatus`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobStatusAllocHealth {
    pub canary: bool,
    /// Absent until it is known.
    pub healthy: Option<bool>,
}

/// The deployment within [`JobStatus`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobStatusLatestDeployment {
    #[serde(rename = "ID")]
    pub id: DeploymentId,
    pub is_active: bool,
    pub job_version: u64,
    pub status: String,
    pub status_description: String,
    pub all_auto_promote: bool,
    pub requires_promotion: bool,
}

/// The source a job was registered from, kept for people to read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobSubmission {
    pub source: String,
    /// `hcl2`, `hcl1` or `json`.
    pub format: String,
    /// Values given on the command line.
    #[serde(with = "shape::nullable")]
    pub variable_flags: StringMap,
    /// The text of variable files.
    pub variables: String,
    pub namespace: NamespaceName,
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    pub version: u64,
    pub job_modify_index: u64,
}

/// The kept versions of a job, newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobVersions {
    #[serde(with = "shape::nullable")]
    pub versions: Vec<Job>,
    /// Each version against its successor; null unless asked for.
    #[serde(with = "shape::nullable")]
    pub diffs: Vec<JobDiff>,
    pub index: u64,
    pub last_contact: u64,
    pub known_leader: bool,
    pub next_token: String,
}

/// How many allocations a job's groups have and want.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobScaleStatus {
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    pub namespace: NamespaceName,
    pub job_create_index: u64,
    pub job_modify_index: u64,
    pub job_stopped: bool,
    #[serde(with = "shape::nullable")]
    pub task_groups: BTreeMap<String, TaskGroupScaleStatus>,
}

/// How many allocations a group has and wants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskGroupScaleStatus {
    pub desired: i64,
    pub placed: i64,
    pub running: i64,
    pub healthy: i64,
    pub unhealthy: i64,
    /// Newest first.
    #[serde(with = "shape::nullable")]
    pub events: Vec<ScalingEvent>,
}

/// One change of a group's count, or a message of the scaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ScalingEvent {
    pub time: UnixNanos,
    /// The new count; absent when only a message was left.
    pub count: Option<i64>,
    pub previous_count: i64,
    pub message: String,
    pub error: bool,
    #[serde(with = "shape::nullable")]
    pub meta: Object,
    /// The evaluation that the change caused.
    #[serde(rename = "EvalID")]
    pub eval_id: Option<EvalId>,
    pub create_index: u64,
}

/// A scaling policy in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ScalingPolicyListStub {
    #[serde(rename = "ID")]
    pub id: String,
    pub enabled: bool,
    pub r#type: String,
    #[serde(with = "shape::nullable")]
    pub target: StringMap,
    pub create_index: u64,
    pub modify_index: u64,
}

/// An action of a job, with where it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobAction {
    pub name: String,
    pub command: String,
    #[serde(with = "shape::nullable")]
    pub args: Vec<String>,
    pub task_name: String,
    pub task_group_name: String,
}
