//! The tables by name, and the index at which each was last written.

use serde::{Deserialize, Serialize};

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// A table of the replicated state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Table {
            $($(#[$doc])* $name,)*
        }

        impl Table {
            /// Every table, in the order of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name under which the table is dumped.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

tables! {
    /// Client nodes.
    Nodes = "nodes",
    /// Node pools.
    NodePools = "node_pools",
    /// The current version of every job.
    Jobs = "jobs",
    /// The kept versions of every job.
    JobVersions = "job_version",
    /// Counters of allocations by group.
    JobSummaries = "job_summary",
    /// Source texts of job versions.
    JobSubmissions = "job_submission",
    /// The last launch of each periodic job.
    PeriodicLaunches = "periodic_launch",
    /// Evaluations.
    Evaluations = "evals",
    /// Allocations.
    Allocations = "allocs",
    /// Deployments.
    Deployments = "deployment",
    /// Scaling policies.
    ScalingPolicies = "scaling_policy",
    /// The last scaling events of each group.
    ScalingEvents = "scaling_event",
    /// Namespaces.
    Namespaces = "namespaces",
    /// Instances of services of the `nomad` provider.
    Services = "service_registrations",
    /// Encrypted variables.
    Variables = "variables",
    /// Root keys, wrapped.
    RootKeys = "root_keys",
    /// Host volumes.
    HostVolumes = "host_volumes",
    /// CSI volumes.
    CsiVolumes = "csi_volumes",
    /// CSI plugins.
    CsiPlugins = "csi_plugins",
    /// ACL policies.
    AclPolicies = "acl_policy",
    /// ACL tokens.
    AclTokens = "acl_token",
    /// ACL roles.
    AclRoles = "acl_roles",
    /// ACL auth methods.
    AclAuthMethods = "acl_auth_methods",
    /// ACL binding rules.
    AclBindingRules = "acl_binding_rules",
    /// One-time tokens.
    OneTimeTokens = "one_time_token",
    /// The scheduler's configuration.
    SchedulerConfig = "scheduler_config",
    /// The autopilot's configuration.
    AutopilotConfig = "autopilot-config",
    /// What names the cluster.
    ClusterMetadata = "cluster_meta",
    /// Which group holds which sticky host volume.
    VolumeClaims = "task_group_host_volume_claim",
}

/// For each table, the index of the command that last wrote it; 0 for "never".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableIndexes(Vec<u64>);

impl Default for TableIndexes {
    fn default() -> Self {
        Self(vec![0; Table::ALL.len()])
    }
}

impl TableIndexes {
    pub(crate) fn get(&self, table: Table) -> u64 {
        self.0.get(table as usize).copied().unwrap_or(0)
    }

    pub(crate) fn set(&mut self, table: Table, index: u64) {
        self.0.resize(Table::ALL.len(), 0);
        self.0[table as usize] = index;
    }
}
