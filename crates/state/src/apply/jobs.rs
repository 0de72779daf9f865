//! Commands about jobs (server sheet §4).

use crate::change::Change;
use crate::command::JobRemoval;
use crate::error::ApplyError;
use crate::job_status::count_child;
use crate::key::JobKey;
use crate::table::Table;
use crate::txn::{Txn, insert_into, remove_from};
use caravan_model::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many untagged versions of a job are kept.
pub(super) const TRACKED_VERSIONS: usize = 6;
/// How many scaling events are kept of each group.
pub(super) const TRACKED_SCALING_EVENTS: usize = 20;

/// Inserts a job or makes a new version of it, with the evaluation that places it.
pub(super) fn register(
    txn: &mut Txn<'_>,
    job: Arc<Job>,
    submission: Option<Box<JobSubmission>>,
    eval: Option<Evaluation>,
    policy_ids: Vec<String>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let key = put(txn, job, policy_ids)?;
    if let Some(submission) = submission {
        keep_submission(txn, &key, *submission);
    }
    if let Some(mut eval) = eval {
        eval.job_modify_index = txn.index;
        super::evals::upsert(txn, eval, now);
    }
    start_schedule(txn, &key, now);
    Ok(())
}

/// Writes a job as its newest version. Returns its key.
pub(super) fn put(
    txn: &mut Txn<'_>,
    job: Arc<Job>,
    policy_ids: Vec<String>,
) -> Result<JobKey, ApplyError> {
    let key = JobKey::new(job.namespace.clone(), job.id.clone());
    check_places(txn, &job)?;
    let old = txn.state.jobs.get(&key).cloned();
    let mut job = Arc::unwrap_or_clone(job);
    job.modify_index = txn.index;
    job.job_modify_index = txn.index;
    match &old {
        Some(old) => {
            job.create_index = old.create_index;
            job.version = job.version.max(old.version + 1);
            job.status.clone_from(&old.status);
        }
        None => {
            job.create_index = txn.index;
            job.version = 0;
            job.status = first_status(&job).to_owned();
        }
    }
    put_policies(txn, &mut job, policy_ids);
    put_summary(txn, &key, &job);
    if old.is_none() {
        let status = job.status.clone();
        count_child(txn, &job, None, Some(&status));
        if !job.parent_id.is_empty() {
            let parent = JobKey::new(job.namespace.clone(), job.parent_id.clone());
            insert_into(&mut txn.state.job_children, parent, key.clone());
        }
    }
    write(txn, &key, Arc::new(job));
    drop_old_versions(txn, &key);
    txn.job_changed(&key);
    Ok(key)
}

fn first_status(job: &Job) -> &'static str {
    if job.is_launched() || job.r#type == job_type::SYSTEM {
        if job.stop {
            job_status::DEAD
        } else {
            job_status::RUNNING
        }
    } else {
        job_status::PENDING
    }
}

fn check_places(txn: &Txn<'_>, job: &Job) -> Result<(), ApplyError> {
    if !txn.state.namespaces.contains_key(job.namespace.as_str()) {
        return Err(ApplyError::NamespaceMissing {
            job: job.id.to_string(),
            namespace: job.namespace.to_string(),
        });
    }
    if !job.node_pool.is_empty() && !txn.state.node_pools.contains_key(&job.node_pool) {
        return Err(ApplyError::NodePoolMissing {
            job: job.id.to_string(),
            pool: job.node_pool.clone(),
        });
    }
    Ok(())
}

/// Writes the row of a job and of its version.
fn write(txn: &mut Txn<'_>, key: &JobKey, job: Arc<Job>) {
    txn.state.jobs.insert(key.clone(), Arc::clone(&job));
    txn.state
        .job_versions
        .insert((key.clone(), job.version), Arc::clone(&job));
    txn.touch(Table::Jobs);
    txn.touch(Table::JobVersions);
    txn.changes.push(Change::Job(job));
}

/// Drops the oldest untagged versions beyond those kept. The newest stable version outlives the second oldest.
fn drop_old_versions(txn: &mut Txn<'_>, key: &JobKey) {
    let untagged: Vec<Arc<Job>> = txn
        .state
        .job_versions(key)
        .filter(|job| job.version_tag.is_none())
        .cloned()
        .collect();
    if untagged.len() <= TRACKED_VERSIONS {
        return;
    }
    let (kept, surplus) = untagged.split_at(TRACKED_VERSIONS);
    let mut surplus: Vec<u64> = surplus.iter().map(|job| job.version).collect();
    if !kept.iter().any(|job| job.stable) {
        let newest_stable = untagged[TRACKED_VERSIONS..]
            .iter()
            .find(|job| job.stable)
            .map(|job| job.version);
        if let (Some(stable), Some(oldest_kept)) = (newest_stable, kept.last()) {
            surplus.retain(|version| *version != stable);
            surplus.push(oldest_kept.version);
        }
    }
    for version in surplus {
        txn.state.job_versions.remove(&(key.clone(), version));
        txn.state.submissions.remove(&(key.clone(), version));
    }
}

fn put_summary(txn: &mut Txn<'_>, key: &JobKey, job: &Job) {
    if txn.summary_mut(key).is_none() {
        let summary = JobSummary {
            job_id: job.id.clone(),
            namespace: job.namespace.clone(),
            children: Some(JobChildrenSummary::default()),
            create_index: txn.index,
            ..JobSummary::default()
        };
        txn.set_summary(key.clone(), summary);
    }
    if let Some(summary) = txn.summary_mut(key) {
        let keeps = |name: &str| job.lookup_task_group(name).is_some();
        summary
            .summary
            .retain(|name, counts| keeps(name) || *counts != TaskGroupSummary::default());
        for group in &job.task_groups {
            summary.summary.or_default(group.name.clone());
        }
    }
}

/// Writes a scaling policy for each group that has one; a group keeps its policy's id between versions.
fn put_policies(txn: &mut Txn<'_>, job: &mut Job, policy_ids: Vec<String>) {
    let mut fresh_ids = policy_ids.into_iter();
    let mut kept = std::collections::BTreeSet::new();
    let existing: BTreeMap<String, Arc<ScalingPolicy>> = policies_of(txn, job)
        .into_iter()
        .map(|policy| {
            (
                policy.target.get("Group").cloned().unwrap_or_default(),
                policy,
            )
        })
        .collect();
    let stopped = job.stop;
    for group in &mut job.task_groups {
        let Some(policy) = &mut group.scaling else {
            continue;
        };
        let old = existing.get(&group.name);
        policy.id = match old {
            Some(old) => old.id.clone(),
            None => fresh_ids
                .next()
                .unwrap_or_else(|| format!("{}/{}/{}", job.namespace, job.id, group.name)),
        };
        policy.target = target_of(&job.namespace, &job.id, &group.name);
        policy.create_index = old.map_or(txn.index, |old| old.create_index);
        policy.modify_index = txn.index;
        let mut row = policy.clone();
        for (key, value) in [
            ("Namespace", job.namespace.to_string()),
            ("Job", job.id.to_string()),
            ("Group", group.name.clone()),
        ] {
            row.target.entry(key.to_owned()).or_insert(value);
        }
        row.enabled &= !stopped;
        kept.insert(row.id.clone());
        txn.state
            .scaling_policies
            .insert(row.id.clone(), Arc::new(row));
        txn.state.indexes.set(Table::ScalingPolicies, txn.index);
    }
    for policy in existing
        .values()
        .filter(|policy| !kept.contains(&policy.id))
    {
        txn.state.scaling_policies.remove(&policy.id);
        txn.state.indexes.set(Table::ScalingPolicies, txn.index);
    }
}

/// What a group's policy scales, as its listings name it.
fn target_of(namespace: &str, job: &str, group: &str) -> StringMap {
    [("Namespace", namespace), ("Job", job), ("Group", group)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn policies_of(txn: &Txn<'_>, job: &Job) -> Vec<Arc<ScalingPolicy>> {
    let is = |policy: &ScalingPolicy, key: &str, value: &str| {
        policy.target.get(key).is_some_and(|have| have == value)
    };
    txn.state
        .scaling_policies
        .values()
        .filter(|policy| is(policy, "Namespace", &job.namespace) && is(policy, "Job", &job.id))
        .cloned()
        .collect()
}

fn keep_submission(txn: &mut Txn<'_>, key: &JobKey, mut submission: JobSubmission) {
    let Some(job) = txn.state.jobs.get(key).cloned() else {
        return;
    };
    submission.namespace = key.namespace.clone();
    submission.job_id = key.id.clone();
    submission.version = job.version;
    submission.job_modify_index = job.job_modify_index;
    txn.state
        .submissions
        .insert((key.clone(), job.version), Arc::new(submission));
    txn.touch(Table::JobSubmissions);
}

/// A new periodic job counts as launched when it was inserted; a launched child moves its parent's mark.
fn start_schedule(txn: &mut Txn<'_>, key: &JobKey, now: UnixNanos) {
    let Some(job) = txn.state.jobs.get(key).cloned() else {
        return;
    };
    if job.is_periodic() {
        if !txn.state.periodic_launches.contains_key(key) {
            put_launch(txn, key, now);
        }
    } else if !job.parent_id.is_empty() {
        let parent = JobKey::new(job.namespace.clone(), job.parent_id.clone());
        if let Some(launch) = launch_time(&job.id).filter(|_| {
            txn.state
                .jobs
                .get(&parent)
                .is_some_and(|job| job.is_periodic())
        }) {
            put_launch(txn, &parent, launch);
        }
    }
}

/// When a child of a periodic job was launched, as its id says.
fn launch_time(id: &JobId) -> Option<UnixNanos> {
    let (_, seconds) = id.rsplit_once(launch_suffix::PERIODIC)?;
    Some(UnixNanos(
        seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?,
    ))
}

fn put_launch(txn: &mut Txn<'_>, key: &JobKey, launch: UnixNanos) {
    txn.state.periodic_launches.insert(key.clone(), launch);
    txn.touch(Table::PeriodicLaunches);
    txn.changes
        .push(Change::PeriodicLaunch(key.clone(), launch));
}

pub(super) fn record_launch(
    txn: &mut Txn<'_>,
    job: &JobKey,
    launch: UnixNanos,
) -> Result<(), ApplyError> {
    if !txn.state.jobs.contains_key(job) {
        return Err(ApplyError::JobNotFound(job.clone()));
    }
    put_launch(txn, job, launch);
    Ok(())
}

pub(super) fn deregister(
    txn: &mut Txn<'_>,
    jobs: &[JobRemoval],
    evals: Vec<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    for removal in jobs {
        if removal.only_if_dead && !is_dead(txn, &removal.job) {
            continue;
        }
        if removal.no_shutdown_delay {
            skip_shutdown_delay(txn, &removal.job);
        }
        if removal.purge {
            purge(txn, &removal.job, now)?;
        } else {
            stop(txn, &removal.job, now)?;
        }
    }
    let index = txn.index;
    let evals = evals
        .into_iter()
        .map(|eval| Evaluation {
            job_modify_index: index,
            ..eval
        })
        .collect();
    super::evals::upsert_all(txn, evals, now)
}

fn is_dead(txn: &Txn<'_>, key: &JobKey) -> bool {
    let job = txn.state.jobs.get(key);
    job.is_some_and(|job| job.status == job_status::DEAD)
}

fn skip_shutdown_delay(txn: &mut Txn<'_>, key: &JobKey) {
    let allocs: Vec<Arc<Allocation>> = txn
        .state
        .allocs_of_job(key)
        .filter(|alloc| !alloc.terminal_status())
        .cloned()
        .collect();
    for alloc in allocs {
        let mut alloc = Allocation::clone(&alloc);
        alloc.desired_transition.no_shutdown_delay = Some(true);
        super::allocs::put(txn, alloc);
    }
}

fn stop(txn: &mut Txn<'_>, key: &JobKey, now: UnixNanos) -> Result<(), ApplyError> {
    let job = txn
        .state
        .jobs
        .get(key)
        .ok_or_else(|| ApplyError::JobNotFound(key.clone()))?;
    let mut job = Job::clone(job);
    job.stop = true;
    job.submit_time = now;
    job.version_tag = None;
    if txn.state.periodic_launches.remove(key).is_some() {
        txn.touch(Table::PeriodicLaunches);
    }
    put(txn, Arc::new(job), Vec::new())?;
    Ok(())
}

/// Forgets everything about a job at once; clients notice the missing allocations and destroy them.
fn purge(txn: &mut Txn<'_>, key: &JobKey, now: UnixNanos) -> Result<(), ApplyError> {
    let job = txn
        .state
        .jobs
        .get(key)
        .cloned()
        .ok_or_else(|| ApplyError::JobNotFound(key.clone()))?;
    let allocs: Vec<AllocId> = txn.state.allocs_of_job(key).map(|alloc| alloc.id).collect();
    for id in allocs {
        super::allocs::remove(txn, id);
    }
    let deployments: Vec<DeploymentId> = txn
        .state
        .deployments_of_job(key)
        .map(|row| row.id)
        .collect();
    for id in deployments {
        txn.remove_deployment(id);
    }
    let open: Vec<Arc<Evaluation>> = txn.state.open_evals_of_job(key).cloned().collect();
    for eval in open {
        let mut eval = Evaluation::clone(&eval);
        eval.status = EvalStatus::Complete;
        eval.status_description = format!("job {} deleted", key.id);
        super::evals::upsert(txn, eval, now);
    }
    let versions: Vec<u64> = txn.state.job_versions(key).map(|job| job.version).collect();
    for version in versions {
        txn.state.job_versions.remove(&(key.clone(), version));
        txn.state.submissions.remove(&(key.clone(), version));
    }
    for policy in policies_of(txn, &job) {
        txn.state.scaling_policies.remove(&policy.id);
        txn.touch(Table::ScalingPolicies);
    }
    super::volume_claims::forget_job(txn, key);
    if txn.state.scaling_events.remove(key).is_some() {
        txn.touch(Table::ScalingEvents);
    }
    if txn.state.periodic_launches.remove(key).is_some() {
        txn.touch(Table::PeriodicLaunches);
    }
    count_child(txn, &job, Some(&job.status), None);
    if !job.parent_id.is_empty() {
        let parent = JobKey::new(job.namespace.clone(), job.parent_id.clone());
        remove_from(&mut txn.state.job_children, &parent, key);
    }
    txn.remove_summary(key);
    txn.state.jobs.remove(key);
    txn.touch(Table::Jobs);
    txn.touch(Table::JobVersions);
    txn.changes.push(Change::JobRemoved(job));
    Ok(())
}

/// Says whether a version is stable, in the version's row and, when it is the current one, in the job's.
pub(super) fn set_stability(
    txn: &mut Txn<'_>,
    key: &JobKey,
    version: u64,
    stable: bool,
) -> Result<(), ApplyError> {
    change_version(txn, key, version, |job| job.stable = stable)
}

pub(super) fn tag_version(
    txn: &mut Txn<'_>,
    key: &JobKey,
    version: u64,
    tag: Option<JobVersionTag>,
    name: &str,
) -> Result<(), ApplyError> {
    let holder = txn
        .state
        .job_versions(key)
        .find(|job| job.version_tag.as_ref().is_some_and(|tag| tag.name == name))
        .map(|job| job.version);
    match (tag, holder) {
        (Some(_), Some(other)) if other != version => Err(ApplyError::TagTaken {
            tag: name.to_owned(),
            job: key.clone(),
        }),
        (Some(tag), _) => change_version(txn, key, version, |job| job.version_tag = Some(tag)),
        (None, Some(holder)) => change_version(txn, key, holder, |job| job.version_tag = None),
        (None, None) => Err(ApplyError::TagNotFound {
            tag: name.to_owned(),
            job: key.clone(),
        }),
    }
}

fn change_version(
    txn: &mut Txn<'_>,
    key: &JobKey,
    version: u64,
    change: impl FnOnce(&mut Job),
) -> Result<(), ApplyError> {
    let row = txn.state.job_versions.get(&(key.clone(), version));
    let row = row.ok_or_else(|| ApplyError::JobVersionNotFound {
        job: key.clone(),
        version,
    })?;
    let mut row = Job::clone(row);
    change(&mut row);
    row.modify_index = txn.index;
    let row = Arc::new(row);
    txn.state
        .job_versions
        .insert((key.clone(), version), Arc::clone(&row));
    txn.touch(Table::JobVersions);
    if txn
        .state
        .jobs
        .get(key)
        .is_some_and(|job| job.version == version)
    {
        txn.state.jobs.insert(key.clone(), Arc::clone(&row));
        txn.touch(Table::Jobs);
        txn.changes.push(Change::Job(row));
    }
    Ok(())
}

pub(super) fn record_scaling(
    txn: &mut Txn<'_>,
    key: &JobKey,
    group: String,
    mut event: ScalingEvent,
) -> Result<(), ApplyError> {
    if !txn.state.jobs.contains_key(key) {
        return Err(ApplyError::JobNotFound(key.clone()));
    }
    event.create_index = txn.index;
    let mut events = txn
        .state
        .scaling_events
        .get(key)
        .map(|row| BTreeMap::clone(row))
        .unwrap_or_default();
    let of_group = events.entry(group).or_default();
    of_group.insert(0, event);
    of_group.truncate(TRACKED_SCALING_EVENTS);
    txn.state
        .scaling_events
        .insert(key.clone(), Arc::new(events));
    txn.touch(Table::ScalingEvents);
    Ok(())
}
