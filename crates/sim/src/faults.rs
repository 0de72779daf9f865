//! What goes wrong, and what operators do meanwhile.

use crate::clients::Client;
use crate::world::World;
use crate::{operators, shapes};
use caravan_control::Ids;
use caravan_control::drain::drain_update;
use caravan_control::node_update::node_update_evals;
use caravan_model::*;
use caravan_state::{Command, JobRemoval};

/// One thing that happens to the cluster.
pub(crate) fn strike(world: &mut World, clients: &mut [Client], most: i64) {
    let which = world.random.below(clients.len());
    let client = &mut clients[which];
    match world.random.below(13) {
        0 | 1 => {
            client.up = !client.up;
            let word = if client.up {
                "comes back"
            } else {
                "falls silent"
            };
            world.tell(|| format!("node-{which} {word}"));
        }
        2 => client.slowness = world.random.between(1, 8),
        3 => {
            let deadline = world.random.between(-1, 60);
            drain(world, client.id, Some(Duration::from_secs(deadline)));
        }
        4 => drain(world, client.id, None),
        5 => toggle_eligibility(world, client.id),
        6 => stop_some_job(world),
        7..=9 => operators::act(world),
        _ => change_some_job(world, most),
    }
}

/// Whatever went wrong is put right: nodes run, at full speed, and take work.
pub(crate) fn mend(world: &mut World, clients: &mut [Client]) {
    for client in clients {
        client.up = true;
        client.slowness = 1;
        let node = world.state.node(&client.id).cloned();
        if node.is_some_and(|node| node.scheduling_eligibility == Eligibility::Ineligible) {
            drain(world, client.id, None);
        }
    }
    operators::resume_all(world);
}

/// Begins a drain, or calls it off so that the node takes work again.
fn drain(world: &mut World, id: NodeId, deadline: Option<Duration>) {
    let Some(node) = world.state.node(&id).cloned() else {
        return;
    };
    let spec = deadline.map(|deadline| DrainSpec {
        deadline,
        ..DrainSpec::default()
    });
    let now = world.now;
    let random = &mut world.random;
    let mut fresh = || random.id();
    let (update, evals) = drain_update(
        &world.state,
        &node,
        spec.as_ref(),
        spec.is_none(),
        StringMap::new(),
        now,
        &mut Ids(&mut fresh),
    );
    world.tell(|| format!("{}: drain {deadline:?}", node.name));
    world.apply(Command::UpdateNodeDrains {
        updates: [(id, update)].into(),
        evals,
        now,
    });
}

fn toggle_eligibility(world: &mut World, id: NodeId) {
    let Some(node) = world.state.node(&id).cloned() else {
        return;
    };
    if node.drain_strategy.is_some() {
        return;
    }
    let takes = node.scheduling_eligibility == Eligibility::Eligible;
    let eligibility = if takes {
        Eligibility::Ineligible
    } else {
        Eligibility::Eligible
    };
    let now = world.now;
    let evals = if takes {
        Vec::new()
    } else {
        let random = &mut world.random;
        node_update_evals(
            &world.state,
            &node,
            &mut || EvalId::from_u128(random.id()),
            now,
        )
    };
    world.tell(|| format!("{} becomes {eligibility}", node.name));
    world.apply(Command::UpdateNodeEligibility {
        node: id,
        eligibility,
        event: None,
        evals,
        now,
    });
}

fn stop_some_job(world: &mut World) {
    let Some(job) = some_job(world) else { return };
    let purge = world.random.chance(200);
    let eval = Evaluation {
        r#type: job_type::SERVICE.to_owned(),
        ..world.evaluation(&job, trigger::JOB_DEREGISTER)
    };
    world.tell(|| format!("{} is stopped, purged: {purge}", job.id));
    let now = world.now;
    world.apply(Command::DeregisterJobs {
        jobs: vec![JobRemoval {
            job: caravan_state::JobKey::new(job.namespace.clone(), job.id.clone()),
            purge,
            no_shutdown_delay: false,
            only_if_dead: false,
        }],
        evals: vec![eval],
        now,
    });
}

/// A job is scaled or gets another specification, or a new one comes.
fn change_some_job(world: &mut World, most: i64) {
    if world.random.chance(200) {
        let number = world.random.below(10_000);
        let job = shapes::job(number, most, &mut world.random);
        let key = caravan_state::JobKey::new(job.namespace.clone(), job.id.clone());
        if world.state.job(&key).is_some() {
            // The servers refuse to change the type of a job.
            return;
        }
        world.tell(|| format!("{} ({}) is new", job.id, job.r#type));
        return world.register(job);
    }
    let Some(job) = some_job(world) else { return };
    let mut job = Job::clone(&job);
    job.stop = false;
    job.version += 1;
    let destructive = world.random.chance(500);
    let count = world.random.between(0, most);
    let everywhere = job.is_system_like();
    for group in &mut job.task_groups {
        if !everywhere {
            group.count = count;
        }
        if destructive {
            group.tasks[0]
                .env
                .insert("ROUND".to_owned(), world.now.0.to_string());
        }
    }
    world.tell(|| format!("{} becomes {count}, anew: {destructive}", job.id));
    world.register(job);
}

fn some_job(world: &mut World) -> Option<std::sync::Arc<Job>> {
    let jobs: Vec<_> = world.state.jobs().cloned().collect();
    (!jobs.is_empty()).then(|| jobs[world.random.below(jobs.len())].clone())
}
