//! An allocation as lists show it.

use crate::alloc::{
    AllocDeploymentStatus, Allocation, ClientStatus, Description, DesiredStatus, DesiredTransition,
    RescheduleTracker,
};
use crate::alloc_resources::AllocatedResources;
use crate::id::{AllocId, EvalId, JobId, NamespaceName, NodeId};
use crate::shape;
use crate::task_state::TaskStates;
use crate::time::UnixNanos;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An allocation as lists show it: zero members are written too.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocationListStub {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: AllocId,
    /// The evaluation that last placed or changed it.
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    /// `<job>.<group>[<index>]`.
    pub name: String,
    /// The job's namespace.
    pub namespace: NamespaceName,
    /// Its node.
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    /// Its node's name.
    pub node_name: String,
    /// Its job.
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    /// The job's type.
    pub job_type: String,
    /// The job's version.
    pub job_version: u64,
    /// Its task group.
    pub task_group: String,
    /// What it was given, when asked for.
    pub allocated_resources: Option<Arc<AllocatedResources>>,
    /// What the servers want.
    pub desired_status: DesiredStatus,
    /// Why.
    pub desired_description: Description,
    /// How it stands on its node.
    pub client_status: ClientStatus,
    /// Why.
    pub client_description: Description,
    /// What the servers ask the scheduler to do with it.
    #[serde(deserialize_with = "shape::null_default")]
    pub desired_transition: DesiredTransition,
    /// How its tasks stand; null when not asked for.
    #[serde(with = "shape::nullable")]
    pub task_states: TaskStates,
    /// How it does in its deployment.
    pub deployment_status: Option<AllocDeploymentStatus>,
    /// The evaluation that will reschedule it later.
    #[serde(rename = "FollowupEvalID")]
    pub followup_eval_id: EvalId,
    /// The one that replaces it.
    pub next_allocation: AllocId,
    /// Past attempts on other nodes.
    pub reschedule_tracker: Option<Box<RescheduleTracker>>,
    /// Those evicted to make room for it.
    #[serde(with = "shape::nullable")]
    pub preempted_allocations: Vec<AllocId>,
    /// The one it was evicted for.
    pub preempted_by_allocation: AllocId,
    /// Index of the placement.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
    /// When it was placed.
    pub create_time: UnixNanos,
    /// When it last changed.
    pub modify_time: UnixNanos,
}

impl Allocation {
    /// The allocation as lists show it.
    #[must_use]
    pub fn stub(&self, resources: bool, task_states: bool) -> AllocationListStub {
        AllocationListStub {
            id: self.id,
            eval_id: self.eval_id,
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            node_id: self.node_id,
            node_name: self.node_name.clone(),
            job_id: self.job_id.clone(),
            job_type: self
                .job
                .as_ref()
                .map(|job| job.r#type.clone())
                .unwrap_or_default(),
            job_version: self.job_version(),
            task_group: self.task_group.clone(),
            allocated_resources: resources
                .then(|| self.allocated_resources.clone())
                .flatten(),
            desired_status: self.desired_status,
            desired_description: self.desired_description.clone(),
            client_status: self.client_status,
            client_description: self.client_description.clone(),
            desired_transition: self.desired_transition,
            task_states: if task_states {
                self.task_states.clone()
            } else {
                TaskStates::new()
            },
            deployment_status: self.deployment_status,
            followup_eval_id: self.followup_eval_id,
            next_allocation: self.next_allocation,
            reschedule_tracker: self.reschedule_tracker.clone(),
            preempted_allocations: self.preempted_allocations.to_vec(),
            preempted_by_allocation: self.preempted_by_allocation,
            create_index: self.create_index,
            modify_index: self.modify_index,
            create_time: self.create_time,
            modify_time: self.modify_time,
        }
    }
}

/// Answer to stopping an allocation.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AllocStopResponse {
    /// The evaluation it caused.
    #[serde(rename = "EvalID")]
    pub eval_id: EvalId,
    /// Index of the write.
    pub index: u64,
}
