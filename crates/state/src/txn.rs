//! One command in the making: writes rows with all that depends on them, and derived rows once at the end.
//!
//! Derived rows are job summaries, deployment counters and job statuses. They are gathered while the command
//! writes its rows and written by [`Txn::finish`], so that a plan of a thousand allocations costs one summary.

use crate::change::Change;
use crate::key::JobKey;
use crate::state::State;
use crate::table::Table;
use caravan_model::*;
use imbl::{OrdMap, OrdSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) struct Txn<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) index: u64,
    pub(crate) changes: Vec<Change>,
    summaries: BTreeMap<JobKey, JobSummary>,
    deployments: BTreeMap<DeploymentId, Deployment>,
    dirty_jobs: BTreeSet<JobKey>,
    /// Whether evaluations are being forgotten: a job of which nothing is left is then dead, not pending.
    pub(crate) deleting_evals: bool,
}

impl<'a> Txn<'a> {
    pub(crate) fn new(state: &'a mut State, index: u64) -> Self {
        Self {
            state,
            index,
            changes: Vec::new(),
            summaries: BTreeMap::new(),
            deployments: BTreeMap::new(),
            dirty_jobs: BTreeSet::new(),
            deleting_evals: false,
        }
    }

    /// Marks a table as written by this command.
    pub(crate) fn touch(&mut self, table: Table) {
        self.state.indexes.set(table, self.index);
    }

    /// Asks for a job's status to be derived anew at the end.
    pub(crate) fn job_changed(&mut self, key: &JobKey) {
        self.dirty_jobs.insert(key.clone());
    }

    /// The job's summary, to change; none when the job has none.
    pub(crate) fn summary_mut(&mut self, key: &JobKey) -> Option<&mut JobSummary> {
        if !self.summaries.contains_key(key) {
            let row = JobSummary::clone(self.state.summaries.get(key)?);
            self.summaries.insert(key.clone(), row);
        }
        self.summaries.get_mut(key)
    }

    /// Replaces a job's summary.
    pub(crate) fn set_summary(&mut self, key: JobKey, summary: JobSummary) {
        self.summaries.insert(key, summary);
    }

    /// Drops a job's summary, with what was gathered for it.
    pub(crate) fn remove_summary(&mut self, key: &JobKey) {
        self.summaries.remove(key);
        self.state.summaries.remove(key);
        self.touch(Table::JobSummaries);
    }

    /// The deployment, to change; none when there is none.
    pub(crate) fn deployment_mut(&mut self, id: DeploymentId) -> Option<&mut Deployment> {
        if !self.deployments.contains_key(&id) {
            let row = Deployment::clone(self.state.deployments.get(&id)?);
            self.deployments.insert(id, row);
        }
        self.deployments.get_mut(&id)
    }

    /// Writes a whole deployment.
    pub(crate) fn put_deployment(&mut self, deployment: Deployment) {
        let key = JobKey::new(deployment.namespace.clone(), deployment.job_id.clone());
        insert_into(
            &mut self.state.deployments_by_job,
            key,
            (deployment.create_index, deployment.id),
        );
        self.deployments.insert(deployment.id, deployment);
    }

    /// Forgets a deployment.
    pub(crate) fn remove_deployment(&mut self, id: DeploymentId) {
        self.deployments.remove(&id);
        if let Some(row) = self.state.deployments.remove(&id) {
            let key = JobKey::new(row.namespace.clone(), row.job_id.clone());
            remove_from(
                &mut self.state.deployments_by_job,
                &key,
                &(row.create_index, id),
            );
            self.touch(Table::Deployments);
            self.changes.push(Change::DeploymentRemoved(row));
        }
    }

    /// Writes derived rows: deployments first, for job statuses look at them.
    pub(crate) fn finish(mut self) -> Vec<Change> {
        self.write_deployments();
        crate::job_status::derive(&mut self);
        self.write_summaries();
        self.changes
    }

    fn write_deployments(&mut self) {
        for (id, mut row) in std::mem::take(&mut self.deployments) {
            row.modify_index = self.index;
            let row = Arc::new(row);
            self.state.deployments.insert(id, Arc::clone(&row));
            self.touch(Table::Deployments);
            self.changes.push(Change::Deployment(row));
        }
    }

    fn write_summaries(&mut self) {
        for (key, mut row) in std::mem::take(&mut self.summaries) {
            if self
                .state
                .summaries
                .get(&key)
                .is_some_and(|old| **old == row)
            {
                continue;
            }
            row.modify_index = self.index;
            self.state.summaries.insert(key, Arc::new(row));
            self.touch(Table::JobSummaries);
        }
    }

    /// Takes the jobs whose status is to be derived anew.
    pub(crate) fn take_dirty_jobs(&mut self) -> BTreeSet<JobKey> {
        std::mem::take(&mut self.dirty_jobs)
    }
}

/// Adds a member to the set kept under a key.
pub(crate) fn insert_into<K: Ord + Clone, V: Ord + Clone>(
    map: &mut OrdMap<K, OrdSet<V>>,
    key: K,
    member: V,
) {
    if let Some(set) = map.get_mut(&key) {
        set.insert(member);
    } else {
        map.insert(key, OrdSet::unit(member));
    }
}

/// Takes a member out of the set kept under a key, and the key when the set is then empty.
pub(crate) fn remove_from<K: Ord + Clone, V: Ord + Clone>(
    map: &mut OrdMap<K, OrdSet<V>>,
    key: &K,
    member: &V,
) {
    let Some(set) = map.get_mut(key) else { return };
    set.remove(member);
    if set.is_empty() {
        map.remove(key);
    }
}
