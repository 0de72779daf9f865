//! Service and batch jobs through the rules of scheduler sheet §§7 to 14, on a small cluster without agents.

mod support;

use caravan_model::*;
use caravan_scheduler::{EvalRun, Step, to_command, verify};
use std::sync::Arc;
use support::{World, distinct_hosts, equal, job, node, rolling};

fn service(count: i64) -> Job {
    job("web", job_type::SERVICE, count)
}

fn changed(mut job: Job) -> Job {
    job.task_groups[0].tasks[0]
        .env
        .insert("V".into(), format!("{:?}", job.meta));
    job.task_groups[0].tasks[0].user = "other".into();
    job
}

#[test]
fn a_new_job_is_placed_and_a_second_look_does_nothing() {
    let mut world = World::new(3);
    world.register(service(5));
    assert_eq!(
        world.names("web"),
        ["web.g[0]", "web.g[1]", "web.g[2]", "web.g[3]", "web.g[4]"]
    );
    let plans = world.plans;
    world.evaluate("web", trigger::JOB_REGISTER);
    assert_eq!(world.plans, plans, "a settled job needs no plan");
    assert_eq!(world.last_eval("web").queued_allocations["g"], 0);
    world.check_nodes();
}

#[test]
fn scaling_down_stops_the_highest_names() {
    let mut world = World::new(3);
    world.register(service(4));
    world.register(service(2));
    assert_eq!(world.names("web"), ["web.g[0]", "web.g[1]"]);
    world.register(service(3));
    assert_eq!(world.names("web"), ["web.g[0]", "web.g[1]", "web.g[2]"]);
}

#[test]
fn stopping_a_job_stops_everything() {
    let mut world = World::new(2);
    world.register(service(3));
    world.deregister("web");
    assert!(world.live("web").is_empty());
    assert!(
        world
            .allocs("web")
            .iter()
            .all(|a| a.desired_description == desired_description::NOT_NEEDED)
    );
}

#[test]
fn what_does_not_fit_waits_and_is_placed_when_there_is_room() {
    let mut world = World::new(1);
    world.register(service(10));
    assert_eq!(
        world.live("web").len(),
        8,
        "a node of 4000 MHz takes eight of 500"
    );
    let eval = world.last_eval("web");
    assert_eq!(eval.queued_allocations["g"], 2);
    let failed = &eval.failed_tg_allocs["g"];
    assert_eq!(failed.coalesced_failures, 1);
    assert_eq!(failed.dimension_exhausted.get("cpu"), Some(&1));
    assert_eq!(failed.resources_exhausted["t"].cpu, 1000);
    let blocked = &world.blocked[&World::key("web")];
    assert_eq!(blocked.triggered_by, trigger::QUEUED_ALLOCS);
    assert_eq!(eval.blocked_eval, blocked.id);
    world.unblock();
    assert_eq!(world.blocked.len(), 1, "it goes on waiting");
    world.add_node(node(7));
    world.unblock();
    assert_eq!(world.live("web").len(), 10);
    assert!(world.blocked.is_empty());
    world.check_nodes();
}

#[test]
fn a_constraint_that_no_node_satisfies_is_told() {
    let mut world = World::new(2);
    let mut web = service(1);
    web.constraints
        .push(equal("${attr.kernel.name}", "windows"));
    world.register(web);
    let eval = world.last_eval("web");
    let failed = &eval.failed_tg_allocs["g"];
    assert_eq!((failed.nodes_evaluated, failed.nodes_filtered), (2, 2));
    assert_eq!(
        failed
            .constraint_filtered
            .get("${attr.kernel.name} = windows"),
        Some(&2)
    );
    assert_eq!(failed.class_filtered.get("small"), Some(&2));
    assert_eq!(failed.nodes_available.get("dc1"), Some(&2));
    assert!(
        world.blocked[&World::key("web")]
            .class_eligibility
            .values()
            .all(|can| !can)
    );
}

#[test]
fn of_what_escapes_the_classes_nothing_is_said_of_them() {
    let mut world = World::new(2);
    let mut web = service(1);
    web.constraints
        .push(equal("${node.unique.name}", "nowhere"));
    world.register(web);
    let blocked = &world.blocked[&World::key("web")];
    assert!(blocked.escaped_computed_class);
    assert!(blocked.class_eligibility.is_empty());
}

/// Jobs of one name in two namespaces have nothing to do with each other.
#[test]
fn what_another_namespace_calls_the_same_repels_nothing() {
    let mut world = World::new(1);
    let namespace = Namespace {
        name: "other".into(),
        ..Namespace::default()
    };
    world.apply(caravan_state::Command::UpsertNamespaces {
        namespaces: vec![namespace],
    });
    let register = |world: &mut World, namespace: &str| {
        let mut web = service(1);
        web.namespace = namespace.into();
        web.constraints = vec![distinct_hosts()];
        world.store(web);
        let eval = Evaluation {
            id: EvalId::from_u128(7),
            namespace: namespace.into(),
            job_id: "web".into(),
            r#type: job_type::SERVICE.to_owned(),
            priority: 50,
            triggered_by: trigger::JOB_REGISTER.to_owned(),
            ..Evaluation::default()
        };
        world.evaluate_all(vec![eval]);
    };
    register(&mut world, "default");
    register(&mut world, "other");
    assert_eq!(world.state.alloc_count(), 2);
}

#[test]
fn cores_that_the_machine_has_switched_off_are_not_given() {
    let mut world = World::new(0);
    let mut only = node(0);
    let resources = only.node_resources.as_mut().expect("resources");
    let core = |id: u16, disable: bool| CpuCore {
        id,
        disable,
        base_speed: 1000,
        ..CpuCore::default()
    };
    resources.processors.topology = Some(CpuTopology {
        cores: vec![core(0, true), core(1, false), core(2, false)],
        ..CpuTopology::default()
    });
    world.add_node(only);
    let mut web = service(1);
    (
        web.task_groups[0].tasks[0].resources.cores,
        web.task_groups[0].tasks[0].resources.cpu,
    ) = (1, 0);
    world.register(web);
    let live = world.live("web");
    let given = live[0].allocated_resources.as_ref().expect("resources");
    let cpu = &given.tasks["t"].cpu;
    assert_eq!((&cpu.reserved_cores[..], cpu.cpu_shares), (&[1][..], 1000));
}

#[test]
fn a_count_change_is_in_place_and_an_environment_change_is_not() {
    let mut world = World::new(2);
    world.register(service(2));
    let before: Vec<AllocId> = world.live("web").iter().map(|a| a.id).collect();
    let mut web = service(2);
    web.task_groups[0].tasks[0].kill_timeout = Duration::from_secs(9);
    world.register(web.clone());
    let after: Vec<AllocId> = world.live("web").iter().map(|a| a.id).collect();
    assert_eq!(before, after);
    assert_eq!(world.versions("web"), [(1, 2)].into());
    world.register(changed(web));
    assert_eq!(world.versions("web"), [(2, 2)].into());
    assert!(
        world
            .live("web")
            .iter()
            .all(|alloc| !before.contains(&alloc.id))
    );
}

#[test]
fn a_rolling_update_waits_for_health() {
    let mut world = World::new(3);
    let mut web = service(3);
    web.task_groups[0].update = Some(rolling(1, 0));
    world.register(web.clone());
    let first = world
        .state
        .latest_deployment(&World::key("web"))
        .expect("a deployment")
        .clone();
    assert_eq!(
        (first.status, first.task_groups["g"].desired_total),
        (DeploymentStatus::Running, 3)
    );
    world.run_healthy("web");
    let first = world
        .state
        .latest_deployment(&World::key("web"))
        .expect("a deployment")
        .clone();
    assert_eq!(first.status, DeploymentStatus::Successful);
    world.register(changed(web));
    assert_eq!(world.versions("web"), [(0, 2), (1, 1)].into());
    world.evaluate("web", trigger::DEPLOYMENT_WATCHER);
    assert_eq!(
        world.versions("web"),
        [(0, 2), (1, 1)].into(),
        "not before the first is healthy"
    );
    for expected in [[(0, 1), (1, 2)].into(), [(1, 3)].into()] {
        world.run_healthy("web");
        assert_eq!(world.versions("web"), expected);
    }
    world.run_healthy("web");
    let second = world
        .state
        .latest_deployment(&World::key("web"))
        .expect("a deployment");
    assert_eq!(second.status, DeploymentStatus::Successful);
    world.check_nodes();
}

#[test]
fn canaries_run_beside_until_promoted() {
    let mut world = World::new(3);
    let mut web = service(2);
    web.task_groups[0].update = Some(rolling(1, 1));
    world.register(web.clone());
    world.run_healthy("web");
    world.register(changed(web));
    assert_eq!(world.versions("web"), [(0, 2), (1, 1)].into());
    let deployment = world
        .state
        .latest_deployment(&World::key("web"))
        .expect("a deployment");
    assert_eq!(
        deployment.status_description,
        deployment_description::NEEDS_PROMOTION
    );
    assert_eq!(deployment.task_groups["g"].placed_canaries.len(), 1);
    world.run_healthy("web");
    assert_eq!(world.versions("web"), [(0, 2), (1, 1)].into());
    world.promote("web");
    for _ in 0..3 {
        world.run_healthy("web");
    }
    assert_eq!(world.versions("web"), [(1, 2)].into());
    let deployment = world
        .state
        .latest_deployment(&World::key("web"))
        .expect("a deployment");
    assert_eq!(deployment.status, DeploymentStatus::Successful);
}

#[test]
fn a_failed_allocation_is_rescheduled_later_on_another_node() {
    let mut world = World::new(2);
    let mut web = service(1);
    web.task_groups[0].reschedule_policy = Some(ReschedulePolicy {
        delay: Duration::from_secs(30),
        delay_function: delay_function::CONSTANT.into(),
        unlimited: true,
        ..ReschedulePolicy::default()
    });
    world.register(web);
    let first = world.live("web")[0].clone();
    world.clients("web", ClientStatus::Failed);
    world.evaluate("web", trigger::ALLOC_FAILURE);
    assert!(world.live("web").is_empty());
    assert_eq!(world.delayed.len(), 1);
    assert_eq!(
        world.delayed[0].status_description,
        eval_description::RESCHEDULE_LATER
    );
    world.pass(31);
    let second = world.live("web")[0].clone();
    assert_eq!(second.previous_allocation, first.id);
    assert_ne!(
        second.node_id, first.node_id,
        "the node of the failure is avoided"
    );
    let tracker = second.reschedule_tracker.as_ref().expect("a tracker");
    assert_eq!(tracker.events.len(), 1);
    let first = world.state.alloc(&first.id).expect("kept").clone();
    assert_eq!(first.desired_description, "");
    assert_eq!(first.next_allocation, second.id);
    assert_eq!(
        first
            .reschedule_tracker
            .as_ref()
            .expect("noted")
            .last_reschedule,
        "ok"
    );
}

#[test]
fn allocations_of_a_lost_node_are_replaced() {
    let mut world = World::new(2);
    world.register(service(2));
    world.clients("web", ClientStatus::Running);
    let lost = world.live("web")[0].clone();
    world.set_node_status(lost.node_id, NodeStatus::Down);
    world.evaluate("web", trigger::NODE_UPDATE);
    assert_eq!(world.live("web").len(), 2);
    assert!(
        world
            .live("web")
            .iter()
            .all(|alloc| alloc.node_id != lost.node_id)
    );
    let lost = world.state.alloc(&lost.id).expect("kept");
    assert_eq!(lost.client_status, ClientStatus::Lost);
    assert_eq!(lost.desired_description, desired_description::LOST);
}

#[test]
fn a_silent_node_is_waited_for_and_its_allocation_comes_back() {
    let mut world = World::new(2);
    let mut web = service(1);
    web.task_groups[0].disconnect = Some(support::waiting());
    world.register(web);
    world.clients("web", ClientStatus::Running);
    let original = world.live("web")[0].clone();
    world.set_node_status(original.node_id, NodeStatus::Disconnected);
    world.evaluate("web", trigger::NODE_UPDATE);
    let unknown = world.state.alloc(&original.id).expect("kept").clone();
    assert_eq!(unknown.client_status, ClientStatus::Unknown);
    assert_eq!(world.live("web").len(), 1);
    world.set_node_status(original.node_id, NodeStatus::Ready);
    world.clients("web", ClientStatus::Running);
    world.evaluate("web", trigger::RECONNECT);
    let back = world.live("web");
    assert_eq!(back.len(), 1);
    assert_eq!(back[0].id, original.id);
    assert!(!back[0].needs_to_reconnect());
}

#[test]
fn ports_are_given_on_the_host_address() {
    let mut world = World::new(1);
    let mut web = service(3);
    web.task_groups[0].networks = vec![NetworkResource {
        dynamic_ports: vec![Port {
            label: "http".into(),
            to: -1,
            ..Port::default()
        }],
        ..NetworkResource::default()
    }];
    world.register(web.clone());
    for alloc in world.live("web") {
        let shared = &alloc.allocated_resources.as_ref().expect("given").shared;
        let port = &shared.ports[0];
        assert_eq!(port.host_ip, "10.0.0.0");
        assert_eq!(port.to, port.value);
        assert!((20_000..=32_000).contains(&port.value));
        assert_eq!(shared.networks[0].dynamic_ports[0].value, port.value);
        assert_eq!(shared.networks[0].dynamic_ports[0].host_network, "default");
    }
    world.check_nodes();
    let mut fixed = job("fixed", job_type::SERVICE, 2);
    fixed.task_groups[0].networks = vec![NetworkResource {
        reserved_ports: vec![Port {
            label: "db".into(),
            value: 5432,
            ..Port::default()
        }],
        ..NetworkResource::default()
    }];
    world.register(fixed);
    assert_eq!(world.live("fixed").len(), 1);
    let eval = world.last_eval("fixed");
    let why = "network: reserved port collision db=5432";
    assert_eq!(
        eval.failed_tg_allocs["g"].dimension_exhausted.get(why),
        Some(&1)
    );
}

#[test]
fn a_batch_job_that_is_over_stays_over_unless_it_changed_or_failed() {
    let mut world = World::new(1);
    let batch = job("lab", job_type::BATCH, 1);
    world.register(batch.clone());
    world.clients("lab", ClientStatus::Complete);
    world.evaluate("lab", trigger::JOB_REGISTER);
    assert_eq!(world.allocs("lab").len(), 1, "it ran");
    world.pass(1);
    world.register(changed(batch.clone()));
    assert_eq!(world.live("lab").len(), 1, "a changed one runs again");
    world.clients("lab", ClientStatus::Failed);
    world.evaluate("lab", trigger::ALLOC_FAILURE);
    assert!(
        world.live("lab").is_empty(),
        "without a policy it is not replaced"
    );
    world.pass(1);
    world.evaluate("lab", trigger::JOB_REGISTER);
    assert_eq!(
        world.live("lab").len(),
        1,
        "a failed one runs again when registered again"
    );
}

#[test]
fn spread_and_distinct_hosts_and_properties_hold() {
    let mut world = World::new(9);
    let mut web = service(6);
    web.spreads = vec![Spread {
        attribute: "${meta.rack}".into(),
        weight: 50,
        spread_target: vec![],
    }];
    world.register(web);
    let mut racks = std::collections::BTreeMap::new();
    for alloc in world.live("web") {
        let node = world.state.node(&alloc.node_id).expect("a node");
        *racks.entry(node.meta["rack"].clone()).or_insert(0) += 1;
    }
    assert_eq!(racks.values().copied().collect::<Vec<i32>>(), [2, 2, 2]);
    let mut hosts = job("hosts", job_type::SERVICE, 10);
    hosts.constraints = vec![Constraint {
        operand: "distinct_hosts".into(),
        ..Constraint::default()
    }];
    world.register(hosts);
    let nodes: std::collections::BTreeSet<NodeId> =
        world.live("hosts").iter().map(|a| a.node_id).collect();
    assert_eq!((world.live("hosts").len(), nodes.len()), (9, 9));
    let mut property = job("property", job_type::SERVICE, 4);
    property.constraints = vec![Constraint {
        l_target: "${meta.rack}".into(),
        operand: "distinct_property".into(),
        r_target: String::new(),
    }];
    world.register(property);
    assert_eq!(world.live("property").len(), 3);
    let eval = world.last_eval("property");
    assert_eq!(eval.failed_tg_allocs["g"].nodes_filtered, 9);
}

#[test]
fn a_higher_priority_evicts_a_lower_one_when_configured() {
    let mut world = World::new(1);
    world.evict_for_services();
    let mut low = job("low", job_type::SERVICE, 8);
    low.priority = 20;
    world.register(low);
    let mut high = job("high", job_type::SERVICE, 1);
    high.priority = 80;
    world.register(high);
    let high = world.live("high");
    assert_eq!(high.len(), 1);
    assert_eq!(high[0].preempted_allocations.len(), 1);
    let victim = world
        .state
        .alloc(&high[0].preempted_allocations[0])
        .expect("kept");
    assert_eq!(victim.desired_status, DesiredStatus::Evict);
    assert_eq!(victim.preempted_by_allocation, high[0].id);
    assert_eq!(world.last_eval("low").queued_allocations["g"], 1);
}

#[test]
fn cores_and_devices_are_given_once() {
    let mut world = World::new(0);
    let mut with_devices = node(1);
    with_devices
        .node_resources
        .as_mut()
        .expect("resources")
        .devices = vec![NodeDeviceResource {
        vendor: "nvidia".into(),
        r#type: "gpu".into(),
        name: "t4".into(),
        instances: ["a", "b"]
            .map(|id| NodeDevice {
                id: id.into(),
                healthy: true,
                ..NodeDevice::default()
            })
            .into(),
        ..NodeDeviceResource::default()
    }];
    world.add_node(with_devices);
    let mut web = service(3);
    let asked = &mut web.task_groups[0].tasks[0].resources;
    asked.cpu = 0;
    asked.cores = 1;
    asked.devices = vec![RequestedDevice {
        name: "gpu".into(),
        count: 1,
        ..RequestedDevice::default()
    }];
    world.register(web);
    let live = world.live("web");
    assert_eq!(live.len(), 2, "there are two devices");
    let given: Vec<_> = live
        .iter()
        .map(|a| a.allocated_resources.clone().expect("given"))
        .collect();
    assert_ne!(
        given[0].tasks["t"].cpu.reserved_cores,
        given[1].tasks["t"].cpu.reserved_cores
    );
    assert_ne!(given[0].tasks["t"].devices, given[1].tasks["t"].devices);
    let eval = world.last_eval("web");
    let why = "devices: no devices match request";
    assert_eq!(
        eval.failed_tg_allocs["g"].dimension_exhausted.get(why),
        Some(&1)
    );
}

#[test]
fn an_evaluation_says_on_which_state_it_was_decided() {
    let mut world = World::new(1);
    world.register(service(1));
    let placed = world.live("web")[0].create_index;
    let eval = world.last_eval("web");
    assert!(
        eval.snapshot_index >= eval.create_index,
        "it has seen its job"
    );
    assert!(
        eval.snapshot_index < placed,
        "what came with its plan is news to it"
    );
}

/// A service that fell silent on a large node, was replaced on one that it fills better, and came back while its
/// replacement is as given: what runs then.
fn after_reconnecting(replacement: ClientStatus) -> Vec<Arc<Allocation>> {
    let mut world = World::new(1);
    let mut web = service(1);
    web.task_groups[0].disconnect = Some(DisconnectStrategy {
        lost_after: Duration::from_secs(3600),
        ..DisconnectStrategy::default()
    });
    web.task_groups[0].reschedule_policy = Some(ReschedulePolicy {
        unlimited: true,
        delay: Duration::from_secs(5),
        ..ReschedulePolicy::default()
    });
    world.register(web);
    world.clients("web", ClientStatus::Running);
    let original = world.live("web")[0].clone();
    let mut small = node(1);
    let resources = small.node_resources.as_mut().expect("resources");
    resources.cpu.cpu_shares = 600;
    resources.memory.memory_mb = 300;
    world.add_node(small);
    world.set_node_status(original.node_id, NodeStatus::Disconnected);
    world.evaluate("web", trigger::NODE_UPDATE);
    world.pass(6);
    for alloc in world.live("web") {
        let mut alloc = Allocation::clone(&alloc);
        alloc.client_status = if alloc.id == original.id {
            ClientStatus::Running
        } else {
            replacement
        };
        let now = world.now;
        world.apply(caravan_state::Command::UpdateAllocsFromClient {
            allocs: vec![alloc],
            evals: vec![],
            now,
        });
    }
    world.set_node_status(original.node_id, NodeStatus::Ready);
    world.evaluate("web", trigger::RECONNECT);
    world.live("web")
}

#[test]
fn of_two_the_better_placed_stays_but_for_one_that_does_not_run_yet() {
    let stays = after_reconnecting(ClientStatus::Running);
    assert_eq!((stays.len(), stays[0].node_id), (1, node(1).id));
    let stays = after_reconnecting(ClientStatus::Pending);
    assert_eq!((stays.len(), stays[0].node_id), (1, node(0).id));
}

/// A job may be registered with another priority for its evaluations than its own.
#[test]
fn a_deployment_keeps_the_priority_of_the_evaluation_that_began_it() {
    let mut world = World::new(1);
    let mut web = service(1);
    web.task_groups[0].update = Some(rolling(1, 0));
    let before = world.state.clone();
    world.register(web.clone());
    let eval = Evaluation {
        priority: 77,
        ..Evaluation::clone(&world.last_eval("web"))
    };
    world.state = before;
    world.store(web);
    let deployment = world.plan(&eval).deployment.expect("a deployment");
    assert_eq!(deployment.eval_priority, 77);
}

/// `alloc stop` tells a batch allocation to leave and to be rescheduled: its policy says whether it runs again.
#[test]
fn a_batch_allocation_that_is_stopped_does_not_merely_move() {
    let mut world = World::new(2);
    world.register(job("sum", job_type::BATCH, 1));
    world.clients("sum", ClientStatus::Running);
    let stopped = world.live("sum")[0].id;
    let wish = DesiredTransition {
        migrate: Some(true),
        reschedule: Some(true),
        ..DesiredTransition::default()
    };
    let now = world.now;
    world.apply(caravan_state::Command::UpdateDesiredTransitions {
        transitions: [(stopped, wish)].into(),
        evals: vec![],
        now,
    });
    world.evaluate("sum", trigger::ALLOC_STOP);
    assert_eq!(world.allocs("sum").len(), 1, "nothing in its place");
    assert!(world.live("sum").is_empty());
}

/// A plan that was refused in part is tried again as long as each try gets something done, and a few times more.
#[test]
fn attempts_are_counted_from_the_last_progress() {
    let mut world = World::new(2);
    world.register(service(0));
    world.store(service(3));
    let mut run = EvalRun::new(world.last_eval("web"));
    let settings = world.settings();
    let mut answer = |progress: bool| {
        let Step::Submit { plan, .. } = run.step(&world.state, &settings) else {
            return false;
        };
        let mut result = PlanResult {
            refresh_index: 1,
            ..PlanResult::default()
        };
        if progress {
            let (node, allocs) = plan.node_allocation.iter().next().expect("a node");
            result.node_allocation.insert(*node, allocs[..1].to_vec());
        }
        run.submitted(&result);
        true
    };
    for _ in 0..9 {
        assert!(answer(true), "something was done");
    }
    let more = (0..9).take_while(|_| answer(false)).count();
    assert_eq!(more, 5);
}

/// With time all that a deployment placed is replaced, and it is forgotten: the version itself says what ran before.
#[test]
fn what_is_lost_beside_canaries_comes_back_as_it_was_though_no_deployment_tells_of_it() {
    let mut world = World::new(2);
    let mut web = service(2);
    web.task_groups[0].update = Some(support::rolling(1, 1));
    world.register(web.clone());
    world.run_healthy("web");
    let deployments = world.state.deployments().map(|row| row.id).collect();
    world.apply(caravan_state::Command::DeleteDeployments { deployments });
    world.register(changed(web));
    assert_eq!(world.versions("web"), [(0, 2), (1, 1)].into(), "a canary");
    let live = world.live("web");
    let old = live.iter().find(|alloc| !alloc.is_canary());
    let lost = old.expect("one of the version before").node_id;
    world.set_node_status(lost, NodeStatus::Down);
    world.evaluate("web", trigger::NODE_UPDATE);
    assert_eq!(world.versions("web"), [(0, 2), (1, 1)].into());
}

/// Who looked at what was on the node when it went down saw nothing of it.
#[test]
fn what_was_on_its_way_to_a_node_that_went_down_is_placed_elsewhere() {
    let mut world = World::new(2);
    world.register(service(0));
    world.store(service(1));
    let mut run = EvalRun::new(world.last_eval("web"));
    let Step::Submit { plan, .. } = run.step(&world.state, &world.settings()) else {
        panic!("it is to be placed");
    };
    let result = verify(&world.state, &plan);
    let node = *result.node_allocation.keys().next().expect("a node");
    let command = to_command(&plan, &result, &world.state, 1, world.now);
    world.set_node_status(node, NodeStatus::Down);
    world.apply(caravan_state::Command::ApplyPlan(Box::new(command)));
    run.submitted(&result);
    let Step::Submit { plan, .. } = run.step(&world.state, &world.settings()) else {
        panic!("it is looked at once more");
    };
    assert!(plan.node_update.contains_key(&node), "it is lost");
    assert!(plan.node_allocation.keys().all(|other| *other != node));
    assert_eq!(plan.node_allocation.len(), 1, "and replaced");
}

/// It had all been placed for a moment: that it waits again must be written, or the next leader knows nothing of it.
#[test]
fn what_waits_again_though_it_was_canceled_says_so() {
    let mut world = World::new(1);
    world.register(service(100));
    let waiting = world.blocked[&World::key("web")].clone();
    let done = |world: &World| {
        let mut run = EvalRun::new(Arc::new(waiting.clone()));
        let Step::Done(done) = run.step(&world.state, &world.settings()) else {
            panic!("there is no room");
        };
        assert!(done.reblock.is_some());
        done.evals
    };
    assert_eq!(done(&world), [], "nothing is new");
    let canceled = Evaluation {
        status: EvalStatus::Canceled,
        ..waiting.clone()
    };
    let now = world.now;
    world.apply(caravan_state::Command::UpsertEvals {
        evals: vec![canceled],
        now,
    });
    assert_eq!(done(&world)[0].status, EvalStatus::Blocked);
}

/// One of the version before is lost, and there is no room for another: nobody is too many.
#[test]
fn a_canary_that_fails_after_its_promotion_takes_no_name_from_what_still_runs() {
    let mut world = World::new(0);
    for number in 0..2 {
        let mut small = node(number);
        if let Some(resources) = &mut small.node_resources {
            resources.cpu.cpu_shares = 2000;
        }
        world.add_node(small);
    }
    let mut web = service(3);
    web.task_groups[0].tasks[0].resources.cpu = 600;
    web.task_groups[0].update = Some(rolling(1, 1));
    world.register(web.clone());
    world.clients("web", ClientStatus::Running);
    world.healthy("web");
    world.register(changed(web));
    let live = world.live("web");
    let old = |at: usize| {
        let mut old = live.iter().filter(|alloc| !alloc.is_canary());
        let found = old.find(|alloc| alloc.index() == Some(at));
        found.expect("one of the version before")
    };
    assert_ne!(old(0).node_id, old(1).node_id);
    world.set_node_status(old(1).node_id, NodeStatus::Down);
    world.evaluate("web", trigger::NODE_UPDATE);
    world.clients("web", ClientStatus::Running);
    world.healthy("web");
    let canary = world.live("web").into_iter().find(|a| a.is_canary());
    let canary = canary.expect("a canary");
    assert_eq!(canary.name, old(0).name);
    let now = world.now;
    world.apply(caravan_state::Command::PromoteDeployment {
        deployment: canary.deployment_id,
        groups: vec![],
        eval: None,
        now,
    });
    world.apply(caravan_state::Command::UpdateAllocsFromClient {
        allocs: vec![Allocation {
            client_status: ClientStatus::Failed,
            ..Allocation::clone(&canary)
        }],
        evals: vec![],
        now,
    });
    world.evaluate("web", trigger::DEPLOYMENT_WATCHER);
    let stays = world.state.alloc(&old(0).id).expect("it ran");
    assert_ne!(stays.desired_description, desired_description::NOT_NEEDED);
}
