//! Other evaluations than first placements: nothing to do, one node lost, jobs that run everywhere, plans beside
//! what runs, classes that do not help.

use crate::best_ms;
use crate::cluster::{
    EPOCH, all_run, commit, constraint, eval, job, node, process, register, set_status, settle,
    with_nodes,
};
use caravan_model::*;
use caravan_scheduler::{Settings, dry_run};
use caravan_state::State;
use std::sync::Arc;

/// Measures all of them and prints one line for each.
pub(crate) fn run() {
    let tell = |name: &str, ms: f64, what: &str| println!("{name:<44} {ms:>9.3} ms  {what}");
    let ms = no_op();
    tell("no-op, 600 live on 5,000 nodes", ms, "an evaluation");
    for (unique, name) in [(false, "a class answers"), (true, "only nodes answer")] {
        let ms = one_selection(unique);
        tell(
            &format!("one placement, 5,000 nodes, {name}"),
            ms,
            "an evaluation",
        );
    }
    let (first, in_place, destructive) = system_job();
    tell("system job, 10,000 nodes, first", first, "an evaluation");
    tell(
        "system job, 10,000 nodes, in place",
        in_place,
        "an evaluation",
    );
    tell(
        "system job, 10,000 nodes, destructive",
        destructive,
        "an evaluation",
    );
    let ms = node_down();
    tell(
        "1 of 10,000 nodes down, 200 services",
        ms,
        "all 200 evaluations",
    );
    let ms = plan_beside();
    tell("plan of 1,000 beside 2,000 on one node", ms, "a dry run");
}

/// Nothing to do for a job with 600 live allocations.
fn no_op() -> f64 {
    let mut state = with_nodes((0..5000).map(|number| node(number, 100)));
    register(&mut state, job(100, 600, true));
    let first = eval(&state, "bench", 1);
    settle(&mut state, &first);
    all_run(&mut state, "bench");
    let again = eval(&state, "bench", 2);
    assert!(
        process(&state, &again, 1).is_empty(),
        "there is nothing to do"
    );
    best_ms(|| process(&state, &again, 1))
}

/// One placement where one node of 64 may take it, with two dynamic ports.
fn one_selection(unique: bool) -> f64 {
    let key = if unique { "unique.key" } else { "key" };
    let nodes = (0..5000).map(|number| {
        let mut node = node(number, 1);
        node.meta.insert(key.into(), (number % 64).to_string());
        node.computed_class = computed_class(&node);
        node
    });
    let mut state = with_nodes(nodes);
    let mut one = job(2, 1, false);
    one.constraints = vec![constraint(&format!("${{meta.{key}}}"), operand::LESS, "1")];
    one.task_groups[0].tasks[0].resources.cpu = 500;
    one.task_groups[0].networks = vec![NetworkResource {
        dynamic_ports: ["http", "admin"]
            .map(|label| Port {
                label: label.into(),
                ..Port::default()
            })
            .into(),
        ..NetworkResource::default()
    }];
    register(&mut state, one);
    let eval = eval(&state, "bench", 1);
    let plans = process(&state, &eval, 1);
    assert_eq!(plans.len(), 1, "it is placed");
    best_ms(|| process(&state, &eval, 1))
}

/// A job that runs on every node: at first, changed in place, and replaced.
fn system_job() -> (f64, f64, f64) {
    let mut state = with_nodes((0..10_000).map(|number| node(number, 25)));
    let mut everywhere = job(25, 1, false);
    everywhere.r#type = job_type::SYSTEM.into();
    everywhere.constraints.clear();
    everywhere.task_groups[0].reschedule_policy = None;
    everywhere.task_groups[0].tasks[0].resources.cpu = 500;
    let measured = |job: &Job, number: u128, state: &mut State| {
        register(state, job.clone());
        let eval = eval(state, "bench", number);
        let ms = best_ms(|| process(state, &eval, 1));
        let plans = process(state, &eval, 1);
        let changed: usize = plans[0].node_allocation.values().map(Vec::len).sum();
        assert_eq!(changed, 10_000);
        settle(state, &eval);
        all_run(state, "bench");
        ms
    };
    let first = measured(&everywhere, 1, &mut state);
    everywhere.task_groups[0].tasks[0].kill_timeout = Duration::from_secs(9);
    let in_place = measured(&everywhere, 2, &mut state);
    everywhere.task_groups[0].tasks[0].user = "other".into();
    let destructive = measured(&everywhere, 3, &mut state);
    (first, in_place, destructive)
}

/// One node goes down that runs an allocation of each of 200 services of ten.
fn node_down() -> f64 {
    let mut state = with_nodes((0..10_000).map(|number| node(number, 25)));
    let id = |number: usize| format!("s{number}");
    let lost = node(0, 25).id;
    for number in 0..200 {
        let mut service = job(25, 10, false);
        service.id = id(number).as_str().into();
        service.name = id(number);
        service.constraints.clear();
        let asked = &mut service.task_groups[0].tasks[0].resources;
        (asked.cpu, asked.memory_mb) = (50, 50);
        register(&mut state, service);
        let first = eval(&state, &id(number), number as u128);
        settle_with_one_on(&mut state, &first, lost);
        all_run(&mut state, &id(number));
    }
    set_status(&mut state, lost, NodeStatus::Down);
    let evals: Vec<_> = (0..200)
        .map(|number| eval(&state, &id(number), 1000 + number as u128))
        .collect();
    let replaced = |eval: &Arc<Evaluation>| {
        let plans = process(&state, eval, 1);
        plans[0]
            .node_allocation
            .values()
            .map(Vec::len)
            .sum::<usize>()
    };
    assert!(
        evals.iter().all(|eval| replaced(eval) == 1),
        "one of ten is replaced"
    );
    best_ms(|| {
        let each = evals.iter().map(|eval| process(&state, eval, 1));
        each.collect::<Vec<_>>()
    })
}

/// Settles, and moves one allocation to a node: the node that is then lost must have something of every job.
fn settle_with_one_on(state: &mut State, eval: &Arc<Evaluation>, node: NodeId) {
    for mut result in process(state, eval, 1) {
        let placed = &mut result.node_allocation;
        if !placed.contains_key(&node)
            && let Some((from, mut allocs)) = placed.pop_first()
        {
            let mut moved = Allocation::clone(&allocs.remove(0));
            moved.node_id = node;
            if !allocs.is_empty() {
                placed.insert(from, allocs);
            }
            placed.insert(node, vec![Arc::new(moved)]);
        }
        commit(state, eval, &result);
    }
}

/// A dry run of 1,000 more beside 2,000 on a cluster of one large node.
fn plan_beside() -> f64 {
    let mut large = node(0, 25);
    if let Some(resources) = &mut large.node_resources {
        resources.cpu.cpu_shares = 1_000_000;
        resources.memory.memory_mb = 1_000_000;
        resources.disk.disk_mb = 1_000_000;
    }
    let mut state = with_nodes([large]);
    let mut many = job(25, 2000, false);
    let asked = &mut many.task_groups[0].tasks[0].resources;
    (asked.cpu, asked.memory_mb) = (20, 15);
    many.task_groups[0].networks = vec![NetworkResource {
        dynamic_ports: vec![Port {
            label: "http".into(),
            ..Port::default()
        }],
        ..NetworkResource::default()
    }];
    register(&mut state, many.clone());
    let first = eval(&state, "bench", 1);
    settle(&mut state, &first);
    all_run(&mut state, "bench");
    let key = caravan_state::JobKey::new("default", "bench");
    assert_eq!(state.allocs_of_job(&key).count(), 2000);
    many.task_groups[0].count = 3000;
    let many = Arc::new(many);
    let settings = Settings {
        now: EPOCH,
        seed: 1,
        ..Settings::default()
    };
    let place = |dry: caravan_scheduler::DryRun| {
        let annotations = dry.annotations.expect("a plan says what it does");
        annotations.desired_tg_updates["web"].place
    };
    assert_eq!(place(dry_run(&state, Arc::clone(&many), &settings)), 1000);
    best_ms(|| dry_run(&state, Arc::clone(&many), &settings))
}
