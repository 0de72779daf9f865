//! The written form of an allocation: zero members absent, older sums made up for readers of JSON.

use super::{
    AllocDeploymentStatus, AllocNetworkStatus, AllocState, Allocation, ClientStatus, Description,
    DesiredStatus, DesiredTransition, RescheduleTracker,
};
use crate::alloc_resources::AllocatedResources;
use crate::id::{AllocId, DeploymentId, EvalId, JobId, KeyId, NamespaceName, NodeId};
use crate::job::Job;
use crate::metrics::AllocMetric;
use crate::resources::Resources;
use crate::small_map::SmallMap;
use crate::task_state::TaskStates;
use crate::time::UnixNanos;
use serde::{Serialize, Serializer};

fn zero<T: Default + PartialEq>(value: &&T) -> bool {
    **value == T::default()
}

fn none<T>(value: &&[T]) -> bool {
    value.is_empty()
}

/// The members in the reference's order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Written<'a> {
    #[serde(rename = "ID", skip_serializing_if = "zero")]
    id: &'a AllocId,
    #[serde(skip_serializing_if = "zero")]
    namespace: &'a NamespaceName,
    #[serde(rename = "EvalID", skip_serializing_if = "zero")]
    eval_id: &'a EvalId,
    #[serde(skip_serializing_if = "zero")]
    name: &'a String,
    #[serde(rename = "NodeID", skip_serializing_if = "zero")]
    node_id: &'a NodeId,
    #[serde(skip_serializing_if = "zero")]
    node_name: &'a String,
    #[serde(rename = "JobID", skip_serializing_if = "zero")]
    job_id: &'a JobId,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a Job>,
    #[serde(skip_serializing_if = "zero")]
    task_group: &'a String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Resources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_resources: Option<Resources>,
    #[serde(skip_serializing_if = "SmallMap::is_empty")]
    task_resources: SmallMap<String, Resources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocated_resources: Option<&'a AllocatedResources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<&'a AllocMetric>,
    desired_status: DesiredStatus,
    #[serde(skip_serializing_if = "zero")]
    desired_description: &'a Description,
    #[serde(skip_serializing_if = "zero")]
    desired_transition: &'a DesiredTransition,
    client_status: ClientStatus,
    #[serde(skip_serializing_if = "zero")]
    client_description: &'a Description,
    #[serde(skip_serializing_if = "zero")]
    task_states: &'a TaskStates,
    #[serde(skip_serializing_if = "none")]
    alloc_states: &'a [AllocState],
    #[serde(skip_serializing_if = "zero")]
    previous_allocation: &'a AllocId,
    #[serde(skip_serializing_if = "zero")]
    next_allocation: &'a AllocId,
    #[serde(rename = "DeploymentID", skip_serializing_if = "zero")]
    deployment_id: &'a DeploymentId,
    #[serde(skip_serializing_if = "zero")]
    deployment_status: &'a Option<AllocDeploymentStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reschedule_tracker: Option<&'a RescheduleTracker>,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_status: Option<&'a AllocNetworkStatus>,
    #[serde(rename = "FollowupEvalID", skip_serializing_if = "zero")]
    followup_eval_id: &'a EvalId,
    #[serde(skip_serializing_if = "none")]
    preempted_allocations: &'a [AllocId],
    #[serde(skip_serializing_if = "zero")]
    preempted_by_allocation: &'a AllocId,
    #[serde(rename = "SigningKeyID", skip_serializing_if = "zero")]
    signing_key_id: &'a KeyId,
    #[serde(skip_serializing_if = "zero")]
    create_index: &'a u64,
    #[serde(skip_serializing_if = "zero")]
    modify_index: &'a u64,
    #[serde(skip_serializing_if = "zero")]
    alloc_modify_index: &'a u64,
    #[serde(skip_serializing_if = "zero")]
    create_time: &'a UnixNanos,
    #[serde(skip_serializing_if = "zero")]
    modify_time: &'a UnixNanos,
}

impl Serialize for Allocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let job = self.job.as_deref();
        self.written(job, serializer.is_human_readable())
            .serialize(serializer)
    }
}

/// An allocation that is written without its job: see [`Allocation::without_job`].
pub struct WithoutJob<'a>(&'a Allocation);

impl Serialize for WithoutJob<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0
            .written(None, serializer.is_human_readable())
            .serialize(serializer)
    }
}

impl Allocation {
    /// The same, to be written without its job.
    #[must_use]
    pub fn without_job(&self) -> WithoutJob<'_> {
        WithoutJob(self)
    }

    /// With the older sums where readers may want them.
    fn written<'a>(&'a self, shown_job: Option<&'a Job>, with_sums: bool) -> Written<'a> {
        // exhaustive
        let Self {
            id,
            namespace,
            eval_id,
            name,
            node_id,
            node_name,
            job_id,
            job: _,
            task_group,
            allocated_resources,
            metrics,
            desired_status,
            desired_description,
            desired_transition,
            client_status,
            client_description,
            task_states,
            alloc_states,
            previous_allocation,
            next_allocation,
            deployment_id,
            deployment_status,
            reschedule_tracker,
            network_status,
            followup_eval_id,
            preempted_allocations,
            preempted_by_allocation,
            signing_key_id,
            create_index,
            modify_index,
            alloc_modify_index,
            create_time,
            modify_time,
        } = self;
        let given = allocated_resources.as_deref();
        let legacy = given.filter(|_| with_sums);
        Written {
            id,
            namespace,
            eval_id,
            name,
            node_id,
            node_name,
            job_id,
            job: shown_job,
            task_group,
            resources: legacy.map(AllocatedResources::legacy_sum),
            shared_resources: legacy.map(AllocatedResources::legacy_shared),
            task_resources: legacy.map_or_else(SmallMap::new, AllocatedResources::legacy_tasks),
            allocated_resources: given,
            metrics: metrics.as_deref(),
            desired_status: *desired_status,
            desired_description,
            desired_transition,
            client_status: *client_status,
            client_description,
            task_states,
            alloc_states,
            previous_allocation,
            next_allocation,
            deployment_id,
            deployment_status,
            reschedule_tracker: reschedule_tracker.as_deref(),
            network_status: network_status.as_deref(),
            followup_eval_id,
            preempted_allocations,
            preempted_by_allocation,
            signing_key_id,
            create_index,
            modify_index,
            alloc_modify_index,
            create_time,
            modify_time,
        }
    }
}
