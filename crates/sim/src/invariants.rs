//! What must hold after every change, and what must hold once the cluster has come to rest.

use crate::random::Random;
use crate::shapes;
use crate::workers::Worker;
use crate::world::{Touched, World};
use caravan_control::blocked::{Room, room_on};
use caravan_model::*;
use caravan_scheduler::{Settings, schedule};
use caravan_state::{JobKey, State};
use std::collections::{BTreeMap, BTreeSet};

/// What must hold after every change.
pub(crate) fn check(world: &mut World, workers: &[Worker]) -> Result<(), String> {
    let touched = std::mem::take(&mut world.touched);
    let state = &world.state;
    for id in &touched.nodes {
        no_node_is_oversubscribed(state, *id)?;
    }
    for key in &touched.jobs {
        counters_agree(state, key)?;
    }
    one_in_flight_a_job(workers)?;
    if world.has_heard_all() {
        no_evaluation_is_lost(world, &touched)?;
    } else {
        // They are looked at once the queues have heard of them.
        world.touched.evals = touched.evals;
    }
    Ok(())
}

fn no_node_is_oversubscribed(state: &State, id: NodeId) -> Result<(), String> {
    let Some(node) = state.node(&id) else {
        return Ok(());
    };
    // Whether it takes work is no matter for what it has given away.
    let ready = Node {
        status: NodeStatus::Ready,
        scheduling_eligibility: Eligibility::Eligible,
        drain_strategy: None,
        ..Node::clone(node)
    };
    match room_on(state, &ready) {
        Some(room) if !room.holds(Room::default()) => Err(format!(
            "{} has given away more than it has: {room:?}",
            node.name
        )),
        _ => Ok(()),
    }
}

/// The counters that the state keeps agree with the rows that they count.
fn counters_agree(state: &State, key: &JobKey) -> Result<(), String> {
    let live = state
        .allocs_of_job(key)
        .filter(|alloc| !alloc.terminal_status())
        .count();
    let counted = state.live_alloc_count(key);
    if live != counted {
        return Err(format!(
            "{} has {live} live allocations, counted {counted}",
            key.id
        ));
    }
    Ok(())
}

/// Of the allocations of a version of a service that are to run, no two have the same name. On the way there may be,
/// after a plan that was refused in part.
fn no_name_is_taken_twice(state: &State, key: &JobKey) -> Result<(), String> {
    // Canaries have the names of those whose place they will take, and these may be updated in place meanwhile.
    let tried = state.latest_deployment(key).filter(|row| row.is_active());
    let tried = tried.into_iter().flat_map(|row| row.task_groups.values());
    let tried: BTreeSet<AllocId> = tried
        .filter(|group| !group.promoted)
        .flat_map(|group| group.placed_canaries.clone())
        .collect();
    let mut names: BTreeMap<(String, u64), AllocId> = BTreeMap::new();
    for alloc in state.allocs_of_job(key) {
        let version = alloc.job.as_ref().map_or(0, |job| job.version);
        let kind = alloc.job.as_ref().map_or("", |job| job.r#type.as_str());
        let on_node = state.node(&alloc.node_id);
        let steady = alloc.desired_status == DesiredStatus::Run
            && matches!(
                alloc.client_status,
                ClientStatus::Pending | ClientStatus::Running
            )
            && !alloc.desired_transition.migrate.unwrap_or(false)
            && alloc.next_allocation.is_nil()
            && alloc.previous_allocation.is_nil()
            && on_node.is_some_and(|node| node.status == NodeStatus::Ready);
        if kind != job_type::SERVICE || !steady || tried.contains(&alloc.id) {
            continue;
        }
        if let Some(other) = names.insert((alloc.name.to_string(), version), alloc.id) {
            let (name, which) = (&alloc.name, told(state, key));
            return Err(format!("{name} is both {other} and {}: {which}", alloc.id));
        }
    }
    Ok(())
}

fn one_in_flight_a_job(workers: &[Worker]) -> Result<(), String> {
    let mut jobs = BTreeSet::new();
    for eval in workers.iter().filter_map(Worker::holds) {
        if !jobs.insert((eval.namespace.clone(), eval.job_id.clone())) {
            return Err(format!("two workers have evaluations of {}", eval.job_id));
        }
    }
    Ok(())
}

/// Every open evaluation is in the broker's hands or waits for room.
fn no_evaluation_is_lost(world: &World, touched: &Touched) -> Result<(), String> {
    for id in &touched.evals {
        let Some(eval) = world.state.eval(id).filter(|eval| !eval.is_terminal()) else {
            continue;
        };
        if !world.queues.broker.knows(*id) && !world.queues.waits(eval) {
            return Err(format!(
                "evaluation {id} of {} ({}) is lost",
                eval.job_id, eval.status
            ));
        }
    }
    Ok(())
}

/// What must hold once nothing happens any more.
pub(crate) fn check_at_rest(world: &World) -> Result<(), String> {
    let state = &world.state;
    for eval in state.evals().filter(|eval| !eval.is_terminal()) {
        match eval.status {
            EvalStatus::Blocked => blocked_for_a_reason(world, eval)?,
            _ if eval.wait_until > world.now.into() => {}
            _ => {
                return Err(format!(
                    "evaluation {} of {} is still {}",
                    eval.id, eval.job_id, eval.status
                ));
            }
        }
    }
    for job in state.jobs() {
        let key = JobKey::new(job.namespace.clone(), job.id.clone());
        no_name_is_taken_twice(state, &key)?;
        settled(state, &key, job)?;
        is_everywhere(state, &key, job)?;
    }
    Ok(())
}

/// Somebody waits for room only where the scheduler finds none.
pub(crate) fn blocked_for_a_reason(world: &World, eval: &Evaluation) -> Result<(), String> {
    let settings = Settings {
        now: world.now,
        seed: Random::new(1).bits(),
        ..Settings::default()
    };
    let decision = schedule(&world.state, eval, &settings);
    // Who waits for a node is not asked about others: new nodes are no matter for sysbatch jobs.
    let here = |node: &NodeId| eval.node_id.is_nil() || *node == eval.node_id;
    let placed = decision.plan.node_allocation.iter();
    let placed: usize = placed
        .filter(|(node, _)| here(node))
        .map(|(_, allocs)| allocs.len())
        .sum();
    if placed > 0 {
        return Err(format!(
            "evaluation {} of {} waits although {placed} could be placed",
            eval.id, eval.job_id
        ));
    }
    Ok(())
}

/// A system job has an allocation of each group on every node that it may run on, or somebody waits for it there.
fn is_everywhere(state: &State, key: &JobKey, job: &Job) -> Result<(), String> {
    if job.stop || job.r#type != job_type::SYSTEM {
        return Ok(());
    }
    for node in state.nodes().filter(|node| shapes::may_run(job, node)) {
        let waits = state
            .open_evals_of_job(key)
            .any(|eval| eval.node_id == node.id);
        for group in &job.task_groups {
            let mut allocs = state.allocs_of_node(&node.id);
            // What has failed there stays so until somebody looks at the job again.
            let runs = allocs.any(|alloc| {
                let failed = alloc.client_status == ClientStatus::Failed;
                alloc.job_id == job.id
                    && alloc.task_group == group.name
                    && (failed || !alloc.terminal_status())
            });
            if !runs && !waits {
                return Err(format!(
                    "{} does not run {} on {}",
                    job.id, group.name, node.name
                ));
            }
        }
    }
    Ok(())
}

fn settled(state: &State, key: &JobKey, job: &Job) -> Result<(), String> {
    let waits = state.open_evals_of_job(key).next().is_some();
    let running = |group: &TaskGroup| {
        state
            .allocs_of_job(key)
            .filter(|alloc| alloc.task_group == group.name && !alloc.terminal_status())
            .count()
    };
    for group in &job.task_groups {
        let running = running(group);
        let wanted = usize::try_from(group.count).unwrap_or(0);
        if job.stop && running > 0 {
            return Err(format!("{} is stopped, and {running} run", job.id));
        }
        // What a failed rollout leaves behind stays until somebody looks at it.
        let failed = state
            .latest_deployment(key)
            .is_some_and(|row| row.status == DeploymentStatus::Failed);
        let short = !failed && !job.stop && job.is_service() && running < wanted;
        if short && !waits {
            return Err(format!(
                "{} wants {wanted}, {running} run, nobody waits",
                job.id
            ));
        }
        // Canaries are tried out beside the others until they are promoted.
        let tried = state.latest_deployment(key).filter(|row| row.is_active());
        let tried = tried
            .and_then(|row| row.task_groups.get(&group.name))
            .filter(|group| !group.promoted);
        let canaries = tried.map_or(0, |group| group.placed_canaries.len());
        if job.is_service() && running > wanted + canaries {
            let which = told(state, key);
            return Err(format!("{} wants {wanted}, {running} run: {which}", job.id));
        }
    }
    Ok(())
}

/// Nodes with what is free on them, and jobs with what runs of them, for whoever reads a failure.
pub(crate) fn all_told(state: &State) -> Vec<String> {
    let nodes = state.nodes().map(|node| {
        let room = room_on(state, node);
        format!(
            "{} in {}, {}: {room:?}",
            node.name, node.datacenter, node.status
        )
    });
    let jobs = state.jobs().map(|job| {
        let key = JobKey::new(job.namespace.clone(), job.id.clone());
        let (id, kind, version, stop) = (&job.id, &job.r#type, job.version, job.stop);
        let groups: Vec<String> = job
            .task_groups
            .iter()
            .map(|group| format!("{} {}", group.name, group.count))
            .collect();
        let what = told(state, &key);
        format!("{id} ({kind}) v{version}, stopped: {stop}, {groups:?}: {what}")
    });
    nodes.chain(jobs).collect()
}

/// The allocations of a job that are not over, for whoever reads a failure.
fn told(state: &State, key: &JobKey) -> String {
    let live = state
        .allocs_of_job(key)
        .filter(|alloc| !alloc.terminal_status());
    let one = |alloc: &Allocation| {
        let node = state
            .node(&alloc.node_id)
            .map_or("nowhere", |node| node.name.as_str());
        let kind = alloc.job.as_ref().map_or("", |job| job.r#type.as_str());
        format!(
            "{} {} v{} ({kind}) {} on {node}, canary: {}, reconnecting: {}, was {}, becomes {}, {:?}",
            alloc.name,
            alloc.id,
            alloc.job_version(),
            alloc.client_status,
            alloc.is_canary(),
            alloc.needs_to_reconnect(),
            alloc.previous_allocation,
            alloc.next_allocation,
            alloc.desired_transition,
        )
    };
    let rollout = state
        .latest_deployment(key)
        .map(|row| format!("{} {:?}", row.status, row.task_groups));
    live.map(|alloc| one(alloc))
        .chain(rollout)
        .collect::<Vec<_>>()
        .join("; ")
}
