//! A dump of the whole state: what a snapshot file holds. Equal states dump to equal bytes.
//!
//! Secondary indexes and counters are not dumped but made anew. A job that many allocations share is written once.

use crate::command::{ClusterMetadata, EncryptedVariable, WrappedRootKey};
use crate::key::{ClaimKey, JobKey};
use crate::restoring::Restoring;
use crate::siblings::Siblings;
use crate::state::{JobScalingEvents, State};
use crate::table::TableIndexes;
use crate::txn::insert_into;
use caravan_model::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Why bytes are no dump of a state.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The bytes could not be decoded.
    #[error("the snapshot cannot be read: {0}")]
    Decode(#[from] caravan_codec::msgpack::UnpackError),
    /// An allocation points at a job that the dump does not hold.
    #[error("the snapshot is inconsistent: allocation {0} refers to a job that it does not hold")]
    DanglingJob(AllocId),
}

/// `A` is an allocation: borrowed from the state when written.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Dump<A> {
    index: u64,
    indexes: TableIndexes,
    nodes: Vec<Arc<Node>>,
    node_pools: Vec<Arc<NodePool>>,
    /// Every distinct job row: current ones, kept versions, and those that only allocations still refer to.
    job_rows: Vec<Arc<Job>>,
    jobs: Vec<usize>,
    job_versions: Vec<usize>,
    summaries: Vec<Arc<JobSummary>>,
    submissions: Vec<Arc<JobSubmission>>,
    periodic_launches: Vec<(JobKey, UnixNanos)>,
    evals: Vec<Arc<Evaluation>>,
    allocs: Vec<DumpedAlloc<A>>,
    deployments: Vec<Arc<Deployment>>,
    scaling_policies: Vec<Arc<ScalingPolicy>>,
    scaling_events: Vec<(JobKey, Arc<JobScalingEvents>)>,
    namespaces: Vec<Arc<Namespace>>,
    services: Vec<Arc<ServiceRegistration>>,
    variables: Vec<Arc<EncryptedVariable>>,
    root_keys: Vec<Arc<WrappedRootKey>>,
    host_volumes: Vec<Arc<HostVolume>>,
    volume_claims: Vec<Arc<TaskGroupHostVolumeClaim>>,
    acl_policies: Vec<Arc<AclPolicy>>,
    acl_tokens: Vec<Arc<AclToken>>,
    acl_roles: Vec<Arc<AclRole>>,
    acl_auth_methods: Vec<Arc<AclAuthMethod>>,
    acl_binding_rules: Vec<Arc<AclBindingRule>>,
    one_time_tokens: Vec<Arc<OneTimeToken>>,
    acl_bootstrap_index: u64,
    scheduler_config: Option<Arc<SchedulerConfiguration>>,
    autopilot_config: Option<Arc<AutopilotConfiguration>>,
    cluster_metadata: Option<Arc<ClusterMetadata>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restoring: Option<Restoring>,
}

#[derive(Serialize, Deserialize)]
struct DumpedAlloc<A> {
    job: Option<usize>,
    alloc: A,
}

/// The distinct job rows by what they say, in the order of their keys.
#[derive(Default)]
struct JobRows {
    rows: Vec<Arc<Job>>,
    by_version: BTreeMap<(JobKey, u64, u64), Vec<usize>>,
}

impl JobRows {
    fn place_of(&mut self, job: &Arc<Job>) -> usize {
        let key = JobKey::new(job.namespace.clone(), job.id.clone());
        let places = self
            .by_version
            .entry((key, job.create_index, job.version))
            .or_default();
        let known = places
            .iter()
            .find(|at| Arc::ptr_eq(&self.rows[**at], job) || self.rows[**at] == *job);
        if let Some(at) = known {
            return *at;
        }
        places.push(self.rows.len());
        self.rows.push(Arc::clone(job));
        self.rows.len() - 1
    }
}

impl State {
    /// The state as bytes.
    ///
    /// # Panics
    /// Never: every table's rows can be encoded, and memory takes them.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.dump_into(&mut bytes)
            .expect("rows of the state can always be encoded");
        bytes
    }

    /// The same without holding all of it: the bytes leave while the rows are read.
    ///
    /// # Errors
    /// What `out` does not take.
    pub fn dump_into(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let mut job_rows = JobRows::default();
        let jobs = self
            .jobs
            .values()
            .map(|job| job_rows.place_of(job))
            .collect();
        let job_versions = self
            .job_versions
            .values()
            .map(|job| job_rows.place_of(job))
            .collect();
        let allocs = self
            .allocs
            .values()
            .map(|alloc| {
                let job = alloc.job.as_ref().map(|job| job_rows.place_of(job));
                let alloc = alloc.without_job();
                DumpedAlloc { job, alloc }
            })
            .collect();
        let dump = Dump {
            index: self.index,
            indexes: self.indexes.clone(),
            nodes: self.nodes.values().cloned().collect(),
            node_pools: self.node_pools.values().cloned().collect(),
            jobs,
            job_versions,
            job_rows: job_rows.rows,
            summaries: self.summaries.values().cloned().collect(),
            submissions: self.submissions.values().cloned().collect(),
            periodic_launches: self
                .periodic_launches
                .iter()
                .map(|(key, at)| (key.clone(), *at))
                .collect(),
            evals: self.evals.values().cloned().collect(),
            allocs,
            deployments: self.deployments.values().cloned().collect(),
            scaling_policies: self.scaling_policies.values().cloned().collect(),
            scaling_events: self
                .scaling_events
                .iter()
                .map(|(key, row)| (key.clone(), Arc::clone(row)))
                .collect(),
            namespaces: self.namespaces.values().cloned().collect(),
            services: self.services.values().cloned().collect(),
            variables: self.variables.values().cloned().collect(),
            root_keys: self.root_keys.values().cloned().collect(),
            host_volumes: self.host_volumes.values().cloned().collect(),
            volume_claims: self.volume_claims.values().cloned().collect(),
            acl_policies: self.acl_policies.values().cloned().collect(),
            acl_tokens: self.acl_tokens.values().cloned().collect(),
            acl_roles: self.acl_roles.values().cloned().collect(),
            acl_auth_methods: self.acl_auth_methods.values().cloned().collect(),
            acl_binding_rules: self.acl_binding_rules.values().cloned().collect(),
            one_time_tokens: self.one_time_tokens.values().cloned().collect(),
            acl_bootstrap_index: self.acl_bootstrap_index,
            scheduler_config: self.scheduler_config.clone(),
            autopilot_config: self.autopilot_config.clone(),
            cluster_metadata: self.cluster_metadata.clone(),
            restoring: self.restoring.clone(),
        };
        caravan_codec::msgpack::pack_into(&dump, out)
    }

    /// The state that was dumped.
    ///
    /// # Errors
    /// Bytes that are no dump, or one that contradicts itself.
    pub fn restore(bytes: &[u8]) -> Result<Self, RestoreError> {
        let dump: Dump<Allocation> = caravan_codec::msgpack::unpack(bytes)?;
        let mut state = Self {
            index: dump.index,
            indexes: dump.indexes,
            ..Self::default()
        };
        let row = |at: usize| dump.job_rows.get(at).cloned();
        for job in dump.jobs.into_iter().filter_map(row) {
            let key = JobKey::new(job.namespace.clone(), job.id.clone());
            if !job.parent_id.is_empty() {
                let parent = JobKey::new(job.namespace.clone(), job.parent_id.clone());
                insert_into(&mut state.job_children, parent, key.clone());
            }
            state.jobs.insert(key, job);
        }
        for job in dump.job_versions.into_iter().filter_map(row) {
            state.job_versions.insert(
                (
                    JobKey::new(job.namespace.clone(), job.id.clone()),
                    job.version,
                ),
                job,
            );
        }
        let mut siblings = Siblings::default();
        for DumpedAlloc { job, mut alloc } in dump.allocs {
            if let Some(at) = job {
                alloc.job = Some(row(at).ok_or(RestoreError::DanglingJob(alloc.id))?);
            }
            siblings.share(&mut alloc);
            state.restore_alloc(alloc);
        }
        for eval in dump.evals {
            state.restore_eval(eval);
        }
        for row in dump.deployments {
            let key = JobKey::new(row.namespace.clone(), row.job_id.clone());
            insert_into(
                &mut state.deployments_by_job,
                key,
                (row.create_index, row.id),
            );
            state.deployments.insert(row.id, row);
        }
        for token in dump.acl_tokens {
            let accessor = token.accessor_id.to_string();
            state
                .acl_tokens_by_secret
                .insert(token.secret_id.to_string(), accessor.clone());
            state.acl_tokens.insert(accessor, token);
        }
        let scoped = |namespace: &NamespaceName, name: String| {
            crate::key::ScopedKey::new(namespace.clone(), name)
        };
        for row in dump.nodes {
            state.insert_node(&row);
        }
        state.node_pools = dump
            .node_pools
            .into_iter()
            .map(|row| (row.name.clone(), row))
            .collect();
        state.summaries = dump
            .summaries
            .into_iter()
            .map(|row| (JobKey::new(row.namespace.clone(), row.job_id.clone()), row))
            .collect();
        state.submissions = dump
            .submissions
            .into_iter()
            .map(|row| {
                (
                    (
                        JobKey::new(row.namespace.clone(), row.job_id.clone()),
                        row.version,
                    ),
                    row,
                )
            })
            .collect();
        state.periodic_launches = dump.periodic_launches.into_iter().collect();
        state.scaling_policies = dump
            .scaling_policies
            .into_iter()
            .map(|row| (row.id.clone(), row))
            .collect();
        state.scaling_events = dump.scaling_events.into_iter().collect();
        state.namespaces = dump
            .namespaces
            .into_iter()
            .map(|row| (row.name.to_string(), row))
            .collect();
        state.services = dump
            .services
            .into_iter()
            .map(|row| (scoped(&row.namespace, row.id.clone()), row))
            .collect();
        state.variables = dump
            .variables
            .into_iter()
            .map(|row| {
                (
                    scoped(&row.metadata.namespace, row.metadata.path.clone()),
                    row,
                )
            })
            .collect();
        state.root_keys = dump
            .root_keys
            .into_iter()
            .map(|row| (row.meta.key_id.to_string(), row))
            .collect();
        state.host_volumes = dump
            .host_volumes
            .into_iter()
            .map(|row| (scoped(&row.namespace, row.id.to_string()), row))
            .collect();
        state.volume_claims = dump
            .volume_claims
            .into_iter()
            .map(|row| (ClaimKey::of(&row), row))
            .collect();
        state.acl_policies = dump
            .acl_policies
            .into_iter()
            .map(|row| (row.name.to_string(), row))
            .collect();
        state.acl_roles = dump
            .acl_roles
            .into_iter()
            .map(|row| (row.id.to_string(), row))
            .collect();
        let methods = dump.acl_auth_methods.into_iter();
        state.acl_auth_methods = methods
            .map(|method| (method.name.clone(), method))
            .collect();
        let rules = dump.acl_binding_rules.into_iter();
        state.acl_binding_rules = rules.map(|rule| (rule.id.clone(), rule)).collect();
        let tokens = dump.one_time_tokens.into_iter();
        state.one_time_tokens = tokens
            .map(|token| (token.one_time_secret_id.clone(), token))
            .collect();
        state.acl_bootstrap_index = dump.acl_bootstrap_index;
        state.scheduler_config = dump.scheduler_config;
        state.autopilot_config = dump.autopilot_config;
        state.cluster_metadata = dump.cluster_metadata;
        state.restoring = dump.restoring;
        Ok(state)
    }

    fn restore_alloc(&mut self, alloc: Allocation) {
        let key = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
        insert_into(&mut self.allocs_by_node, alloc.node_id, alloc.id);
        insert_into(&mut self.allocs_by_eval, alloc.eval_id, alloc.id);
        if !alloc.deployment_id.is_nil() {
            insert_into(
                &mut self.allocs_by_deployment,
                alloc.deployment_id,
                alloc.id,
            );
        }
        if !alloc.terminal_status() {
            let count = self.live_allocs.get(&key).copied().unwrap_or(0);
            self.live_allocs.insert(key.clone(), count + 1);
        }
        let alloc = Arc::new(alloc);
        self.node_table.change(None, Some(&alloc));
        self.insert_alloc_of_job(key, Arc::clone(&alloc));
        self.allocs.insert(alloc.id, alloc);
    }

    fn restore_eval(&mut self, eval: Arc<Evaluation>) {
        let key = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
        if !eval.is_terminal() {
            insert_into(&mut self.open_evals, key.clone(), eval.id);
        }
        insert_into(&mut self.evals_by_job, key, eval.id);
        self.evals.insert(eval.id, eval);
    }
}
