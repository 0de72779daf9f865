//! The event stream: what changed, told to those who listen.

use crate::acl::{AclPolicy, AclRole, AclToken};
use crate::acl_auth::{AclAuthMethod, AclBindingRule};
use crate::alloc::Allocation;
use crate::csi::{CsiPlugin, CsiVolume};
use crate::deployment::Deployment;
use crate::evaluation::Evaluation;
use crate::host_volume::HostVolume;
use crate::job::Job;
use crate::node::Node;
use crate::node_pool::NodePool;
use crate::service_registration::ServiceRegistration;
use crate::shape;
use crate::text_enum::text_enum;
use crate::variable::VariableMetadata;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

text_enum! {
    /// What kind of object changed.
    Topic as "topic" {
        /// Every topic; in subscriptions only.
        All = "*",
        Job = "Job",
        Allocation = "Allocation",
        Evaluation = "Evaluation",
        Deployment = "Deployment",
        Node = "Node",
        NodePool = "NodePool",
        Service = "Service",
        HostVolume = "HostVolume",
        CsiVolume = "CSIVolume",
        CsiPlugin = "CSIPlugin",
        AclToken = "ACLToken",
        AclPolicy = "ACLPolicy",
        AclRole = "ACLRole",
        AclAuthMethod = "ACLAuthMethod",
        AclBindingRule = "ACLBindingRule",
        Operator = "Operator",
        Variable = "Variable",
    }
}

/// The write that caused a change: an event's type. One write gives all its events the same type.
#[allow(missing_docs, reason = "each names a write")]
pub mod event_type {
    pub const JOB_REGISTERED: &str = "JobRegistered";
    pub const JOB_DEREGISTERED: &str = "JobDeregistered";
    pub const JOB_BATCH_DEREGISTERED: &str = "JobBatchDeregistered";
    pub const PLAN_RESULT: &str = "PlanResult";
    pub const ALLOCATION_UPDATED: &str = "AllocationUpdated";
    pub const ALLOCATION_UPDATE_DESIRED_STATUS: &str = "AllocationUpdateDesiredStatus";
    pub const EVALUATION_UPDATED: &str = "EvaluationUpdated";
    pub const DEPLOYMENT_STATUS_UPDATE: &str = "DeploymentStatusUpdate";
    pub const DEPLOYMENT_PROMOTION: &str = "DeploymentPromotion";
    pub const DEPLOYMENT_ALLOC_HEALTH: &str = "DeploymentAllocHealth";
    pub const NODE_REGISTRATION: &str = "NodeRegistration";
    pub const NODE_DEREGISTRATION: &str = "NodeDeregistration";
    pub const NODE_ELIGIBILITY: &str = "NodeEligibility";
    pub const NODE_DRAIN: &str = "NodeDrain";
    pub const NODE_EVENT: &str = "NodeStreamEvent";
    pub const NODE_POOL_UPSERTED: &str = "NodePoolUpserted";
    pub const NODE_POOL_DELETED: &str = "NodePoolDeleted";
    pub const SERVICE_REGISTRATION: &str = "ServiceRegistration";
    pub const SERVICE_DEREGISTRATION: &str = "ServiceDeregistration";
    pub const HOST_VOLUME_REGISTERED: &str = "HostVolumeRegistered";
    pub const HOST_VOLUME_DELETED: &str = "HostVolumeDeleted";
    pub const CSI_VOLUME_REGISTERED: &str = "CSIVolumeRegistered";
    pub const CSI_VOLUME_DEREGISTERED: &str = "CSIVolumeDeregistered";
    pub const CSI_VOLUME_CLAIM: &str = "CSIVolumeClaim";
    pub const ACL_TOKEN_UPSERTED: &str = "ACLTokenUpserted";
    pub const ACL_TOKEN_DELETED: &str = "ACLTokenDeleted";
    pub const ACL_POLICY_UPSERTED: &str = "ACLPolicyUpserted";
    pub const ACL_POLICY_DELETED: &str = "ACLPolicyDeleted";
    pub const ACL_ROLE_UPSERTED: &str = "ACLRoleUpserted";
    pub const ACL_ROLE_DELETED: &str = "ACLRoleDeleted";
    pub const ACL_AUTH_METHOD_UPSERTED: &str = "ACLAuthMethodUpserted";
    pub const ACL_AUTH_METHOD_DELETED: &str = "ACLAuthMethodDeleted";
    pub const ACL_BINDING_RULE_UPSERTED: &str = "ACLBindingRuleUpserted";
    pub const ACL_BINDING_RULE_DELETED: &str = "ACLBindingRuleDeleted";
    pub const VARIABLE_UPDATED: &str = "VariableUpdated";
}

/// All events of one write: a line of the stream. A line without events (`{}`) is a heartbeat.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Events {
    /// Index of the write.
    pub index: u64,
    /// The events.
    #[serde(deserialize_with = "shape::null_default")]
    pub events: Vec<Event>,
}

/// An object that changed.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Event {
    /// What kind of object.
    pub topic: Topic,
    /// The write: see [`event_type`].
    pub r#type: String,
    /// The object's id.
    pub key: String,
    /// The object's namespace; empty for what belongs to the whole cluster.
    pub namespace: String,
    /// Further ids by which it can be subscribed to.
    #[serde(with = "shape::nullable")]
    pub filter_keys: Vec<String>,
    /// Index of the write.
    pub index: u64,
    /// The object.
    pub payload: EventPayload,
}

/// The object that changed, under the name of its kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EventPayload {
    /// Topic Job.
    Job(JobEvent),
    /// Topic Allocation.
    Allocation(AllocationEvent),
    /// Topic Evaluation.
    Evaluation {
        /// The evaluation.
        #[serde(rename = "Evaluation")]
        evaluation: Arc<Evaluation>,
    },
    /// Topic Deployment.
    Deployment {
        /// The deployment.
        #[serde(rename = "Deployment")]
        deployment: Arc<Deployment>,
    },
    /// Topic Node.
    Node {
        /// The node, without its secret.
        #[serde(rename = "Node")]
        node: Arc<Node>,
    },
    /// Topic NodePool.
    NodePool {
        /// The pool.
        #[serde(rename = "NodePool")]
        node_pool: Arc<NodePool>,
    },
    /// Topic Service.
    Service {
        /// The instance.
        #[serde(rename = "Service")]
        service: Arc<ServiceRegistration>,
    },
    /// Topic Variable.
    Variable {
        /// Everything but what is in it.
        #[serde(rename = "Metadata")]
        metadata: VariableMetadata,
        /// Whether it is gone.
        #[serde(rename = "Deleted", default)]
        deleted: bool,
    },
    /// Topic ACLToken.
    AclToken {
        /// The token, without its secret.
        #[serde(rename = "ACLToken")]
        token: Arc<AclToken>,
    },
    /// Topic ACLPolicy.
    AclPolicy {
        /// The policy.
        #[serde(rename = "ACLPolicy")]
        policy: Arc<AclPolicy>,
    },
    /// Topic ACLRole.
    AclRole {
        /// The role.
        #[serde(rename = "ACLRole")]
        role: Arc<AclRole>,
    },
    /// Topic ACLAuthMethod.
    AclAuthMethod {
        /// The method.
        #[serde(rename = "AuthMethod")]
        auth_method: Arc<AclAuthMethod>,
    },
    /// Topic ACLBindingRule.
    AclBindingRule {
        /// The rule.
        #[serde(rename = "ACLBindingRule")]
        binding_rule: Arc<AclBindingRule>,
    },
    /// Topic CSIPlugin.
    CsiPlugin {
        /// The plugin.
        #[serde(rename = "Plugin")]
        plugin: Arc<CsiPlugin>,
    },
    /// Topics HostVolume and CSIVolume.
    Volume {
        /// The volume.
        #[serde(rename = "Volume")]
        volume: EventVolume,
    },
    /// Anything else.
    Other(serde_json::Value),
}

impl Default for EventPayload {
    fn default() -> Self {
        Self::Other(serde_json::Value::Null)
    }
}

/// A job that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct JobEvent {
    /// The job.
    pub job: Arc<Job>,
    /// Whether it is gone.
    #[serde(default)]
    pub deleted: bool,
}

/// An allocation that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AllocationEvent {
    /// The allocation, without its job.
    pub allocation: Arc<Allocation>,
    /// Whether it ran too long.
    #[serde(default)]
    pub timeout: bool,
    /// What that means.
    #[serde(default)]
    pub timeout_reason: String,
}

/// A volume of either kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EventVolume {
    /// A dynamic host volume.
    Host(Arc<HostVolumePayload>),
    /// A CSI volume.
    Csi(Arc<CsiVolume>),
}

/// A host volume in an event. A type of its own, so that the two kinds of volumes can be told apart when read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HostVolumePayload(#[serde(deserialize_with = "host_volume")] pub HostVolume);

fn host_volume<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<HostVolume, D::Error> {
    #[derive(Deserialize)]
    struct Marker {
        #[serde(rename = "HostPath")]
        _host_path: String,
    }
    let value = serde_json::Value::deserialize(deserializer)?;
    Marker::deserialize(&value).map_err(serde::de::Error::custom)?;
    HostVolume::deserialize(value).map_err(serde::de::Error::custom)
}
