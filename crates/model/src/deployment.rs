//! A deployment: the supervised rollout of a job version.

use crate::id::{AllocId, DeploymentId, EvalId, JobId, NamespaceName};
use crate::shape;
use crate::small_map::SmallMap;
use crate::text_enum::text_enum;
use crate::time::{Duration, Timestamp, UnixNanos};
use serde::{Deserialize, Serialize};

text_enum! {
    /// How a deployment stands.
    DeploymentStatus as "deployment status" {
        Running = "running",
        Paused = "paused",
        Failed = "failed",
        Successful = "successful",
        Cancelled = "cancelled",
        Initializing = "initializing",
        /// Waits for its turn among regions.
        Pending = "pending",
        /// Done, waits for other regions.
        Blocked = "blocked",
        /// Lets the other regions go on.
        Unblocking = "unblocking",
    }
}

impl DeploymentStatus {
    /// Whether it goes on.
    #[must_use]
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Failed | Self::Successful | Self::Cancelled)
    }
}

/// What deployments say about themselves.
pub mod deployment_description {
    /// Goes on.
    pub const RUNNING: &str = "Deployment is running";
    /// Waits for a user's promotion.
    pub const NEEDS_PROMOTION: &str = "Deployment is running but requires manual promotion";
    /// Waits for its canaries to be healthy.
    pub const AUTO_PROMOTION: &str = "Deployment is running pending automatic promotion";
    /// Stopped for now by a user.
    pub const PAUSED: &str = "Deployment is paused";
    /// Done.
    pub const SUCCESSFUL: &str = "Deployment completed successfully";
    /// The job was stopped.
    pub const STOPPED_JOB: &str = "Cancelled because job is stopped";
    /// A newer version came.
    pub const NEWER_JOB: &str = "Cancelled due to newer version of job";
    /// An allocation did not become healthy.
    pub const FAILED_ALLOCATIONS: &str = "Failed due to unhealthy allocations";
    /// Nothing became healthy in time.
    pub const PROGRESS_DEADLINE: &str = "Failed due to progress deadline";
    /// A user failed it.
    pub const FAILED_BY_USER: &str = "Deployment marked as failed";
    /// Another region failed.
    pub const FAILED_BY_PEER: &str = "Failed because of an error in peer region";
    /// Done here.
    pub const BLOCKED: &str = "Deployment is complete but waiting for peer region";
    /// Lets the other regions go on.
    pub const UNBLOCKING: &str = "Deployment is unblocking remaining regions";
    /// Waits for its turn.
    pub const PENDING_FOR_PEER: &str = "Deployment is pending, waiting for peer region";
}

/// The supervised rollout of a job version.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Deployment {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: DeploymentId,
    /// The job's namespace.
    pub namespace: NamespaceName,
    /// The job.
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    /// The version that is rolled out.
    pub job_version: u64,
    /// The job's modify index at creation.
    pub job_modify_index: u64,
    /// The job's specification index at creation.
    pub job_spec_modify_index: u64,
    /// The job's create index, which tells it from a later job of the same name.
    pub job_create_index: u64,
    /// Whether other regions take part.
    pub is_multiregion: bool,
    /// Progress by group.
    #[serde(with = "shape::nullable")]
    pub task_groups: SmallMap<String, DeploymentState>,
    /// How it stands.
    pub status: DeploymentStatus,
    /// Why: see [`deployment_description`].
    pub status_description: String,
    /// Priority of the evaluations it causes.
    pub eval_priority: i64,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
    /// When it was created.
    pub create_time: UnixNanos,
    /// When it last changed.
    pub modify_time: UnixNanos,
}

impl Deployment {
    /// Whether it goes on.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status.is_active()
    }

    /// Whether some group waits for its canaries to be promoted.
    #[must_use]
    pub fn requires_promotion(&self) -> bool {
        self.task_groups
            .values()
            .any(|group| group.desired_canaries > 0 && !group.promoted)
    }

    /// Whether some group has canaries placed.
    #[must_use]
    pub fn has_placed_canaries(&self) -> bool {
        self.task_groups
            .values()
            .any(|group| !group.placed_canaries.is_empty())
    }

    /// Whether every group with canaries is promoted by itself, and there is one.
    #[must_use]
    pub fn has_auto_promote(&self) -> bool {
        let mut canaries = self
            .task_groups
            .values()
            .filter(|group| group.desired_canaries > 0)
            .peekable();
        canaries.peek().is_some() && canaries.all(|group| group.auto_promote)
    }

    /// Whether this allocation is a canary of some group.
    #[must_use]
    pub fn is_placed_canary(&self, alloc: AllocId) -> bool {
        self.task_groups
            .values()
            .any(|group| group.placed_canaries.contains(&alloc))
    }
}

/// Progress of a group.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeploymentState {
    /// Whether failure brings the last stable version back.
    pub auto_revert: bool,
    /// Whether healthy canaries are promoted without asking.
    pub auto_promote: bool,
    /// How long it may take until the next allocation is healthy; zero is without limit.
    pub progress_deadline: Duration,
    /// When that time is over.
    pub require_progress_by: Timestamp,
    /// Whether the canaries were promoted.
    pub promoted: bool,
    /// The canaries.
    #[serde(with = "shape::nullable")]
    pub placed_canaries: Vec<AllocId>,
    /// How many canaries are wanted.
    pub desired_canaries: i64,
    /// How many allocations of the version are wanted.
    pub desired_total: i64,
    /// How many are placed.
    pub placed_allocs: i64,
    /// How many are healthy.
    pub healthy_allocs: i64,
    /// How many are not.
    pub unhealthy_allocs: i64,
}

/// A change of a deployment's status.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeploymentStatusUpdate {
    /// Which.
    #[serde(rename = "DeploymentID")]
    pub deployment_id: DeploymentId,
    /// To what.
    pub status: DeploymentStatus,
    /// Why.
    pub status_description: String,
    /// When.
    pub updated_at: UnixNanos,
}

/// Body of `POST /v1/deployment/promote/:id`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeploymentPromoteRequest {
    /// Which.
    #[serde(rename = "DeploymentID")]
    pub deployment_id: String,
    /// Every group.
    pub all: bool,
    /// Or these.
    #[serde(with = "shape::nullable")]
    pub groups: Vec<String>,
}

/// Body of `POST /v1/deployment/pause/:id`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeploymentPauseRequest {
    /// Which.
    #[serde(rename = "DeploymentID")]
    pub deployment_id: String,
    /// Stop for now, or go on.
    pub pause: bool,
}

/// Body of `POST /v1/deployment/allocation-health/:id`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeploymentAllocHealthRequest {
    /// Which.
    #[serde(rename = "DeploymentID")]
    pub deployment_id: String,
    /// Those that are healthy.
    #[serde(rename = "HealthyAllocationIDs", with = "shape::nullable")]
    pub healthy_allocation_ids: Vec<String>,
    /// Those that are not.
    #[serde(rename = "UnhealthyAllocationIDs", with = "shape::nullable")]
    pub unhealthy_allocation_ids: Vec<String>,
}

/// Answer to a change of a deployment.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DeploymentUpdateResponse {
    /// The evaluation it caused.
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    /// Index of that evaluation.
    pub eval_create_index: u64,
    /// Index of the deployment's change.
    pub deployment_modify_index: u64,
    /// The version that was brought back.
    pub reverted_job_version: Option<u64>,
    /// Index of the write.
    pub index: u64,
}
