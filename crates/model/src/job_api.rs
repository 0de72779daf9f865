//! Requests about jobs and their answers.
//!
//! Requests that carry a job carry it as users write it: see [`crate::api`].

use crate::api::ApiJob;
use crate::query::QueryMeta;
use crate::{
    AllocMetric, EvalId, Evaluation, JobDiff, JobId, JobSubmission, JobVersionTag, NamespaceName,
    Object, PlanAnnotations, Rollout, SmallMap, StringMap, Timestamp, UnixNanos, shape,
};
use serde::{Deserialize, Serialize};

/// Registers a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobRegisterRequest {
    pub job: Option<ApiJob>,
    pub submission: Option<JobSubmission>,
    /// Refuse unless the stored job has `job_modify_index`.
    pub enforce_index: bool,
    /// With `enforce_index`: the expected index; 0 means that no such job exists.
    pub job_modify_index: u64,
    pub policy_override: bool,
    /// Groups that exist keep their counts.
    pub preserve_counts: bool,
    /// Tasks that exist keep their resources.
    pub preserve_resources: bool,
    /// 0 means the job's.
    pub eval_priority: i64,
    pub region: String,
    pub namespace: NamespaceName,
}

/// A job was registered, evaluated or reverted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobRegisterResponse {
    /// None for periodic and parameterized jobs.
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    pub eval_create_index: u64,
    pub job_modify_index: u64,
    pub warnings: String,
    pub index: u64,
    pub last_contact: u64,
    pub known_leader: bool,
    pub next_token: String,
}

/// A job was stopped or removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobDeregisterResponse {
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    pub eval_create_index: u64,
    pub job_modify_index: u64,
    #[serde(rename = "VolumeEvalID")]
    pub volume_eval_id: EvalId,
    pub volume_eval_index: u64,
    pub index: u64,
    pub last_contact: u64,
    pub known_leader: bool,
    pub next_token: String,
}

/// Asks what registering a job would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobPlanRequest {
    pub job: Option<ApiJob>,
    /// Whether the answer shows the difference.
    pub diff: bool,
    /// Whether the answer tells of the whole rollout.
    pub rollout: bool,
    pub policy_override: bool,
    pub region: String,
    pub namespace: NamespaceName,
}

/// What registering a job would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobPlanResponse {
    pub annotations: Option<PlanAnnotations>,
    /// Why allocations of which groups could not be placed; null when all were.
    #[serde(rename = "FailedTGAllocs", with = "shape::nullable")]
    pub failed_tg_allocs: SmallMap<String, AllocMetric>,
    /// The stored job's index, for check-and-set; 0 when there is none.
    pub job_modify_index: u64,
    /// Evaluations that the registration would cause later.
    #[serde(with = "shape::nullable")]
    pub created_evals: Vec<Evaluation>,
    /// Only when asked for.
    pub diff: Option<JobDiff>,
    /// Null unless the job is periodic and enabled.
    pub next_periodic_launch: Timestamp,
    pub warnings: String,
    pub index: u64,
    /// Only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
}

/// Asks whether a job is valid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobValidateRequest {
    pub job: Option<ApiJob>,
    pub region: String,
    pub namespace: NamespaceName,
}

/// Whether a job is valid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobValidateResponse {
    pub driver_config_validated: bool,
    #[serde(with = "shape::nullable")]
    pub validation_errors: Vec<String>,
    /// All errors in one text.
    pub error: String,
    pub warnings: String,
}

/// Asks to read a job file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename = "JobsParseRequest", rename_all = "PascalCase")]
pub struct JobParseRequest {
    #[serde(rename = "JobHCL")]
    pub job_hcl: String,
    /// Text of a variables file.
    pub variables: String,
    pub canonicalize: bool,
}

/// Asks to evaluate a job anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobEvaluateRequest {
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    #[serde(deserialize_with = "shape::null_default")]
    pub eval_options: EvalOptions,
    pub namespace: NamespaceName,
}

/// How a job is evaluated anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EvalOptions {
    /// Failed allocations are replaced without waiting.
    pub force_reschedule: bool,
}

/// Launches a parameterized job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobDispatchRequest {
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    #[serde(with = "shape::base64_bytes")]
    pub payload: Vec<u8>,
    #[serde(with = "shape::nullable")]
    pub meta: StringMap,
    pub id_prefix_template: String,
    /// 0 means the parent's.
    pub priority: i64,
}

/// A parameterized job was launched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobDispatchResponse {
    #[serde(rename = "DispatchedJobID")]
    pub dispatched_job_id: JobId,
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    pub eval_create_index: u64,
    pub job_create_index: u64,
    pub index: u64,
}

/// A periodic job was launched out of turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PeriodicForceResponse {
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    pub eval_create_index: u64,
    pub index: u64,
}

/// Goes back to an older version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobRevertRequest {
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    pub job_version: u64,
    /// Refuse unless this is the current version.
    pub enforce_prior_version: Option<u64>,
    pub consul_token: String,
    pub vault_token: String,
}

/// Marks a version as stable or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobStabilityRequest {
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    pub job_version: u64,
    pub stable: bool,
}

/// A version was marked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobStabilityResponse {
    pub index: u64,
}

/// Names a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename = "TagVersionRequest", rename_all = "PascalCase")]
pub struct JobTagRequest {
    pub version: u64,
    pub description: String,
}

/// A version was named, or its name taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobTagResponse {
    pub name: String,
    pub description: String,
    pub tagged_time: UnixNanos,
    #[serde(flatten)]
    pub meta: QueryMeta,
}

impl JobTagResponse {
    /// The answer for this tag.
    #[must_use]
    pub fn new(tag: &JobVersionTag, index: u64) -> Self {
        Self {
            name: tag.name.clone(),
            description: tag.description.clone(),
            tagged_time: tag.tagged_time,
            meta: QueryMeta {
                index,
                ..QueryMeta::default()
            },
        }
    }
}

/// Changes a group's count, or leaves a message of the scaler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ScalingRequest {
    pub count: Option<i64>,
    /// `Group`, and optionally `Namespace`, `Region`, `Job`.
    #[serde(with = "shape::nullable")]
    pub target: StringMap,
    pub message: String,
    pub error: bool,
    #[serde(with = "shape::nullable")]
    pub meta: Object,
    pub policy_override: bool,
    /// With a value: refuse unless the stored job has it.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub job_modify_index: u64,
}

/// Which jobs to show, in `jobs/statuses`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobStatusesRequest {
    #[serde(with = "shape::nullable")]
    pub jobs: Vec<NamespacedJob>,
    pub include_children: bool,
}

/// A job named with its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NamespacedJob {
    #[serde(rename = "ID")]
    pub id: JobId,
    pub namespace: NamespaceName,
}
