//! Keys of rows that are not named by one id.

use caravan_model::{JobId, NamespaceName, TaskGroupHostVolumeClaim};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names a job in the cluster: its namespace and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobKey {
    /// The namespace that the job lives in.
    pub namespace: NamespaceName,
    /// The job's id within it.
    pub id: JobId,
}

impl JobKey {
    /// The key of the job of this id in this namespace.
    pub fn new(namespace: impl Into<NamespaceName>, id: impl Into<JobId>) -> Self {
        Self {
            namespace: namespace.into(),
            id: id.into(),
        }
    }
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.id)
    }
}

/// Names an object by namespace and name: a variable's path, a volume's id, a service's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopedKey {
    /// The namespace.
    pub namespace: NamespaceName,
    /// The name within it.
    pub name: String,
}

/// Names the claim of a job's group on a host volume.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimKey {
    /// The job.
    pub job: JobKey,
    /// The group.
    pub group: String,
    /// The volume's id.
    pub volume: String,
}

impl ClaimKey {
    /// The key of a claim.
    #[must_use]
    pub fn of(claim: &TaskGroupHostVolumeClaim) -> Self {
        Self {
            job: JobKey::new(claim.namespace.clone(), claim.job_id.clone()),
            group: claim.task_group_name.clone(),
            volume: claim.volume_id.clone(),
        }
    }
}

impl ScopedKey {
    /// The key of this name in this namespace.
    pub fn new(namespace: impl Into<NamespaceName>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}
