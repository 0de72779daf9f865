//! What a command changed: the rows, as they are now, for watchers, the event stream and the controllers.

use crate::command::EncryptedVariable;
use crate::key::JobKey;
use caravan_model::*;
use std::sync::Arc;

/// One changed row.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A node was inserted or changed.
    Node(Arc<Node>),
    /// A node was forgotten.
    NodeRemoved(Arc<Node>),
    /// A node pool was inserted or changed.
    NodePool(Arc<NodePool>),
    /// A node pool was forgotten.
    NodePoolRemoved(Arc<NodePool>),
    /// A job was inserted or changed.
    Job(Arc<Job>),
    /// A job was forgotten.
    JobRemoved(Arc<Job>),
    /// An evaluation was inserted or changed.
    Eval(Arc<Evaluation>),
    /// An evaluation was forgotten.
    EvalRemoved(Arc<Evaluation>),
    /// An allocation was inserted or changed; `client_terminal` says whether it just ended on its client.
    Alloc {
        /// The allocation now.
        alloc: Arc<Allocation>,
        /// Whether it just became terminal on its client, so that its resources are free.
        freed: bool,
    },
    /// An allocation was forgotten.
    AllocRemoved(Arc<Allocation>),
    /// A deployment was inserted or changed.
    Deployment(Arc<Deployment>),
    /// A deployment was forgotten.
    DeploymentRemoved(Arc<Deployment>),
    /// An instance of a service was inserted or changed.
    Service(Arc<ServiceRegistration>),
    /// An instance of a service was forgotten.
    ServiceRemoved(Arc<ServiceRegistration>),
    /// A namespace was inserted or changed.
    Namespace(Arc<Namespace>),
    /// A namespace was forgotten.
    NamespaceRemoved(Arc<Namespace>),
    /// A variable was inserted or changed.
    Variable(Arc<EncryptedVariable>),
    /// A variable was forgotten.
    VariableRemoved(Arc<EncryptedVariable>),
    /// A host volume was inserted or changed.
    HostVolume(Arc<HostVolume>),
    /// A host volume was forgotten.
    HostVolumeRemoved(Arc<HostVolume>),
    /// A group of this job need not run where a volume is any more.
    VolumeClaimRemoved(JobKey),
    /// An ACL policy was inserted or changed.
    AclPolicy(Arc<AclPolicy>),
    /// An ACL policy was forgotten.
    AclPolicyRemoved(Arc<AclPolicy>),
    /// An ACL token was inserted or changed.
    AclToken(Arc<AclToken>),
    /// An ACL token was forgotten.
    AclTokenRemoved(Arc<AclToken>),
    /// An ACL role was inserted or changed.
    AclRole(Arc<AclRole>),
    /// An ACL role was forgotten.
    AclRoleRemoved(Arc<AclRole>),
    /// A way to sign in was inserted or changed.
    AclAuthMethod(Arc<AclAuthMethod>),
    /// A way to sign in was forgotten.
    AclAuthMethodRemoved(Arc<AclAuthMethod>),
    /// A binding rule was inserted or changed.
    AclBindingRule(Arc<AclBindingRule>),
    /// A binding rule was forgotten.
    AclBindingRuleRemoved(Arc<AclBindingRule>),
    /// The scheduler's configuration was set.
    SchedulerConfig(Arc<SchedulerConfiguration>),
    /// A job was launched or its schedule changed.
    PeriodicLaunch(JobKey, UnixNanos),
}

/// What a command did.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// The index at which it was applied.
    pub index: u64,
    /// Its event type, empty for commands that make no events.
    pub event_type: &'static str,
    /// The changed rows, in the order in which they were written.
    pub changes: Vec<Change>,
    /// Whether a dump took the place of the whole state, of which `changes` tell nothing.
    pub restored: bool,
}
