//! Why a command was refused. A refused command changes nothing.

use crate::key::JobKey;
use caravan_model::*;

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// A part of a snapshot does not follow what came before.
    #[error("another restore has begun meanwhile")]
    RestoreInterrupted,
    /// No such node.
    #[error("node not found")]
    NodeNotFound(NodeId),
    /// The node that registers is not the one that is known by this id.
    #[error("node secret ID does not match. Not registering node.")]
    NodeSecretMismatch(NodeId),
    /// The node drains.
    #[error("can not set node's scheduling eligibility to eligible while it is draining")]
    NodeIsDraining(NodeId),
    /// No such job.
    #[error("job {:?} not found", .0.id.as_str())]
    JobNotFound(JobKey),
    /// No such version of the job.
    #[error("job {:?} version {version} not found", .job.id.as_str())]
    JobVersionNotFound {
        /// Which job.
        job: JobKey,
        /// Which version.
        version: u64,
    },
    /// Another version carries this tag.
    #[error("tag {tag:?} already exists on a different version of job {:?}", .job.id.as_str())]
    TagTaken {
        /// The tag.
        tag: String,
        /// Which job.
        job: JobKey,
    },
    /// No version carries this tag.
    #[error("tag {tag:?} not found on job {:?}", .job.id.as_str())]
    TagNotFound {
        /// The tag.
        tag: String,
        /// Which job.
        job: JobKey,
    },
    /// The job's namespace does not exist.
    #[error("job {job:?} is in nonexistent namespace {namespace:?}")]
    NamespaceMissing {
        /// The job's id.
        job: String,
        /// The namespace.
        namespace: String,
    },
    /// The job's node pool does not exist.
    #[error("job {job:?} is in nonexistent node pool {pool:?}")]
    NodePoolMissing {
        /// The job's id.
        job: String,
        /// The pool.
        pool: String,
    },
    /// No such evaluation.
    #[error("eval not found")]
    EvalNotFound(EvalId),
    /// No such deployment.
    #[error("deployment not found")]
    DeploymentNotFound(DeploymentId),
    /// The deployment has ended.
    #[error("can't {action} terminal deployment")]
    DeploymentTerminal {
        /// What was asked.
        action: &'static str,
    },
    /// Not enough canaries are healthy.
    #[error("{}", promotion_text(.0))]
    CanariesUnhealthy(Vec<String>),
    /// No such allocation.
    #[error("unknown alloc \"{0}\"")]
    AllocNotFound(AllocId),
    /// An allocation is not part of the deployment.
    #[error("alloc \"{alloc}\" is not part of deployment \"{deployment}\"")]
    NotInDeployment {
        /// Which allocation.
        alloc: AllocId,
        /// Which deployment.
        deployment: DeploymentId,
    },
    /// No such namespace.
    #[error("namespace {0:?} not found")]
    NamespaceNotFound(String),
    /// The namespace is still used.
    #[error("{0}")]
    NamespaceInUse(String),
    /// No such node pool.
    #[error("node pool {0:?} not found")]
    NodePoolNotFound(String),
    /// The node pool may not be changed, or is still used.
    #[error("{0}")]
    NodePoolRefused(String),
    /// What was to be restored is no dump of a state.
    #[error("{0}")]
    NotADump(String),
    /// No such service.
    #[error("service registration not found")]
    ServiceNotFound,
    /// A check-and-set found another index, or a lock is held.
    #[error("variable conflict")]
    VariableConflict(Option<Box<crate::command::EncryptedVariable>>),
    /// The variable does not exist.
    #[error("variable doesn't exist")]
    VariableMissing,
    /// The variable is not locked.
    #[error("variable doesn't hold a lock")]
    VariableNotLocked,
    /// A check-and-set of a configuration found another index.
    #[error("the stored index {stored} is not {given}")]
    IndexMismatch {
        /// The index that was expected.
        given: u64,
        /// The index that is stored.
        stored: u64,
    },
    /// ACLs were bootstrapped before.
    #[error("ACL bootstrap already done (reset index: {0})")]
    AclBootstrapped(u64),
    /// Another way to sign in of this kind is the one used when none is named.
    #[error("default {kind} auth method already exists: {name:?}")]
    DefaultAuthMethodTaken {
        /// The kind.
        kind: String,
        /// The other method.
        name: String,
    },
    /// An ACL object is missing.
    #[error("{0} not found")]
    AclMissing(String),
}

fn promotion_text(groups: &[String]) -> String {
    let plural = if groups.len() == 1 { "" } else { "s" };
    let lines: String = groups.iter().map(|line| format!("\t* {line}\n")).collect();
    format!("{} error{plural} occurred:\n{lines}\n", groups.len())
}
