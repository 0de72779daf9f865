//! What a state holds: how many rows of each kind, and how large they are in a dump.

use crate::state::State;
use serde::Serialize;
use std::collections::BTreeSet;

/// The rows of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    /// What they are, as snapshots name it.
    pub kind: &'static str,
    /// How many.
    pub count: usize,
    /// Bytes that they take.
    pub bytes: usize,
}

fn of<T: Serialize>(kind: &'static str, rows: impl IntoIterator<Item = T>) -> Census {
    let mut census = Census {
        kind,
        count: 0,
        bytes: 0,
    };
    for row in rows {
        census.count += 1;
        census.bytes += caravan_codec::msgpack::pack(&row).map_or(0, |bytes| bytes.len());
    }
    census
}

impl State {
    /// Every kind of which there is a row.
    #[must_use]
    pub fn census(&self) -> Vec<Census> {
        let quotas: BTreeSet<&str> = self
            .variables
            .keys()
            .map(|key| key.namespace.as_str())
            .collect();
        let mut all = vec![
            of("Node", self.nodes.values()),
            of("NodePool", self.node_pools.values()),
            of("Job", self.jobs.values()),
            of("Eval", self.evals.values()),
            of("Alloc", self.allocs.values()),
            of("PeriodicLaunch", self.periodic_launches.iter()),
            of("JobSummary", self.summaries.values()),
            of("JobVersion", self.job_versions.values()),
            of("Deployment", self.deployments.values()),
            of("ScalingPolicy", self.scaling_policies.values()),
            of("ScalingEvents", self.scaling_events.values()),
            of("ACLPolicy", self.acl_policies.values()),
            of("ACLToken", self.acl_tokens.values()),
            of("Namespace", self.namespaces.values()),
            of("SchedulerConfig", &self.scheduler_config),
            of("ClusterMetadata", &self.cluster_metadata),
            of("ServiceRegistration", self.services.values()),
            of("Variables", self.variables.values()),
            of("VariablesQuota", quotas),
            of("RootKey", self.root_keys.values()),
            of("ACLRole", self.acl_roles.values()),
            of("JobSubmission", self.submissions.values()),
            of("HostVolume", self.host_volumes.values()),
        ];
        all.retain(|census| census.count > 0);
        all
    }
}
