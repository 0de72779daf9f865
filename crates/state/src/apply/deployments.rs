//! Commands about deployments and the counters that allocations keep in them (server sheet §8).

use crate::error::ApplyError;
use crate::key::JobKey;
use crate::txn::Txn;
use caravan_model::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Writes a deployment; a new one ends the job's running one.
pub(super) fn put(txn: &mut Txn<'_>, mut deployment: Deployment, now: UnixNanos) {
    let known = txn.state.deployments.get(&deployment.id).cloned();
    match known {
        Some(old) => deployment.create_index = old.create_index,
        None => {
            deployment.create_index = txn.index;
            if deployment.create_time.is_zero() {
                deployment.create_time = now;
            }
            cancel_others(txn, &deployment, now);
        }
    }
    deployment.modify_time = now;
    txn.put_deployment(deployment);
}

fn cancel_others(txn: &mut Txn<'_>, new: &Deployment, now: UnixNanos) {
    let key = JobKey::new(new.namespace.clone(), new.job_id.clone());
    let active: Vec<DeploymentId> = txn
        .state
        .deployments_of_job(&key)
        .filter(|row| row.is_active() && row.id != new.id)
        .map(|row| row.id)
        .collect();
    for id in active {
        if let Some(row) = txn.deployment_mut(id).filter(|row| row.is_active()) {
            row.status = DeploymentStatus::Cancelled;
            row.status_description = deployment_description::NEWER_JOB.to_owned();
            row.modify_time = now;
        }
    }
}

/// Sets a deployment's status. A deployment that succeeds makes its job's version stable.
pub(super) fn set_status(
    txn: &mut Txn<'_>,
    update: &DeploymentStatusUpdate,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let row = txn
        .deployment_mut(update.deployment_id)
        .ok_or(ApplyError::DeploymentNotFound(update.deployment_id))?;
    row.status = update.status;
    row.status_description
        .clone_from(&update.status_description);
    row.modify_time = now;
    if matches!(
        row.status,
        DeploymentStatus::Paused | DeploymentStatus::Running
    ) {
        for group in row
            .task_groups
            .values_mut()
            .filter(|group| !group.progress_deadline.is_zero())
        {
            group.require_progress_by = Timestamp::from(now) + group.progress_deadline;
        }
    }
    let succeeded = row.status == DeploymentStatus::Successful;
    let (key, version) = (
        JobKey::new(row.namespace.clone(), row.job_id.clone()),
        row.job_version,
    );
    if succeeded && txn.state.job_version(&key, version).is_some() {
        super::jobs::set_stability(txn, &key, version, true)?;
    }
    Ok(())
}

/// Writes what a plan concludes about a deployment, unless that has ended since the plan was made: what failed, and
/// may have had its job rolled back, is not called successful after all.
pub(super) fn conclude(
    txn: &mut Txn<'_>,
    update: &DeploymentStatusUpdate,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let row = txn.deployment_mut(update.deployment_id);
    if row.is_some_and(|row| !row.is_active()) {
        return Ok(());
    }
    set_status(txn, update, now)
}

pub(super) fn update_status(
    txn: &mut Txn<'_>,
    update: &DeploymentStatusUpdate,
    job: Option<Arc<Job>>,
    eval: Option<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let row = txn.state.deployments.get(&update.deployment_id);
    let row = row.ok_or(ApplyError::DeploymentNotFound(update.deployment_id))?;
    if !row.is_active() {
        return Err(ApplyError::DeploymentTerminal { action: "update" });
    }
    follow_up(txn, Some(update), job, eval, now)
}

/// The status change, the roll-back and the evaluation that follow a decision about a deployment.
pub(super) fn follow_up(
    txn: &mut Txn<'_>,
    update: Option<&DeploymentStatusUpdate>,
    job: Option<Arc<Job>>,
    eval: Option<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    if let Some(update) = update {
        set_status(txn, update, now)?;
    }
    if let Some(job) = job {
        super::jobs::put(txn, job, Vec::new())?;
    }
    if let Some(mut eval) = eval {
        let key = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
        if let Some(job) = txn.state.jobs.get(&key) {
            eval.job_modify_index = job.job_modify_index;
        }
        super::evals::upsert(txn, eval, now);
    }
    Ok(())
}

/// Promotes the canaries of groups (all when none is named); each needs its healthy canaries.
pub(super) fn promote(
    txn: &mut Txn<'_>,
    id: DeploymentId,
    groups: &[String],
    eval: Option<Evaluation>,
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let row = txn
        .state
        .deployments
        .get(&id)
        .cloned()
        .ok_or(ApplyError::DeploymentNotFound(id))?;
    if !row.is_active() {
        return Err(ApplyError::DeploymentTerminal { action: "promote" });
    }
    let chosen: BTreeSet<&String> = row
        .task_groups
        .keys()
        .filter(|name| groups.is_empty() || groups.contains(name))
        .collect();
    check_canaries(txn, &row, &chosen)?;
    clear_canary_flags(txn, &row, &chosen, now);
    let promoted_all = row.task_groups.iter().all(|(name, group)| {
        group.desired_canaries == 0 || group.promoted || chosen.contains(name)
    });
    let Some(row) = txn.deployment_mut(id) else {
        return Ok(());
    };
    for (name, group) in row.task_groups.iter_mut() {
        if groups.is_empty() || groups.contains(name) {
            group.promoted = true;
        }
        if !group.progress_deadline.is_zero() {
            group.require_progress_by = Timestamp::from(now) + group.progress_deadline;
        }
    }
    if promoted_all && row.status == DeploymentStatus::Running {
        deployment_description::RUNNING.clone_into(&mut row.status_description);
    }
    row.modify_time = now;
    follow_up(txn, None, None, eval, now)
}

fn check_canaries(
    txn: &Txn<'_>,
    row: &Deployment,
    chosen: &BTreeSet<&String>,
) -> Result<(), ApplyError> {
    let mut short = Vec::new();
    for name in chosen {
        let group = &row.task_groups[*name];
        if group.desired_canaries == 0 || group.promoted {
            continue;
        }
        let healthy = txn
            .state
            .allocs_of_deployment(&row.id)
            .filter(|alloc| {
                alloc.task_group.as_str() == name.as_str()
                    && alloc.is_canary()
                    && !alloc.terminal_status()
                    && alloc.is_healthy()
            })
            .count();
        if i64::try_from(healthy).unwrap_or(i64::MAX) < group.desired_canaries {
            short.push(format!(
                "Task group {name:?} has {healthy}/{} healthy allocations",
                group.desired_canaries
            ));
        }
    }
    if short.is_empty() {
        Ok(())
    } else {
        Err(ApplyError::CanariesUnhealthy(short))
    }
}

fn clear_canary_flags(
    txn: &mut Txn<'_>,
    row: &Deployment,
    chosen: &BTreeSet<&String>,
    now: UnixNanos,
) {
    let canaries: Vec<Arc<Allocation>> = txn
        .state
        .allocs_of_deployment(&row.id)
        .filter(|alloc| {
            alloc.is_canary()
                && chosen
                    .iter()
                    .any(|name| name.as_str() == alloc.task_group.as_str())
        })
        .cloned()
        .collect();
    for alloc in canaries {
        let mut alloc = Allocation::clone(&alloc);
        if let Some(status) = &mut alloc.deployment_status {
            status.canary = false;
            status.modify_index = txn.index;
        }
        alloc.modify_time = now;
        alloc.alloc_modify_index = txn.index;
        super::allocs::put(txn, alloc);
    }
}

/// Says which allocations of a deployment are healthy.
pub(super) fn set_alloc_health(
    txn: &mut Txn<'_>,
    id: DeploymentId,
    healthy: &[AllocId],
    unhealthy: &[AllocId],
    now: UnixNanos,
) -> Result<(), ApplyError> {
    let row = txn
        .state
        .deployments
        .get(&id)
        .ok_or(ApplyError::DeploymentNotFound(id))?;
    if !row.is_active() {
        return Err(ApplyError::DeploymentTerminal {
            action: "set health of allocations for a",
        });
    }
    for (ids, verdict) in [(healthy, true), (unhealthy, false)] {
        for alloc in ids {
            let known = txn.state.allocs.get(alloc).cloned();
            let known = known.ok_or(ApplyError::AllocNotFound(*alloc))?;
            if known.deployment_id != id {
                return Err(ApplyError::NotInDeployment {
                    alloc: *alloc,
                    deployment: id,
                });
            }
            let mut alloc = Allocation::clone(&known);
            let status = alloc.deployment_status.get_or_insert_default();
            status.healthy = Some(verdict);
            status.timestamp = now.into();
            status.modify_index = txn.index;
            super::allocs::put(txn, alloc);
        }
    }
    Ok(())
}

pub(super) fn delete(txn: &mut Txn<'_>, ids: &[DeploymentId]) -> Result<(), ApplyError> {
    for id in ids {
        txn.remove_deployment(*id);
    }
    Ok(())
}

/// Counts the change of one allocation in its deployment: placed once, healthy or unhealthy by its last verdict.
pub(super) fn count(txn: &mut Txn<'_>, old: Option<&Allocation>, new: &Allocation) {
    let verdict = |alloc: &Allocation| {
        alloc
            .deployment_status
            .as_ref()
            .and_then(|status| status.healthy)
    };
    let joined =
        !new.deployment_id.is_nil() && old.is_none_or(|old| old.deployment_id != new.deployment_id);
    let before = if joined { None } else { old.and_then(verdict) };
    let after = verdict(new);
    if new.deployment_id.is_nil() || (!joined && before == after) {
        return;
    }
    let Some(row) = txn.deployment_mut(new.deployment_id) else {
        return;
    };
    let Some(group) = row.task_groups.get_mut(new.task_group.as_str()) else {
        return;
    };
    if joined {
        group.placed_allocs += 1;
        if new.is_canary() && !group.placed_canaries.contains(&new.id) {
            group.placed_canaries.push(new.id);
        }
        if group.require_progress_by.is_zero() && !group.progress_deadline.is_zero() {
            group.require_progress_by = Timestamp::from(new.modify_time) + group.progress_deadline;
        }
    }
    match (before, after) {
        (Some(true), Some(false)) => {
            group.healthy_allocs -= 1;
            group.unhealthy_allocs += 1;
        }
        (Some(false), Some(true)) => {
            group.unhealthy_allocs -= 1;
            group.healthy_allocs += 1;
        }
        (None, Some(true)) => group.healthy_allocs += 1,
        (None, Some(false)) => group.unhealthy_allocs += 1,
        _ => {}
    }
    if after == Some(true) && !group.progress_deadline.is_zero() {
        let at = new
            .deployment_status
            .as_ref()
            .map_or(Timestamp::ZERO, |status| status.timestamp);
        group.require_progress_by = group.require_progress_by.max(at + group.progress_deadline);
    }
}
