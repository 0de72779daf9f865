//! System and sysbatch jobs through the rules of scheduler sheet §15.

mod support;

use caravan_model::*;
use support::{World, job, node};

#[test]
fn a_system_job_runs_on_every_node_and_follows_new_ones() {
    let mut world = World::new(3);
    world.register(job("sys", job_type::SYSTEM, 1));
    assert_eq!(world.live("sys").len(), 3);
    assert!(world.names("sys").iter().all(|name| name == "sys.g[0]"));
    world.add_node(node(5));
    world.evaluate("sys", trigger::NODE_UPDATE);
    assert_eq!(world.live("sys").len(), 4);
    let plans = world.plans;
    world.evaluate("sys", trigger::NODE_UPDATE);
    assert_eq!(world.plans, plans);
    world.deregister("sys");
    assert!(world.live("sys").is_empty());
}

/// A stop is evaluated as if the job were a service, which is all the same for as long as it is stopped.
#[test]
fn a_job_that_was_registered_again_before_its_stop_was_looked_at_is_what_it_is() {
    let late = |id: &str| Evaluation {
        id: EvalId::from_u128(77),
        namespace: "default".into(),
        job_id: id.into(),
        r#type: job_type::SERVICE.to_owned(),
        triggered_by: trigger::JOB_DEREGISTER.to_owned(),
        priority: 50,
        status: EvalStatus::Pending,
        ..Evaluation::default()
    };
    let mut world = World::new(3);
    world.store(job("sys", job_type::SYSTEM, 1));
    world.evaluate_all(vec![late("sys")]);
    assert!(world.names("sys").iter().all(|name| name == "sys.g[0]"));
    assert_eq!(world.live("sys").len(), 3);
    assert_eq!(world.last_eval("sys").r#type, job_type::SYSTEM);

    world.register(job("sum", job_type::BATCH, 1));
    world.clients("sum", ClientStatus::Complete);
    world.evaluate_all(vec![late("sum")]);
    assert_eq!(world.allocs("sum").len(), 1, "done is done");
}

#[test]
fn a_changed_system_job_replaces_within_max_parallel() {
    let mut world = World::new(3);
    let mut sys = job("sys", job_type::SYSTEM, 1);
    sys.task_groups[0].update = Some(support::rolling(1, 0));
    world.register(sys.clone());
    world.run_healthy("sys");
    sys.task_groups[0].tasks[0].user = "other".into();
    world.register(sys);
    assert_eq!(world.versions("sys"), [(0, 2), (1, 1)].into());
    for expected in [[(0, 1), (1, 2)].into(), [(1, 3)].into()] {
        world.run_healthy("sys");
        assert_eq!(world.versions("sys"), expected);
    }
    world.run_healthy("sys");
    let deployment = world
        .state
        .latest_deployment(&World::key("sys"))
        .expect("a deployment");
    assert_eq!(deployment.status, DeploymentStatus::Successful);
}

#[test]
fn a_node_without_room_waits_alone() {
    let mut world = World::new(2);
    world.register(job("web", job_type::SERVICE, 8));
    let mut sys = job("sys", job_type::SYSTEM, 1);
    sys.task_groups[0].tasks[0].resources.cpu = 4000;
    world.register(sys);
    let eval = world.last_eval("sys");
    assert!(
        eval.failed_tg_allocs["g"]
            .dimension_exhausted
            .contains_key("cpu")
    );
    assert!(!world.blocked[&World::key("sys")].node_id.is_nil());
}

#[test]
fn one_waits_on_a_node_for_all_groups_that_lack_room_there() {
    let mut world = World::new(1);
    world.register(job("web", job_type::SERVICE, 7));
    let mut sys = job("sys", job_type::SYSTEM, 1);
    let mut more = sys.task_groups[0].clone();
    more.name = "h".to_owned();
    more.tasks[0].resources.cpu = 3000;
    sys.task_groups[0].tasks[0].resources.cpu = 4000;
    sys.task_groups.push(more);
    world.register(sys);
    let waiting = &world.blocked[&World::key("sys")];
    let groups: Vec<&String> = waiting.failed_tg_allocs.keys().collect();
    assert_eq!(groups, ["g", "h"]);
}

#[test]
fn a_sysbatch_job_runs_once_a_node() {
    let mut world = World::new(2);
    world.register(job("once", job_type::SYSBATCH, 1));
    world.clients("once", ClientStatus::Complete);
    world.evaluate("once", trigger::JOB_REGISTER);
    assert_eq!(world.allocs("once").len(), 2);
    assert!(world.live("once").is_empty());
}

#[test]
fn a_node_that_joins_after_the_deployment_was_forgotten_gets_no_other() {
    let mut world = World::new(1);
    let mut sys = job("sys", job_type::SYSTEM, 1);
    sys.task_groups[0].update = Some(support::rolling(1, 0));
    world.register(sys);
    world.run_healthy("sys");
    let deployment = world.state.latest_deployment(&World::key("sys"));
    let deployment = deployment.expect("a deployment");
    assert_eq!(deployment.status, DeploymentStatus::Successful);
    let deployments = vec![deployment.id];
    world.apply(caravan_state::Command::DeleteDeployments { deployments });
    world.add_node(node(5));
    world.evaluate("sys", trigger::NODE_UPDATE);
    assert_eq!(world.live("sys").len(), 2);
    assert!(world.state.latest_deployment(&World::key("sys")).is_none());
}

#[test]
fn what_is_placed_again_follows_the_last_that_was_there() {
    let mut world = World::new(1);
    world.register(job("sys", job_type::SYSTEM, 1));
    for _ in 0..3 {
        let last = world.live("sys")[0].id;
        world.clients("sys", ClientStatus::Failed);
        world.evaluate("sys", trigger::NODE_UPDATE);
        assert_eq!(world.live("sys")[0].previous_allocation, last);
    }
}

/// Nobody would look at the job again to say that nothing is left to do.
#[test]
fn a_rollout_is_over_with_what_it_stops_where_nothing_can_take_its_place() {
    for others in [1, 0] {
        let mut world = World::new(0);
        let fit = |number| {
            let mut node = node(number);
            node.meta.insert("new".to_owned(), "yes".to_owned());
            node.computed_class = computed_class(&node);
            node
        };
        (0..=others).for_each(|number| world.add_node(fit(number)));
        let mut sys = job("sys", job_type::SYSTEM, 1);
        sys.constraints = vec![support::equal("${meta.new}", "yes")];
        sys.task_groups[0].update = Some(support::rolling(1, 0));
        world.register(sys.clone());
        world.run_healthy("sys");
        sys.task_groups[0].tasks[0].user = "other".into();
        world.register(sys);
        world.clients("sys", ClientStatus::Running);
        // Where there is one node only, what has just come is gone before it is healthy.
        let live = world.live("sys");
        let last = live
            .iter()
            .filter(|alloc| others == 0 || alloc.job_version() == 0);
        let last = last.map(|alloc| alloc.node_id).next().expect("one");
        let mut changed = Node::clone(world.state.node(&last).expect("a node"));
        changed.meta.remove("new");
        changed.computed_class = computed_class(&changed);
        world.add_node(changed);
        if others == 0 {
            world.clients("sys", ClientStatus::Failed);
            world.evaluate("sys", trigger::ALLOC_FAILURE);
        } else {
            world.healthy("sys");
        }
        let deployment = world.state.latest_deployment(&World::key("sys"));
        let status = deployment.expect("a deployment").status;
        assert_eq!(status, DeploymentStatus::Successful, "others: {others}");
    }
}
