//! The root of all tables: a value that clones in constant time, so that a clone is a snapshot.

use crate::command::{ClusterMetadata, EncryptedVariable, WrappedRootKey};
use crate::key::{ClaimKey, JobKey, ScopedKey};
use crate::node_table::NodeTable;
use crate::restoring::Restoring;
use crate::table::{Table, TableIndexes};
use caravan_model::*;
use imbl::{OrdMap, OrdSet};
use std::sync::Arc;

/// The replicated state at one index.
///
/// Every read is on a value that nobody changes: to read consistently, clone the state once.
#[derive(Clone, Default)]
pub struct State {
    pub(crate) index: u64,
    pub(crate) indexes: TableIndexes,
    pub(crate) nodes: OrdMap<NodeId, Arc<Node>>,
    pub(crate) node_table: NodeTable,
    pub(crate) node_pools: OrdMap<String, Arc<NodePool>>,
    pub(crate) jobs: OrdMap<JobKey, Arc<Job>>,
    pub(crate) job_versions: OrdMap<(JobKey, u64), Arc<Job>>,
    pub(crate) job_children: OrdMap<JobKey, OrdSet<JobKey>>,
    pub(crate) summaries: OrdMap<JobKey, Arc<JobSummary>>,
    pub(crate) submissions: OrdMap<(JobKey, u64), Arc<JobSubmission>>,
    pub(crate) periodic_launches: OrdMap<JobKey, UnixNanos>,
    pub(crate) evals: OrdMap<EvalId, Arc<Evaluation>>,
    pub(crate) evals_by_job: OrdMap<JobKey, OrdSet<EvalId>>,
    /// Evaluations that are not terminal.
    pub(crate) open_evals: OrdMap<JobKey, OrdSet<EvalId>>,
    pub(crate) allocs: OrdMap<AllocId, Arc<Allocation>>,
    /// The rows themselves: what is read of a job at every evaluation costs no look-up each.
    pub(crate) allocs_by_job: OrdMap<JobKey, OrdMap<AllocId, Arc<Allocation>>>,
    /// How many allocations of a job are not terminal.
    pub(crate) live_allocs: OrdMap<JobKey, usize>,
    pub(crate) allocs_by_node: OrdMap<NodeId, OrdSet<AllocId>>,
    pub(crate) allocs_by_eval: OrdMap<EvalId, OrdSet<AllocId>>,
    pub(crate) allocs_by_deployment: OrdMap<DeploymentId, OrdSet<AllocId>>,
    pub(crate) deployments: OrdMap<DeploymentId, Arc<Deployment>>,
    pub(crate) deployments_by_job: OrdMap<JobKey, OrdSet<(u64, DeploymentId)>>,
    pub(crate) scaling_policies: OrdMap<String, Arc<ScalingPolicy>>,
    pub(crate) scaling_events: OrdMap<JobKey, Arc<JobScalingEvents>>,
    pub(crate) namespaces: OrdMap<String, Arc<Namespace>>,
    pub(crate) services: OrdMap<ScopedKey, Arc<ServiceRegistration>>,
    pub(crate) variables: OrdMap<ScopedKey, Arc<EncryptedVariable>>,
    pub(crate) root_keys: OrdMap<String, Arc<WrappedRootKey>>,
    pub(crate) host_volumes: OrdMap<ScopedKey, Arc<HostVolume>>,
    pub(crate) volume_claims: OrdMap<ClaimKey, Arc<TaskGroupHostVolumeClaim>>,
    pub(crate) acl_policies: OrdMap<String, Arc<AclPolicy>>,
    pub(crate) acl_tokens: OrdMap<String, Arc<AclToken>>,
    pub(crate) acl_tokens_by_secret: OrdMap<String, String>,
    pub(crate) acl_roles: OrdMap<String, Arc<AclRole>>,
    pub(crate) acl_auth_methods: OrdMap<String, Arc<AclAuthMethod>>,
    pub(crate) acl_binding_rules: OrdMap<String, Arc<AclBindingRule>>,
    pub(crate) one_time_tokens: OrdMap<String, Arc<OneTimeToken>>,
    pub(crate) acl_bootstrap_index: u64,
    pub(crate) scheduler_config: Option<Arc<SchedulerConfiguration>>,
    pub(crate) autopilot_config: Option<Arc<AutopilotConfiguration>>,
    pub(crate) cluster_metadata: Option<Arc<ClusterMetadata>>,
    pub(crate) restoring: Option<Restoring>,
}

/// The kept scaling events of a job, newest first, by group.
pub type JobScalingEvents = std::collections::BTreeMap<String, Vec<ScalingEvent>>;

impl State {
    /// The index of the last applied command.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The index of the last command that wrote this table; 0 when none has.
    #[must_use]
    pub fn index_of(&self, table: Table) -> u64 {
        self.indexes.get(table)
    }

    /// The newest of several tables' indexes.
    #[must_use]
    pub fn index_of_any(&self, tables: &[Table]) -> u64 {
        tables
            .iter()
            .map(|table| self.indexes.get(*table))
            .max()
            .unwrap_or(0)
    }
}

macro_rules! table_reads {
    ($($(#[$doc:meta])* $get:ident, $all:ident, $field:ident: $key:ty => $row:ty;)*) => {
        impl State {$(
            $(#[$doc])*
            #[must_use]
            pub fn $get(&self, key: &$key) -> Option<&Arc<$row>> {
                self.$field.get(key)
            }

            /// All rows of the table, in the order of their keys.
            pub fn $all(&self) -> impl DoubleEndedIterator<Item = &Arc<$row>> {
                self.$field.values()
            }
        )*}
    };
}

table_reads! {
    /// A node.
    node, nodes, nodes: NodeId => Node;
    /// A node pool.
    node_pool, node_pools, node_pools: String => NodePool;
    /// The current version of a job.
    job, jobs, jobs: JobKey => Job;
    /// A job's counters.
    job_summary, job_summaries, summaries: JobKey => JobSummary;
    /// An evaluation.
    eval, evals, evals: EvalId => Evaluation;
    /// An allocation.
    alloc, allocs, allocs: AllocId => Allocation;
    /// A deployment.
    deployment, deployments, deployments: DeploymentId => Deployment;
    /// A scaling policy.
    scaling_policy, scaling_policies, scaling_policies: String => ScalingPolicy;
    /// A namespace.
    namespace, namespaces, namespaces: String => Namespace;
    /// An instance of a service, by namespace and id.
    service, services, services: ScopedKey => ServiceRegistration;
    /// A variable, by namespace and path.
    variable, variables, variables: ScopedKey => EncryptedVariable;
    /// A root key.
    root_key, root_keys, root_keys: String => WrappedRootKey;
    /// A host volume, by namespace and id.
    host_volume, host_volumes, host_volumes: ScopedKey => HostVolume;
    /// A claim of a group on a sticky host volume.
    volume_claim, volume_claims, volume_claims: ClaimKey => TaskGroupHostVolumeClaim;
    /// An ACL policy.
    acl_policy, acl_policies, acl_policies: String => AclPolicy;
    /// An ACL token, by accessor.
    acl_token, acl_tokens, acl_tokens: String => AclToken;
    /// An ACL role, by id.
    acl_role, acl_roles, acl_roles: String => AclRole;
    /// A way to sign in, by name.
    acl_auth_method, acl_auth_methods, acl_auth_methods: String => AclAuthMethod;
    /// A binding rule, by id.
    acl_binding_rule, acl_binding_rules, acl_binding_rules: String => AclBindingRule;
    /// A one-time token, by its secret.
    one_time_token, one_time_tokens, one_time_tokens: String => OneTimeToken;
}

impl State {
    /// The claims of a job's groups on sticky host volumes.
    pub fn volume_claims_of_job<'a>(
        &'a self,
        job: &'a JobKey,
    ) -> impl Iterator<Item = &'a Arc<TaskGroupHostVolumeClaim>> {
        let first = ClaimKey {
            job: job.clone(),
            group: String::new(),
            volume: String::new(),
        };
        let from = self.volume_claims.range(first..);
        from.take_while(move |(key, _)| key.job == *job)
            .map(|(_, claim)| claim)
    }

    /// A kept version of a job.
    #[must_use]
    pub fn job_version(&self, job: &JobKey, version: u64) -> Option<&Arc<Job>> {
        self.job_versions.get(&(job.clone(), version))
    }

    /// The kept versions of a job, newest first.
    pub fn job_versions<'a>(
        &'a self,
        job: &JobKey,
    ) -> impl Iterator<Item = &'a Arc<Job>> + use<'a> {
        self.job_versions
            .range((job.clone(), 0)..=(job.clone(), u64::MAX))
            .rev()
            .map(|(_, row)| row)
    }

    /// The source text of a version of a job.
    #[must_use]
    pub fn job_submission(&self, job: &JobKey, version: u64) -> Option<&Arc<JobSubmission>> {
        self.submissions.get(&(job.clone(), version))
    }

    /// The jobs that were dispatched or launched from a parent.
    pub fn job_children<'a>(
        &'a self,
        parent: &JobKey,
    ) -> impl Iterator<Item = &'a Arc<Job>> + use<'a> {
        let children = self.job_children.get(parent);
        children
            .into_iter()
            .flat_map(OrdSet::iter)
            .filter_map(|key| self.jobs.get(key))
    }

    /// When a periodic job was last launched (or inserted).
    #[must_use]
    pub fn periodic_launch(&self, job: &JobKey) -> Option<UnixNanos> {
        self.periodic_launches.get(job).copied()
    }

    /// The evaluations of a job, in the order of their ids.
    pub fn evals_of_job<'a>(
        &'a self,
        job: &JobKey,
    ) -> impl Iterator<Item = &'a Arc<Evaluation>> + use<'a> {
        self.evals_by_job
            .get(job)
            .into_iter()
            .flat_map(OrdSet::iter)
            .filter_map(|id| self.evals.get(id))
    }

    /// The evaluations of a job that are not terminal, in the order of their ids.
    pub fn open_evals_of_job<'a>(
        &'a self,
        job: &JobKey,
    ) -> impl Iterator<Item = &'a Arc<Evaluation>> + use<'a> {
        self.open_evals
            .get(job)
            .into_iter()
            .flat_map(OrdSet::iter)
            .filter_map(|id| self.evals.get(id))
    }

    /// How many allocations of a job are not terminal.
    #[must_use]
    pub fn live_alloc_count(&self, job: &JobKey) -> usize {
        self.live_allocs.get(job).copied().unwrap_or(0)
    }

    /// The allocations of a job, in the order of their ids.
    pub fn allocs_of_job<'a>(
        &'a self,
        job: &JobKey,
    ) -> impl Iterator<Item = &'a Arc<Allocation>> + use<'a> {
        let rows = self.allocs_by_job.get(job);
        rows.into_iter().flat_map(OrdMap::values)
    }

    /// The allocations on a node, in the order of their ids.
    pub fn allocs_of_node<'a>(
        &'a self,
        node: &NodeId,
    ) -> impl Iterator<Item = &'a Arc<Allocation>> + use<'a> {
        self.rows(self.allocs_by_node.get(node))
    }

    /// The allocations that an evaluation made, in the order of their ids.
    pub fn allocs_of_eval<'a>(
        &'a self,
        eval: &EvalId,
    ) -> impl Iterator<Item = &'a Arc<Allocation>> + use<'a> {
        self.rows(self.allocs_by_eval.get(eval))
    }

    /// The allocations of a deployment, in the order of their ids.
    pub fn allocs_of_deployment<'a>(
        &'a self,
        deployment: &DeploymentId,
    ) -> impl Iterator<Item = &'a Arc<Allocation>> + use<'a> {
        self.rows(self.allocs_by_deployment.get(deployment))
    }

    fn rows<'a>(
        &'a self,
        ids: Option<&'a OrdSet<AllocId>>,
    ) -> impl Iterator<Item = &'a Arc<Allocation>> + use<'a> {
        ids.into_iter()
            .flat_map(OrdSet::iter)
            .filter_map(|id| self.allocs.get(id))
    }

    /// Writes a node's row, and what is derived from it.
    pub(crate) fn insert_node(&mut self, node: &Arc<Node>) {
        self.nodes.insert(node.id, Arc::clone(node));
        let mut table = std::mem::take(&mut self.node_table);
        table.put(node, self.allocs_of_node(&node.id));
        self.node_table = table;
    }

    pub(crate) fn insert_alloc_of_job(&mut self, job: JobKey, alloc: Arc<Allocation>) {
        if let Some(rows) = self.allocs_by_job.get_mut(&job) {
            rows.insert(alloc.id, alloc);
        } else {
            self.allocs_by_job
                .insert(job, OrdMap::unit(alloc.id, alloc));
        }
    }

    pub(crate) fn remove_alloc_of_job(&mut self, job: &JobKey, alloc: AllocId) {
        let Some(rows) = self.allocs_by_job.get_mut(job) else {
            return;
        };
        rows.remove(&alloc);
        if rows.is_empty() {
            self.allocs_by_job.remove(job);
        }
    }

    /// The deployments of a job, newest first.
    pub fn deployments_of_job<'a>(
        &'a self,
        job: &JobKey,
    ) -> impl Iterator<Item = &'a Arc<Deployment>> + use<'a> {
        let ids = self.deployments_by_job.get(job);
        ids.into_iter()
            .flat_map(|ids| ids.iter().rev())
            .filter_map(|(_, id)| self.deployments.get(id))
    }

    /// The newest deployment of a job.
    #[must_use]
    pub fn latest_deployment(&self, job: &JobKey) -> Option<&Arc<Deployment>> {
        self.deployments_of_job(job).next()
    }

    /// The kept scaling events of a job.
    #[must_use]
    pub fn scaling_events(&self, job: &JobKey) -> Option<&Arc<JobScalingEvents>> {
        self.scaling_events.get(job)
    }

    /// The ACL token of this secret.
    #[must_use]
    pub fn acl_token_by_secret(&self, secret: &str) -> Option<&Arc<AclToken>> {
        self.acl_tokens.get(self.acl_tokens_by_secret.get(secret)?)
    }

    /// The ACL role of this name.
    #[must_use]
    pub fn acl_role_by_name(&self, name: &str) -> Option<&Arc<AclRole>> {
        self.acl_roles.values().find(|role| role.name == name)
    }

    /// The index of the last ACL bootstrap; 0 when there was none.
    #[must_use]
    pub fn acl_bootstrap_index(&self) -> u64 {
        self.acl_bootstrap_index
    }

    /// The scheduler's configuration; none before a leader has set one.
    #[must_use]
    pub fn scheduler_config(&self) -> Option<&Arc<SchedulerConfiguration>> {
        self.scheduler_config.as_ref()
    }

    /// The autopilot's configuration; none before a leader has set one.
    #[must_use]
    pub fn autopilot_config(&self) -> Option<&Arc<AutopilotConfiguration>> {
        self.autopilot_config.as_ref()
    }

    /// What names the cluster; none before a leader has named it.
    #[must_use]
    pub fn cluster_metadata(&self) -> Option<&Arc<ClusterMetadata>> {
        self.cluster_metadata.as_ref()
    }

    /// The nodes as the scheduler looks at them.
    #[must_use]
    pub fn node_table(&self) -> &NodeTable {
        &self.node_table
    }

    /// How many nodes there are.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// How many allocations there are, terminal ones included.
    #[must_use]
    pub fn alloc_count(&self) -> usize {
        self.allocs.len()
    }
}
