//! What can be asked of the replicated state: one variant a change, carrying its own times and ids.
//!
//! Commands are logged by name and field (msgpack maps): fields may be added with a default, never renamed.
//! New variants go at the end of their group; a server that does not know a variant stops rather than diverge.

use crate::key::{JobKey, ScopedKey};
use crate::restoring::RestorePart;
use caravan_model::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A change to the replicated state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Inserts a node, or replaces what a known node says of itself.
    RegisterNode {
        /// The node as it describes itself.
        node: Box<Node>,
        /// Whether its pool may be made when missing.
        create_pool: bool,
        /// Evaluations of the jobs that the change concerns.
        evals: Vec<Evaluation>,
        /// When.
        now: UnixNanos,
    },
    /// Forgets nodes.
    DeregisterNodes {
        /// Which.
        nodes: Vec<NodeId>,
        /// Evaluations of the jobs that ran there.
        evals: Vec<Evaluation>,
    },
    /// Sets what the servers think of a node's life.
    UpdateNodeStatus {
        /// Which node.
        node: NodeId,
        /// Its new status.
        status: NodeStatus,
        /// An event to keep with the node.
        event: Option<NodeEvent>,
        /// Evaluations of the jobs that the change concerns.
        evals: Vec<Evaluation>,
        /// When.
        now: UnixNanos,
    },
    /// Starts, changes or ends the drains of nodes.
    UpdateNodeDrains {
        /// The change for each node.
        updates: BTreeMap<NodeId, DrainUpdate>,
        /// Evaluations of the jobs that the change concerns.
        evals: Vec<Evaluation>,
        /// When.
        now: UnixNanos,
    },
    /// Sets whether a node takes new allocations.
    UpdateNodeEligibility {
        /// Which node.
        node: NodeId,
        /// Whether it takes new allocations.
        eligibility: Eligibility,
        /// An event to keep with the node.
        event: Option<NodeEvent>,
        /// Evaluations of the jobs that the change concerns.
        evals: Vec<Evaluation>,
        /// When.
        now: UnixNanos,
    },
    /// Keeps events that clients tell of their nodes.
    AppendNodeEvents {
        /// The events of each node, oldest first.
        events: BTreeMap<NodeId, Vec<NodeEvent>>,
    },

    /// Inserts a job or makes a new version of it.
    RegisterJob {
        /// The job, canonical and validated.
        job: Arc<Job>,
        /// The text that it was made from.
        submission: Option<Box<JobSubmission>>,
        /// The evaluation that places it; none for parents of periodic and parameterized jobs.
        eval: Option<Evaluation>,
        /// Ids for the scaling policies of its groups, used for groups that have none yet.
        policy_ids: Vec<String>,
        /// When.
        now: UnixNanos,
    },
    /// Stops or purges jobs.
    DeregisterJobs {
        /// Which, and how.
        jobs: Vec<JobRemoval>,
        /// Evaluations that stop what runs.
        evals: Vec<Evaluation>,
        /// When.
        now: UnixNanos,
    },
    /// Says whether a version of a job is known to be good.
    SetJobStability {
        /// Which job.
        job: JobKey,
        /// Which version.
        version: u64,
        /// Whether it is stable.
        stable: bool,
    },
    /// Names a version of a job, or takes the name away.
    TagJobVersion {
        /// Which job.
        job: JobKey,
        /// Which version, when tagging.
        version: u64,
        /// The tag; `None` removes the tag called `name`.
        tag: Option<JobVersionTag>,
        /// The tag's name.
        name: String,
    },
    /// Records when a periodic job was last launched.
    RecordPeriodicLaunch {
        /// Which job.
        job: JobKey,
        /// When it was launched.
        launch: UnixNanos,
    },
    /// Records a scaling event, and scales when the job is given.
    RecordScalingEvent {
        /// Which job.
        job: JobKey,
        /// Which group.
        group: String,
        /// What happened.
        event: Box<ScalingEvent>,
    },
    /// Counts all summaries anew from the allocations.
    ReconcileSummaries,

    /// Inserts or replaces evaluations.
    UpsertEvals {
        /// The evaluations.
        evals: Vec<Evaluation>,
        /// When.
        now: UnixNanos,
    },
    /// Forgets evaluations and allocations (garbage collection, or an operator's wish).
    DeleteEvals {
        /// Which evaluations.
        evals: Vec<EvalId>,
        /// Which allocations.
        allocs: Vec<AllocId>,
        /// Whether the jobs' statuses are to be looked at again.
        user_initiated: bool,
    },

    /// Commits what was accepted of a plan.
    ApplyPlan(Box<PlanApply>),
    /// Merges what clients say of their allocations.
    UpdateAllocsFromClient {
        /// Allocations of which only the client's fields count.
        allocs: Vec<Allocation>,
        /// Evaluations that follow from it.
        evals: Vec<Evaluation>,
        /// When.
        now: UnixNanos,
    },
    /// Asks for allocations to be moved, rescheduled or stopped.
    UpdateDesiredTransitions {
        /// The wish for each allocation.
        transitions: BTreeMap<AllocId, DesiredTransition>,
        /// Evaluations that carry the wishes out.
        evals: Vec<Evaluation>,
        /// When.
        now: UnixNanos,
    },

    /// Sets a deployment's status, and rolls its job back when asked.
    UpdateDeploymentStatus {
        /// The change.
        update: DeploymentStatusUpdate,
        /// The version to roll back to, as a new version.
        job: Option<Arc<Job>>,
        /// The evaluation that follows.
        eval: Option<Evaluation>,
        /// When.
        now: UnixNanos,
    },
    /// Promotes canaries.
    PromoteDeployment {
        /// Which deployment.
        deployment: DeploymentId,
        /// Which groups; all when empty.
        groups: Vec<String>,
        /// The evaluation that follows.
        eval: Option<Evaluation>,
        /// When.
        now: UnixNanos,
    },
    /// Says which allocations of a deployment are healthy.
    SetAllocHealth {
        /// Which deployment.
        deployment: DeploymentId,
        /// The healthy ones.
        healthy: Vec<AllocId>,
        /// The unhealthy ones.
        unhealthy: Vec<AllocId>,
        /// A change of the deployment's status that follows.
        update: Option<DeploymentStatusUpdate>,
        /// The version to roll back to, as a new version.
        job: Option<Arc<Job>>,
        /// The evaluation that follows.
        eval: Option<Evaluation>,
        /// When.
        now: UnixNanos,
    },
    /// Forgets deployments.
    DeleteDeployments {
        /// Which.
        deployments: Vec<DeploymentId>,
    },

    /// Inserts or replaces instances of services.
    UpsertServices {
        /// The instances.
        services: Vec<ServiceRegistration>,
    },
    /// Forgets instances of services.
    DeleteServices {
        /// Namespace and id of each.
        services: Vec<ScopedKey>,
    },
    /// Inserts or replaces namespaces.
    UpsertNamespaces {
        /// The namespaces.
        namespaces: Vec<Namespace>,
    },
    /// Forgets namespaces.
    DeleteNamespaces {
        /// Their names.
        names: Vec<String>,
    },
    /// Inserts or replaces node pools.
    UpsertNodePools {
        /// The pools.
        pools: Vec<NodePool>,
    },
    /// Forgets node pools.
    DeleteNodePools {
        /// Their names.
        names: Vec<String>,
    },
    /// Changes a variable.
    ApplyVariable {
        /// What to do.
        operation: VariableOp,
        /// The variable, its items encrypted.
        variable: Box<EncryptedVariable>,
        /// When.
        now: UnixNanos,
    },
    /// Inserts or replaces wrapped root keys.
    UpsertRootKeys {
        /// The keys.
        keys: Vec<WrappedRootKey>,
    },
    /// Forgets root keys.
    DeleteRootKeys {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Inserts or replaces host volumes.
    UpsertHostVolumes {
        /// The volumes.
        volumes: Vec<HostVolume>,
    },
    /// Forgets host volumes.
    DeleteHostVolumes {
        /// Namespace and id of each.
        volumes: Vec<ScopedKey>,
    },
    /// Forgets claims on sticky host volumes.
    DeleteVolumeClaims {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Sets the scheduler's configuration.
    SetSchedulerConfig {
        /// The configuration.
        config: Box<SchedulerConfiguration>,
        /// Only when the stored one was last changed at this index.
        check_index: Option<u64>,
    },
    /// Sets the autopilot's configuration.
    SetAutopilotConfig {
        /// The configuration.
        config: Box<AutopilotConfiguration>,
        /// Only when the stored one was last changed at this index.
        check_index: Option<u64>,
    },
    /// Names the cluster, once.
    SetClusterMetadata {
        /// The metadata.
        metadata: ClusterMetadata,
    },
    /// Puts the state back to what a snapshot holds; what was written since is lost. Only read, in logs of before
    /// there were parts.
    RestoreState {
        /// The dump of the state.
        dump: Vec<u8>,
    },
    /// The same, part by part: what a snapshot holds may be larger than a command can be.
    RestorePart(RestorePart),

    /// Inserts or replaces ACL policies.
    UpsertAclPolicies {
        /// The policies.
        policies: Vec<AclPolicy>,
    },
    /// Forgets ACL policies.
    DeleteAclPolicies {
        /// Their names.
        names: Vec<String>,
    },
    /// Inserts or replaces ACL tokens.
    UpsertAclTokens {
        /// The tokens.
        tokens: Vec<AclToken>,
    },
    /// Forgets ACL tokens.
    DeleteAclTokens {
        /// Their accessors.
        accessors: Vec<String>,
    },
    /// Makes the first management token.
    BootstrapAcl {
        /// The token.
        token: Box<AclToken>,
        /// The reset index from the operator's file; 0 for none.
        reset_index: u64,
    },
    /// Inserts or replaces ACL roles.
    UpsertAclRoles {
        /// The roles.
        roles: Vec<AclRole>,
    },
    /// Forgets ACL roles.
    DeleteAclRoles {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Inserts or replaces ways to sign in.
    UpsertAclAuthMethods {
        /// The methods.
        methods: Vec<AclAuthMethod>,
    },
    /// Forgets ways to sign in, and the rules that were for them.
    DeleteAclAuthMethods {
        /// Their names.
        names: Vec<String>,
    },
    /// Inserts or replaces rules that bind those who sign in to roles and policies.
    UpsertAclBindingRules {
        /// The rules.
        rules: Vec<AclBindingRule>,
    },
    /// Forgets binding rules.
    DeleteAclBindingRules {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Inserts a secret that can be traded for a token, once.
    UpsertOneTimeToken {
        /// The secret and the token that it is for.
        token: Box<OneTimeToken>,
    },
    /// Forgets one-time tokens: those that were traded, and those that are over.
    DeleteOneTimeTokens {
        /// Their secrets.
        secrets: Vec<String>,
    },
}

/// A change of a node's drain.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct DrainUpdate {
    /// The drain; `None` ends it.
    pub strategy: Option<DrainStrategy>,
    /// Whether the node takes new allocations again, when the drain ends.
    pub mark_eligible: bool,
    /// What to remember of this drain.
    pub metadata: Option<DrainMetadata>,
    /// An event to keep with the node.
    pub event: Option<NodeEvent>,
}

/// How a job ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRemoval {
    /// Which job.
    pub job: JobKey,
    /// Whether everything about it is forgotten at once.
    pub purge: bool,
    /// Whether its tasks skip their shutdown delay.
    pub no_shutdown_delay: bool,
    /// Whether it stays after all when something of it is alive again by then.
    #[serde(default)]
    pub only_if_dead: bool,
}

/// The accepted part of a plan.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct PlanApply {
    /// The evaluation that made the plan.
    pub eval: EvalId,
    /// The job, once; attached to the allocations that carry none.
    pub job: Option<Arc<Job>>,
    /// Existing allocations to stop or preempt; only what changes.
    pub stops: Vec<AllocStop>,
    /// New and updated allocations.
    pub allocs: Vec<Allocation>,
    /// A new or changed deployment.
    pub deployment: Option<Box<Deployment>>,
    /// Status changes of deployments.
    pub deployment_updates: Vec<DeploymentStatusUpdate>,
    /// Evaluations of the jobs whose allocations were preempted.
    pub preemption_evals: Vec<Evaluation>,
    /// Nodes to take no more allocations, for they rejected too many plans.
    pub ineligible_nodes: Vec<NodeId>,
    /// When.
    pub now: UnixNanos,
}

/// What a plan changes in an allocation that it stops, evicts or preempts.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct AllocStop {
    /// Which allocation.
    pub id: AllocId,
    /// `stop` or `evict`.
    pub desired_status: DesiredStatus,
    /// Why.
    pub desired_description: Description,
    /// What is now thought of the client's side (`lost`, `unknown`, `failed`), when that changes.
    pub client_status: Option<ClientStatus>,
    /// The evaluation that will look at it again.
    pub follow_up_eval: EvalId,
    /// The allocation that takes its place by preemption.
    pub preempted_by: AllocId,
    /// The reschedule attempts, when they change.
    pub reschedule_tracker: Option<Box<RescheduleTracker>>,
}

/// What to do with a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VariableOp {
    /// Writes it.
    Set,
    /// Writes it when its index is as given.
    CheckAndSet,
    /// Forgets it.
    Delete,
    /// Forgets it when its index is as given.
    CheckAndDelete,
    /// Takes or updates its lock.
    LockAcquire,
    /// Gives its lock back.
    LockRelease,
}

/// A variable whose items are encrypted.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct EncryptedVariable {
    /// Its path, indexes, times and lock.
    pub metadata: VariableMetadata,
    /// Nonce and ciphertext of the items.
    pub data: Vec<u8>,
    /// The root key that encrypted it.
    pub key_id: String,
}

/// A root key, wrapped by the key-encryption keys of the cluster.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct WrappedRootKey {
    /// Its id, state and times.
    pub meta: RootKeyMeta,
    /// The wrapped material, one for each provider: an opaque document of `identity`.
    pub wrapped: Vec<Vec<u8>>,
    /// The public half, DER.
    pub public_key: Vec<u8>,
}

/// What names the cluster.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct ClusterMetadata {
    /// A UUID.
    pub cluster_id: String,
    /// When it was named.
    pub create_time: UnixNanos,
}

impl Command {
    /// The message type's name in the event stream and in metrics.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::RegisterNode { .. } => "NodeRegistration",
            Self::DeregisterNodes { .. } => "NodeDeregistration",
            Self::UpdateNodeEligibility { .. } => "NodeEligibility",
            Self::UpdateNodeDrains { .. } => "NodeDrain",
            Self::UpdateNodeStatus { .. } | Self::AppendNodeEvents { .. } => "NodeStreamEvent",
            Self::RegisterJob { .. } => "JobRegistered",
            Self::DeregisterJobs { jobs, .. } if jobs.len() > 1 => "JobBatchDeregistered",
            Self::DeregisterJobs { .. } => "JobDeregistered",
            Self::UpsertEvals { .. } => "EvaluationUpdated",
            Self::ApplyPlan(_) => "PlanResult",
            Self::UpdateAllocsFromClient { .. } => "AllocationUpdated",
            Self::UpdateDesiredTransitions { .. } => "AllocationUpdateDesiredStatus",
            Self::UpdateDeploymentStatus { .. } => "DeploymentStatusUpdate",
            Self::PromoteDeployment { .. } => "DeploymentPromotion",
            Self::SetAllocHealth { .. } => "DeploymentAllocHealth",
            Self::UpsertServices { .. } => "ServiceRegistration",
            Self::DeleteServices { .. } => "ServiceDeregistration",
            Self::UpsertNodePools { .. } => "NodePoolUpserted",
            Self::DeleteNodePools { .. } => "NodePoolDeleted",
            Self::ApplyVariable { .. } => "VariableUpdated",
            Self::UpsertHostVolumes { .. } => "HostVolumeRegistered",
            Self::DeleteHostVolumes { .. } => "HostVolumeDeleted",
            Self::DeleteVolumeClaims { .. } => "TaskGroupHostVolumeClaimDeleted",
            Self::UpsertAclPolicies { .. } => "ACLPolicyUpserted",
            Self::DeleteAclPolicies { .. } => "ACLPolicyDeleted",
            Self::UpsertAclTokens { .. } | Self::BootstrapAcl { .. } => "ACLTokenUpserted",
            Self::DeleteAclTokens { .. } => "ACLTokenDeleted",
            Self::UpsertAclRoles { .. } => "ACLRoleUpserted",
            Self::DeleteAclRoles { .. } => "ACLRoleDeleted",
            Self::UpsertAclAuthMethods { .. } => "ACLAuthMethodUpserted",
            Self::DeleteAclAuthMethods { .. } => "ACLAuthMethodDeleted",
            Self::UpsertAclBindingRules { .. } => "ACLBindingRuleUpserted",
            Self::DeleteAclBindingRules { .. } => "ACLBindingRuleDeleted",
            Self::SetJobStability { .. }
            | Self::TagJobVersion { .. }
            | Self::RecordPeriodicLaunch { .. }
            | Self::RecordScalingEvent { .. }
            | Self::ReconcileSummaries
            | Self::DeleteEvals { .. }
            | Self::DeleteDeployments { .. }
            | Self::UpsertNamespaces { .. }
            | Self::DeleteNamespaces { .. }
            | Self::UpsertRootKeys { .. }
            | Self::DeleteRootKeys { .. }
            | Self::SetSchedulerConfig { .. }
            | Self::SetAutopilotConfig { .. }
            | Self::SetClusterMetadata { .. }
            | Self::RestoreState { .. }
            | Self::RestorePart(_)
            | Self::UpsertOneTimeToken { .. }
            | Self::DeleteOneTimeTokens { .. } => "",
        }
    }
}
