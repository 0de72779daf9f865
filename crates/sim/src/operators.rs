//! What users do by hand: rollouts are paused, resumed, promoted and failed, allocations stopped, jobs looked at anew,
//! nodes given other attributes, rules changed.

use crate::world::World;
use caravan_control::deployments::{fail, pause, promote};
use caravan_control::node_update::node_update_evals;
use caravan_control::{Ids, deployments::DeploymentError};
use caravan_model::*;
use caravan_state::{Command, JobKey, State};

/// A user does something.
pub(crate) fn act(world: &mut World) {
    match world.random.below(6) {
        0 => stop_some_alloc(world),
        1 => change_rules(world),
        2 => look_anew(world),
        3 => change_some_node(world),
        _ => touch_some_rollout(world),
    }
}

/// Nothing is left paused.
pub(crate) fn resume_all(world: &mut World) {
    let paused = world.state.deployments();
    let paused = paused.filter(|row| row.status == DeploymentStatus::Paused);
    for id in paused.map(|row| row.id).collect::<Vec<_>>() {
        decide(world, |state, now, ids| pause(state, id, false, now, ids));
    }
}

fn touch_some_rollout(world: &mut World) {
    let active = world.state.deployments().filter(|row| row.is_active());
    let active: Vec<DeploymentId> = active.map(|row| row.id).collect();
    if active.is_empty() {
        return;
    }
    let id = active[world.random.below(active.len())];
    let what = world.random.below(5);
    world.tell(|| {
        let told = ["paused", "paused", "resumed", "promoted", "failed"][what];
        format!("rollout {id} is {told}")
    });
    decide(world, |state, now, ids| match what {
        0 | 1 => pause(state, id, true, now, ids),
        2 => pause(state, id, false, now, ids),
        3 => promote(state, id, Vec::new(), now, ids),
        _ => fail(state, id, now, ids),
    });
}

fn decide(
    world: &mut World,
    how: impl FnOnce(&State, UnixNanos, &mut Ids<'_>) -> Result<Command, DeploymentError>,
) {
    let random = &mut world.random;
    let mut fresh = || random.id();
    let command = how(&world.state, world.now, &mut Ids(&mut fresh));
    if let Ok(command) = command {
        world.apply(command);
    }
}

fn stop_some_alloc(world: &mut World) {
    let live = world
        .state
        .allocs()
        .filter(|alloc| !alloc.terminal_status());
    let live: Vec<_> = live.cloned().collect();
    if live.is_empty() {
        return;
    }
    let alloc = &live[world.random.below(live.len())];
    let key = JobKey::new(alloc.namespace.clone(), alloc.job_id.clone());
    let Some(job) = world.state.job(&key).cloned() else {
        return;
    };
    let wish = DesiredTransition {
        migrate: Some(true),
        ..DesiredTransition::default()
    };
    let evals = vec![world.evaluation(&job, trigger::ALLOC_STOP)];
    let now = world.now;
    world.tell(|| format!("{} is stopped by hand", alloc.name));
    world.apply(Command::UpdateDesiredTransitions {
        transitions: [(alloc.id, wish)].into(),
        evals,
        now,
    });
}

/// Services and system jobs may evict others from now on, or may not.
fn change_rules(world: &mut World) {
    let Some(config) = world.state.scheduler_config() else {
        return;
    };
    let mut config = SchedulerConfiguration::clone(config);
    config.preemption_config.system_scheduler_enabled = world.random.chance(500);
    config.preemption_config.service_scheduler_enabled = world.random.chance(200);
    world.tell(|| "the rules change".to_owned());
    world.apply(Command::SetSchedulerConfig {
        config: Box::new(config),
        check_index: None,
    });
}

/// What failed of a job is replaced now.
fn look_anew(world: &mut World) {
    let jobs: Vec<_> = world.state.jobs().cloned().collect();
    if jobs.is_empty() {
        return;
    }
    let job = &jobs[world.random.below(jobs.len())];
    let key = JobKey::new(job.namespace.clone(), job.id.clone());
    let wish = DesiredTransition {
        force_reschedule: Some(true),
        ..DesiredTransition::default()
    };
    let failed = world.state.allocs_of_job(&key).filter(|alloc| {
        alloc.client_status == ClientStatus::Failed && alloc.next_allocation.is_nil()
    });
    let transitions = failed.map(|alloc| (alloc.id, wish)).collect();
    let evals = vec![world.evaluation(job, trigger::JOB_REGISTER)];
    let now = world.now;
    world.tell(|| format!("{} is looked at anew", job.id));
    world.apply(Command::UpdateDesiredTransitions {
        transitions,
        evals,
        now,
    });
}

/// A node begins or ceases to be one that some jobs ask for.
fn change_some_node(world: &mut World) {
    let nodes: Vec<_> = world.state.nodes().cloned().collect();
    let mut node = Node::clone(&nodes[world.random.below(nodes.len())]);
    if node.attributes.remove("fast").is_none() {
        node.attributes.insert("fast".to_owned(), "yes".to_owned());
    }
    node.computed_class = computed_class(&node);
    let (random, now) = (&mut world.random, world.now);
    let mut fresh = || EvalId::from_u128(random.id());
    let evals = node_update_evals(&world.state, &node, &mut fresh, now);
    world.tell(|| format!("{} has other attributes", node.name));
    world.apply(Command::RegisterNode {
        node: Box::new(node),
        create_pool: false,
        evals,
        now,
    });
}
