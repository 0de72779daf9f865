//! An evaluation: the order to look at a job again.

use crate::id::{DeploymentId, EvalId, JobId, NamespaceName, NodeId};
use crate::metrics::{AllocMetric, Counts};
use crate::plan::PlanAnnotations;
use crate::query::QueryMeta;
use crate::shape;
use crate::small_map::SmallMap;
use crate::text_enum::text_enum;
use crate::time::{Duration, Timestamp, UnixNanos};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

text_enum! {
    /// How an evaluation stands.
    EvalStatus as "evaluation status" {
        Pending = "pending",
        /// Waits for room on nodes.
        Blocked = "blocked",
        Complete = "complete",
        Failed = "failed",
        Canceled = "canceled",
    }
}

impl EvalStatus {
    /// Whether it is over.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Canceled)
    }
}

/// What an evaluation was created for.
pub mod trigger {
    /// A job was registered, evaluated or reverted.
    pub const JOB_REGISTER: &str = "job-register";
    /// A job was stopped.
    pub const JOB_DEREGISTER: &str = "job-deregister";
    /// A periodic job launched.
    pub const PERIODIC_JOB: &str = "periodic-job";
    /// A node drains.
    pub const NODE_DRAIN: &str = "node-drain";
    /// A node changed.
    pub const NODE_UPDATE: &str = "node-update";
    /// An allocation was stopped by a user.
    pub const ALLOC_STOP: &str = "alloc-stop";
    /// A timer of the leader's housekeeping.
    pub const SCHEDULED: &str = "scheduled";
    /// Of old; accepted and never created.
    pub const ROLLING_UPDATE: &str = "rolling-update";
    /// A deployment goes on.
    pub const DEPLOYMENT_WATCHER: &str = "deployment-watcher";
    /// An evaluation could not be processed.
    pub const FAILED_FOLLOW_UP: &str = "failed-follow-up";
    /// Plans kept conflicting.
    pub const MAX_PLANS: &str = "max-plan-attempts";
    /// An allocation failed.
    pub const ALLOC_FAILURE: &str = "alloc-failure";
    /// An allocation is due to be rescheduled.
    pub const ALLOC_RESCHEDULE: &str = "alloc-reschedule";
    /// Not everything could be placed.
    pub const QUEUED_ALLOCS: &str = "queued-allocs";
    /// Allocations were evicted.
    pub const PREEMPTION: &str = "preemption";
    /// A job was scaled.
    pub const JOB_SCALING: &str = "job-scaling";
    /// A node stayed away too long.
    pub const MAX_DISCONNECT_TIMEOUT: &str = "max-disconnect-timeout";
    /// A node came back.
    pub const RECONNECT: &str = "reconnect";
}

/// What derived evaluations say about themselves.
pub mod eval_description {
    /// Waits for room.
    pub const BLOCKED: &str = "created to place remaining allocations";
    /// Waits because plans kept conflicting.
    pub const PLAN_CONFLICTS: &str = "created due to placement conflicts";
    /// Reschedules later.
    pub const RESCHEDULE_LATER: &str = "created for delayed rescheduling";
    /// Gives a disconnected node up later.
    pub const DISCONNECT_TIMEOUT: &str = "created for delayed disconnect timeout";
}

/// The leader's housekeeping: job ids of evaluations of type [`core_job::TYPE`].
pub mod core_job {
    /// The type of these evaluations.
    pub const TYPE: &str = "_core";
    /// Their namespace.
    pub const NAMESPACE: &str = "-";
    /// Their priority.
    pub const PRIORITY: i64 = 32_767;
    /// Evaluations and their allocations.
    pub const EVAL_GC: &str = "eval-gc";
    /// Nodes.
    pub const NODE_GC: &str = "node-gc";
    /// Jobs.
    pub const JOB_GC: &str = "job-gc";
    /// Deployments.
    pub const DEPLOYMENT_GC: &str = "deployment-gc";
    /// Claims on CSI volumes.
    pub const CSI_VOLUME_CLAIM_GC: &str = "csi-volume-claim-gc";
    /// CSI plugins.
    pub const CSI_PLUGIN_GC: &str = "csi-plugin-gc";
    /// One-time tokens.
    pub const ONE_TIME_TOKEN_GC: &str = "one-time-token-gc";
    /// Expired local tokens.
    pub const LOCAL_TOKEN_EXPIRED_GC: &str = "local-token-expired-gc";
    /// Expired global tokens.
    pub const GLOBAL_TOKEN_EXPIRED_GC: &str = "global-token-expired-gc";
    /// Rotation and removal of keys.
    pub const ROOT_KEY_ROTATE_GC: &str = "root-key-rotate-gc";
    /// Encrypting variables anew.
    pub const VARIABLES_REKEY: &str = "variables-rekey";
    /// Everything, whatever its age.
    pub const FORCE_GC: &str = "force-gc";
}

/// The order to look at a job again. JSON leaves zero members out.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Evaluation {
    /// Its id.
    #[serde(rename = "ID", skip_serializing_if = "shape::is_default")]
    pub id: EvalId,
    /// The job's namespace.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub namespace: NamespaceName,
    /// The job's priority.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub priority: i64,
    /// The job's type, which names the scheduler; or `_core`.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub r#type: String,
    /// Why: one of [`trigger`].
    #[serde(skip_serializing_if = "shape::is_default")]
    pub triggered_by: String,
    /// The job.
    #[serde(rename = "JobID", skip_serializing_if = "shape::is_default")]
    pub job_id: JobId,
    /// The job's modify index at creation.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub job_modify_index: u64,
    /// The node that caused it.
    #[serde(rename = "NodeID", skip_serializing_if = "shape::is_default")]
    pub node_id: NodeId,
    /// The node's modify index at creation.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub node_modify_index: u64,
    /// The deployment that caused it.
    #[serde(rename = "DeploymentID", skip_serializing_if = "shape::is_default")]
    pub deployment_id: DeploymentId,
    /// How it stands.
    pub status: EvalStatus,
    /// Why.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub status_description: String,
    /// How long to wait after creation.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub wait: Duration,
    /// Not before then.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub wait_until: Timestamp,
    /// The one that follows it.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub next_eval: EvalId,
    /// The one it follows.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub previous_eval: EvalId,
    /// The one that waits for room for what it could not place.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub blocked_eval: EvalId,
    /// Those around it, when asked for; never stored.
    #[serde(
        deserialize_with = "shape::null_default",
        skip_serializing_if = "shape::is_default"
    )]
    pub related_evals: Vec<EvaluationStub>,
    /// What was seen where placing failed, by group.
    #[serde(
        rename = "FailedTGAllocs",
        deserialize_with = "shape::null_default",
        skip_serializing_if = "shape::is_default"
    )]
    pub failed_tg_allocs: SmallMap<String, AllocMetric>,
    /// What its plan does.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub plan_annotations: Option<Box<PlanAnnotations>>,
    /// Computed node classes by whether they can take it; for blocked ones.
    #[serde(
        deserialize_with = "shape::null_default",
        skip_serializing_if = "shape::is_default"
    )]
    pub class_eligibility: BTreeMap<String, bool>,
    /// Whether its constraints look at what computed classes leave out.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub escaped_computed_class: bool,
    /// The quota that was used up.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub quota_limit_reached: String,
    /// What was missing beside nodes, such as volumes.
    #[serde(
        deserialize_with = "shape::null_default",
        skip_serializing_if = "shape::is_default"
    )]
    pub missing_non_node_resources: Vec<String>,
    /// Whether to say what the plan does.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub annotate_plan: bool,
    /// How many allocations are still to be placed, by group.
    #[serde(
        deserialize_with = "shape::null_default",
        skip_serializing_if = "shape::is_default"
    )]
    pub queued_allocations: Counts,
    /// The leader's secret on housekeeping evaluations: never shown.
    #[serde(rename = "LeaderACL", skip_serializing_if = "shape::is_default")]
    pub leader_acl: String,
    /// The state index it was processed against.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub snapshot_index: u64,
    /// Index of the creation.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub create_index: u64,
    /// Index of the last change.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub modify_index: u64,
    /// When it was created.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub create_time: UnixNanos,
    /// When it last changed.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub modify_time: UnixNanos,
}

/// An evaluation among the related ones: zero members are written too.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "members mean what they mean in Evaluation")]
pub struct EvaluationStub {
    #[serde(rename = "ID")]
    pub id: EvalId,
    pub namespace: NamespaceName,
    pub priority: i64,
    pub r#type: String,
    pub triggered_by: String,
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    #[serde(rename = "DeploymentID")]
    pub deployment_id: DeploymentId,
    pub status: EvalStatus,
    pub status_description: String,
    pub wait_until: Timestamp,
    pub next_eval: EvalId,
    pub previous_eval: EvalId,
    pub blocked_eval: EvalId,
    pub create_index: u64,
    pub modify_index: u64,
    pub create_time: UnixNanos,
    pub modify_time: UnixNanos,
}

impl Evaluation {
    /// Whether it is over.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.status.is_terminal()
    }

    /// Whether the broker is to have it.
    #[must_use]
    pub fn should_enqueue(&self) -> bool {
        self.status == EvalStatus::Pending
    }

    /// Whether the tracker of blocked ones is to have it.
    #[must_use]
    pub fn should_block(&self) -> bool {
        self.status == EvalStatus::Blocked
    }

    /// Notes a change at `now`; never before or at its creation.
    pub fn touch(&mut self, now: UnixNanos) {
        self.modify_time = if now > self.create_time {
            now
        } else {
            self.create_time + Duration(1)
        };
    }

    /// The evaluation among related ones.
    #[must_use]
    pub fn stub(&self) -> EvaluationStub {
        EvaluationStub {
            id: self.id,
            namespace: self.namespace.clone(),
            priority: self.priority,
            r#type: self.r#type.clone(),
            triggered_by: self.triggered_by.clone(),
            job_id: self.job_id.clone(),
            node_id: self.node_id,
            deployment_id: self.deployment_id,
            status: self.status,
            status_description: self.status_description.clone(),
            wait_until: self.wait_until,
            next_eval: self.next_eval,
            previous_eval: self.previous_eval,
            blocked_eval: self.blocked_eval,
            create_index: self.create_index,
            modify_index: self.modify_index,
            create_time: self.create_time,
            modify_time: self.modify_time,
        }
    }

    /// Those that come before or after it, each once.
    #[must_use]
    pub fn related_ids(&self) -> Vec<EvalId> {
        let mut ids: Vec<EvalId> = Vec::new();
        for id in [self.next_eval, self.previous_eval, self.blocked_eval] {
            if !id.is_nil() && !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }
}

/// How many evaluations there are.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EvaluationCount {
    /// How many.
    pub count: i64,
    /// Read metadata.
    #[serde(flatten)]
    pub meta: QueryMeta,
}

/// Body of `DELETE /v1/evaluations`: ids or a filter, not both.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "EvalDeleteRequest", rename_all = "PascalCase")]
pub struct EvaluationDeleteRequest {
    /// Which.
    #[serde(rename = "EvalIDs", with = "shape::nullable")]
    pub eval_ids: Vec<String>,
    /// Or which kind.
    pub filter: String,
}

/// Answer to deleting evaluations.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EvaluationDeleteResponse {
    /// How many were deleted.
    pub count: i64,
    /// Index of the write.
    pub index: u64,
}
