//! Services as registered in the cluster itself.

use crate::id::{AllocId, JobId, NamespaceName, NodeId};
use serde::{Deserialize, Serialize};

/// An instance of a service.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceRegistration {
    /// `_nomad-task-<alloc id>-<task, or group-<group>>-<service>-<port label>`.
    #[serde(rename = "ID")]
    pub id: String,
    /// The service.
    pub service_name: String,
    /// The job's namespace.
    pub namespace: NamespaceName,
    /// The node.
    #[serde(rename = "NodeID")]
    pub node_id: NodeId,
    /// The node's datacenter.
    pub datacenter: String,
    /// The job.
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    /// The allocation.
    #[serde(rename = "AllocID")]
    pub alloc_id: AllocId,
    /// Tags.
    #[serde(deserialize_with = "crate::shape::null_default")]
    pub tags: Vec<String>,
    /// Its address.
    pub address: String,
    /// Its port.
    pub port: i64,
    /// Index of the registration.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

impl ServiceRegistration {
    /// The id of a service's instance; `workload` is the task, or `group-<group>`.
    #[must_use]
    pub fn make_id(alloc: AllocId, workload: &str, service: &str, port_label: &str) -> String {
        format!("_nomad-task-{alloc}-{workload}-{service}-{port_label}")
    }
}

/// The services of a namespace.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceListStub {
    /// The namespace.
    pub namespace: NamespaceName,
    /// Its services.
    #[serde(deserialize_with = "crate::shape::null_default")]
    pub services: Vec<ServiceStub>,
}

/// A service with the tags of all its instances.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServiceStub {
    /// Its name.
    pub service_name: String,
    /// Every tag once.
    #[serde(deserialize_with = "crate::shape::null_default")]
    pub tags: Vec<String>,
}
