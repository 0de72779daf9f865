//! What simulated nodes and jobs look like.

use crate::random::Random;
use caravan_model::*;

/// A node of one of three sizes in one of two datacenters.
pub(crate) fn node(number: usize, random: &mut Random) -> Node {
    let size = i64::try_from(1 + random.below(3)).unwrap_or(1);
    let mut resources = NodeResources::default();
    resources.cpu.cpu_shares = 2000 * size;
    resources.memory.memory_mb = 2048 * size;
    resources.disk.disk_mb = 50_000;
    let mut node = Node {
        id: NodeId::from_u128((number as u128 + 1) << 64),
        name: format!("node-{number}"),
        datacenter: if random.chance(700) { "dc1" } else { "dc2" }.to_owned(),
        node_pool: "default".to_owned(),
        node_class: format!("size-{size}"),
        secret_id: format!("secret-{number}"),
        status: NodeStatus::Initializing,
        node_resources: Some(resources),
        ..Node::default()
    };
    node.attributes
        .insert("driver.mock".to_owned(), "1".to_owned());
    node.attributes
        .insert("kernel.name".to_owned(), "linux".to_owned());
    if random.chance(600) {
        node.attributes.insert("fast".to_owned(), "yes".to_owned());
    }
    node.computed_class = caravan_model::computed_class(&node);
    node
}

/// A job of any type. `most` bounds its count.
pub(crate) fn job(number: usize, most: i64, random: &mut Random) -> Job {
    let kind = match random.below(10) {
        0..7 => job_type::SERVICE,
        7 | 8 => job_type::BATCH,
        _ if random.chance(250) => job_type::SYSBATCH,
        _ => job_type::SYSTEM,
    };
    let mut groups = vec![group("g", kind, most, random)];
    if random.chance(200) {
        groups.push(group("h", kind, most, random));
    }
    let id = format!("job-{number}");
    Job {
        id: id.as_str().into(),
        name: id,
        namespace: "default".into(),
        r#type: kind.to_owned(),
        priority: random.between(1, 9) * 10,
        datacenters: vec![if random.chance(800) { "*" } else { "dc1" }.to_owned()],
        node_pool: "default".to_owned(),
        constraints: constraints(random),
        task_groups: groups,
        ..Job::default()
    }
}

/// Some jobs run on some nodes only, and some never twice on one.
fn constraints(random: &mut Random) -> Vec<Constraint> {
    let fast = Constraint {
        l_target: "${attr.fast}".to_owned(),
        operand: "=".to_owned(),
        r_target: "yes".to_owned(),
    };
    let apart = Constraint {
        operand: operand::DISTINCT_HOSTS.to_owned(),
        ..Constraint::default()
    };
    let chosen = [(fast, 200), (apart, 100)];
    let chosen = chosen
        .into_iter()
        .filter(|(_, share)| random.chance(*share));
    chosen.map(|(constraint, _)| constraint).collect()
}

/// Whether a job may run on a node at all.
pub(crate) fn may_run(job: &Job, node: &Node) -> bool {
    let mut places = job.datacenters.iter();
    let choosy = job.constraints.iter().any(|rule| rule.r_target == "yes");
    places.any(|dc| *dc == "*" || *dc == node.datacenter)
        && (!choosy || node.attributes.contains_key("fast"))
}

fn group(name: &str, kind: &str, most: i64, random: &mut Random) -> TaskGroup {
    let everywhere = kind == job_type::SYSTEM || kind == job_type::SYSBATCH;
    let task = Task {
        name: "t".to_owned(),
        driver: "mock".to_owned(),
        resources: Resources {
            cpu: random.between(1, 6) * 100,
            memory_mb: random.between(1, 6) * 128,
            ..Resources::default()
        },
        ..Task::default()
    };
    TaskGroup {
        name: name.to_owned(),
        count: if everywhere {
            1
        } else {
            random.between(1, most)
        },
        tasks: vec![task],
        ephemeral_disk: EphemeralDisk {
            size_mb: 100,
            ..EphemeralDisk::default()
        },
        update: match kind {
            job_type::SERVICE => Some(update(random)),
            job_type::SYSTEM => random.chance(700).then(|| by_share(update(random))),
            _ => None,
        },
        migrate: Some(MigrateStrategy {
            max_parallel: random.between(1, 3),
            ..MigrateStrategy::default()
        }),
        reschedule_policy: (!everywhere).then(|| rescheduling(random)),
        disconnect: (kind == job_type::SERVICE && random.chance(250))
            .then(|| disconnecting(random)),
        ..TaskGroup::default()
    }
}

/// Canaries of system jobs are percent of the nodes.
fn by_share(update: UpdateStrategy) -> UpdateStrategy {
    UpdateStrategy {
        canary: update.canary * 30,
        ..update
    }
}

fn update(random: &mut Random) -> UpdateStrategy {
    UpdateStrategy {
        max_parallel: random.between(1, 3),
        canary: if random.chance(400) {
            random.between(1, 3)
        } else {
            0
        },
        auto_promote: true,
        auto_revert: random.chance(300),
        health_check: "task_states".to_owned(),
        min_healthy_time: Duration::from_secs(5),
        healthy_deadline: Duration::from_secs(60),
        // Without one, a rollout must end by itself, or by an allocation that does not become healthy.
        progress_deadline: Duration::from_secs(if random.chance(300) { 0 } else { 120 }),
        ..UpdateStrategy::default()
    }
}

fn rescheduling(random: &mut Random) -> ReschedulePolicy {
    let function = if random.chance(500) {
        delay_function::CONSTANT
    } else {
        delay_function::EXPONENTIAL
    };
    ReschedulePolicy {
        delay: Duration::from_secs(5),
        delay_function: function.to_owned(),
        max_delay: Duration::from_secs(40),
        unlimited: true,
        ..ReschedulePolicy::default()
    }
}

fn disconnecting(random: &mut Random) -> DisconnectStrategy {
    DisconnectStrategy {
        lost_after: Duration::from_secs(random.between(1, 4) * 30),
        replace: Some(random.chance(700)),
        reconcile: reconcile::BEST_SCORE.to_owned(),
        ..DisconnectStrategy::default()
    }
}
