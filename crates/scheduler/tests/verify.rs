//! Plans against a state that has moved on (scheduler sheet §6.3): what holds is accepted, what does not is named.

mod support;

use caravan_model::*;
use caravan_scheduler::{to_command, verify, without};
use support::{World, distinct_hosts, equal, job, node, rolling};

/// A plan for a job of which there was nothing so far.
fn planned(world: &mut World, web: Job) -> Plan {
    let count = web.task_groups[0].count;
    let mut none = web.clone();
    none.task_groups[0].count = 0;
    world.register(none);
    let plan = plan_of(world, web);
    let placed: usize = plan.node_allocation.values().map(Vec::len).sum();
    assert_eq!(placed as i64, count, "all is planned");
    plan
}

/// What would be done for this version of a job, by an evaluation that is not carried out.
fn plan_of(world: &mut World, web: Job) -> Plan {
    let id = web.id.clone();
    world.store(web);
    world.plan(&world.last_eval(id.as_str()))
}

fn spread_out(count: i64) -> Job {
    let mut web = job("web", job_type::SERVICE, count);
    web.constraints = vec![distinct_hosts()];
    web
}

/// How many are accepted and how many nodes refused, after something happened to a node of the plan.
fn after(web: Job, happens: impl FnOnce(&mut World, NodeId)) -> (usize, usize) {
    let mut world = World::new(3);
    let plan = planned(&mut world, web);
    let first = *plan.node_allocation.keys().next().expect("a node");
    happens(&mut world, first);
    let result = verify(&world.state, &plan);
    assert_eq!(result.rejected_nodes.is_empty(), result.refresh_index == 0);
    let accepted = result.node_allocation.values().map(Vec::len).sum();
    (accepted, result.rejected_nodes.len())
}

#[test]
fn what_still_holds_is_accepted_whole() {
    assert_eq!(after(spread_out(3), |_, _| {}), (3, 0));
}

#[test]
fn a_node_that_is_gone_down_silent_or_draining_refuses_its_part() {
    let gone = |world: &mut World, node| {
        world.apply(caravan_state::Command::DeregisterNodes {
            nodes: vec![node],
            evals: vec![],
        });
    };
    assert_eq!(after(spread_out(3), gone), (2, 1));
    for status in [
        NodeStatus::Down,
        NodeStatus::Disconnected,
        NodeStatus::Initializing,
    ] {
        let happens = |world: &mut World, node| world.set_node_status(node, status);
        assert_eq!(after(spread_out(3), happens), (2, 1), "{status:?}");
    }
    assert_eq!(
        after(spread_out(3), |world, node| world.drain(node)),
        (2, 1)
    );
}

/// It may be registered again before the plan is committed, and others have got the room by then.
#[test]
fn a_job_that_was_stopped_meanwhile_gets_nothing_new() {
    for purge in [false, true] {
        let stop = |world: &mut World, _| {
            world.apply(caravan_state::Command::DeregisterJobs {
                jobs: vec![caravan_state::JobRemoval {
                    job: World::key("web"),
                    purge,
                    no_shutdown_delay: false,
                    only_if_dead: false,
                }],
                evals: vec![],
                now: world.now,
            });
        };
        assert_eq!(after(spread_out(3), stop), (0, 0), "purge: {purge}");
    }
}

#[test]
fn a_node_that_filled_up_refuses_its_part() {
    let fills = |world: &mut World, _| world.register(job("other", job_type::SERVICE, 24));
    assert_eq!(after(spread_out(3), fills), (0, 3));
}

#[test]
fn a_port_that_was_given_away_refuses_its_part() {
    let with_port = || {
        let mut web = spread_out(3);
        web.task_groups[0].networks = vec![NetworkResource {
            reserved_ports: vec![Port {
                label: "http".into(),
                value: 8080,
                ..Port::default()
            }],
            ..NetworkResource::default()
        }];
        web
    };
    let takes = |world: &mut World, _| {
        let mut other = with_port();
        other.id = "other".into();
        other.name = "other".into();
        other.task_groups[0].count = 1;
        world.register(other);
    };
    assert_eq!(after(with_port(), takes), (2, 1));
}

#[test]
fn all_at_once_is_refused_whole() {
    let mut web = spread_out(3);
    web.all_at_once = true;
    let down = |world: &mut World, node| world.set_node_status(node, NodeStatus::Down);
    assert_eq!(after(web, down), (0, 1));
}

#[test]
fn what_stays_as_it_is_may_stay_on_a_node_that_takes_no_new_ones() {
    let mut world = World::new(1);
    world.register(job("web", job_type::SERVICE, 2));
    let mut web = job("web", job_type::SERVICE, 2);
    web.task_groups[0].tasks[0].kill_timeout = Duration::from_secs(9);
    world.drain(node(0).id);
    world.register(web);
    assert_eq!(world.versions("web"), [(1, 2)].into());
}

#[test]
fn what_was_evicted_meanwhile_is_not_revived_by_an_update_in_place() {
    let mut world = World::new(1);
    world.register(job("web", job_type::SERVICE, 1));
    let mut web = job("web", job_type::SERVICE, 1);
    web.task_groups[0].tasks[0].kill_timeout = Duration::from_secs(9);
    let plan = plan_of(&mut world, web);
    assert_eq!(plan.node_allocation.len(), 1, "it is told in place");
    assert!(verify(&world.state, &plan).rejected_nodes.is_empty());
    world.deregister("web");
    assert_eq!(verify(&world.state, &plan).rejected_nodes, [node(0).id]);
}

#[test]
fn what_is_not_stopped_after_all_is_not_replaced_elsewhere() {
    let mut world = World::new(1);
    world.register(job("web", job_type::SERVICE, 2));
    world.add_node(node(1));
    let mut web = job("web", job_type::SERVICE, 2);
    web.task_groups[0].tasks[0].user = "other".into();
    web.datacenters = vec!["*".into()];
    let plan = plan_of(&mut world, web);
    let stopped: usize = plan.node_update[&node(0).id].len();
    assert_eq!(stopped, 2, "both are replaced");
    assert!(
        plan.node_allocation.contains_key(&node(1).id),
        "one of them on the other node"
    );
    let left = without(&world.state, &plan, &[node(0).id].into());
    assert!(left.node_allocation.is_empty(), "neither is placed");
    assert!(left.node_update.is_empty());
}

#[test]
fn a_canary_that_is_not_stopped_after_all_has_no_second_one_beside_it() {
    let mut world = World::new(3);
    let mut web = job("web", job_type::SERVICE, 1);
    web.task_groups[0].update = Some(rolling(1, 1));
    world.register(web.clone());
    world.run_healthy("web");
    web.task_groups[0].tasks[0].user = "other".into();
    world.register(web);
    let live = world.live("web");
    let canary = live.iter().find(|alloc| alloc.is_canary());
    let canary = canary.expect("a canary").clone();
    world.set_node_status(canary.node_id, NodeStatus::Down);
    let plan = world.plan(&world.last_eval("web"));
    let canaries = |plan: &Plan| -> Vec<String> {
        let placed = plan.node_allocation.values().flatten();
        let canaries = placed.filter(|alloc| alloc.is_canary());
        canaries.map(|alloc| alloc.name.to_string()).collect()
    };
    assert_eq!(canaries(&plan), [canary.name.to_string()]);
    let left = without(&world.state, &plan, &[canary.node_id].into());
    assert_eq!(canaries(&left), Vec::<String>::new());
}

/// What is to stay on a silent node may be noted as unknown on one that is down, and nothing else.
#[test]
fn a_node_that_is_down_refuses_what_is_new_whatever_its_group_says_of_silence() {
    let mut web = spread_out(3);
    web.task_groups[0].disconnect = Some(support::waiting());
    let down = |world: &mut World, node| world.set_node_status(node, NodeStatus::Down);
    assert_eq!(after(web, down), (2, 1));
}

#[test]
fn what_is_said_to_be_elsewhere_is_not_as_it_was() {
    let mut world = World::new(2);
    let mut web = job("web", job_type::SERVICE, 1);
    world.register(web.clone());
    let here = world.live("web")[0].node_id;
    let there = [node(0).id, node(1).id].into_iter().find(|id| *id != here);
    let there = there.expect("another node");
    web.task_groups[0].tasks[0].kill_timeout = Duration::from_secs(9);
    let mut plan = plan_of(&mut world, web);
    let mut allocs = plan.node_allocation.remove(&here).expect("told in place");
    for alloc in &mut allocs {
        std::sync::Arc::make_mut(alloc).node_id = there;
    }
    plan.node_allocation.insert(there, allocs);
    world.drain(there);
    assert_eq!(verify(&world.state, &plan).rejected_nodes, [there]);
}

#[test]
fn nobody_is_evicted_for_what_is_not_placed_after_all() {
    let mut world = World::new(1);
    world.evict_for_services();
    let mut web = job("web", job_type::SERVICE, 1);
    web.priority = 80;
    world.register(web.clone());
    world.add_node(node(1));
    let only = |name: &str| equal("${node.unique.name}", name);
    let mut low = job("low", job_type::SERVICE, 8);
    low.priority = 20;
    low.constraints = vec![only("n1")];
    world.register(low);
    web.task_groups[0].tasks[0].user = "other".into();
    web.constraints = vec![only("n1")];
    let plan = plan_of(&mut world, web);
    let evicted = |plan: &Plan| plan.node_preemptions.values().flatten().count();
    assert_eq!(evicted(&plan), 1);
    let left = without(&world.state, &plan, &[node(0).id].into());
    assert_eq!((left.node_allocation.len(), evicted(&left)), (0, 0));
}

#[test]
fn canaries_that_are_not_placed_are_not_told_of() {
    let mut world = World::new(1);
    let mut web = job("web", job_type::SERVICE, 1);
    web.task_groups[0].update = Some(rolling(1, 1));
    world.register(web.clone());
    world.run_healthy("web");
    web.task_groups[0].tasks[0].user = "other".into();
    let mut plan = plan_of(&mut world, web);
    let canary = plan.node_allocation[&node(0).id][0].id;
    let before = AllocId::from_u128(7);
    let deployment = plan.deployment.as_mut().expect("a deployment");
    let group = deployment.task_groups.get_mut("g").expect("its group");
    group.placed_canaries = vec![before, canary];
    let left = without(&world.state, &plan, &[node(0).id].into());
    let told = left.deployment.expect("it is still made");
    assert_eq!(told.task_groups["g"].placed_canaries, [before]);
}

#[test]
fn what_runs_on_is_no_longer_told_of_a_node_that_is_gone() {
    let mut world = World::new(1);
    let mut web = job("web", job_type::SERVICE, 1);
    world.register(web.clone());
    web.task_groups[0].tasks[0].kill_timeout = Duration::from_secs(9);
    let plan = plan_of(&mut world, web);
    assert_eq!(plan.node_allocation.len(), 1, "it is told in place");
    world.apply(caravan_state::Command::DeregisterNodes {
        nodes: vec![node(0).id],
        evals: vec![],
    });
    assert_eq!(verify(&world.state, &plan).rejected_nodes, [node(0).id]);
}

#[test]
fn what_was_forgotten_meanwhile_is_not_revived_by_an_update_in_place() {
    let mut world = World::new(1);
    let mut web = job("web", job_type::SERVICE, 1);
    world.register(web.clone());
    let alloc = world.live("web")[0].id;
    web.task_groups[0].tasks[0].kill_timeout = Duration::from_secs(9);
    let plan = plan_of(&mut world, web);
    world.apply(caravan_state::Command::DeleteEvals {
        evals: vec![],
        allocs: vec![alloc],
        user_initiated: false,
    });
    assert_eq!(verify(&world.state, &plan).rejected_nodes, [node(0).id]);
}

/// Where the client has ended an allocation meanwhile, its replacement has its name for itself.
#[test]
fn what_has_ended_by_itself_is_replaced_though_its_stop_is_left_out() {
    let mut world = World::new(1);
    world.register(job("web", job_type::SERVICE, 2));
    world.add_node(node(1));
    let mut web = job("web", job_type::SERVICE, 2);
    web.task_groups[0].tasks[0].user = "other".into();
    let plan = plan_of(&mut world, web);
    let elsewhere = plan.node_allocation[&node(1).id].len();
    world.clients("web", ClientStatus::Complete);
    let left = without(&world.state, &plan, &[node(0).id].into());
    assert_eq!(left.node_allocation[&node(1).id].len(), elsewhere);
}

#[test]
fn a_node_that_keeps_a_port_for_itself_by_now_refuses_its_part() {
    let mut web = spread_out(3);
    web.task_groups[0].networks = vec![NetworkResource {
        reserved_ports: vec![Port {
            label: "http".into(),
            value: 8080,
            ..Port::default()
        }],
        ..NetworkResource::default()
    }];
    let keeps = |world: &mut World, id| {
        let mut node = Node::clone(world.state.node(&id).expect("a node"));
        let reserved = node.reserved_resources.get_or_insert_default();
        reserved.networks.reserved_host_ports = "8000-8100".to_owned();
        world.add_node(node);
    };
    assert_eq!(after(web, keeps), (2, 1));
}

#[test]
fn a_device_that_was_given_away_refuses_its_part() {
    let mut world = World::new(0);
    let mut only = node(0);
    only.node_resources.as_mut().expect("resources").devices = vec![NodeDeviceResource {
        vendor: "nvidia".into(),
        r#type: "gpu".into(),
        name: "t4".into(),
        instances: vec![NodeDevice {
            id: "a".into(),
            healthy: true,
            ..NodeDevice::default()
        }],
        ..NodeDeviceResource::default()
    }];
    world.add_node(only);
    let wanting = |id: &str| {
        let mut job = job(id, job_type::SERVICE, 1);
        job.task_groups[0].tasks[0].resources.devices = vec![RequestedDevice {
            name: "gpu".into(),
            count: 1,
            ..RequestedDevice::default()
        }];
        job
    };
    let plan = planned(&mut world, wanting("web"));
    assert!(verify(&world.state, &plan).rejected_nodes.is_empty());
    world.register(wanting("other"));
    assert_eq!(verify(&world.state, &plan).rejected_nodes, [node(0).id]);
}

/// However two of them came to be there.
#[test]
fn who_already_shares_a_volume_that_one_wants_alone_refuses_only_those_who_want_it_too() {
    let mut world = World::new(0);
    let mut only = node(0);
    let volume = HostVolumeInfo {
        name: "data".into(),
        ..HostVolumeInfo::default()
    };
    only.host_volumes.insert("data".into(), volume);
    world.add_node(only);
    let writing = |id: &str| {
        let mut job = job(id, job_type::SERVICE, 1);
        let request = VolumeRequest {
            name: "data".into(),
            r#type: volume_type::HOST.into(),
            source: "data".into(),
            access_mode: "single-node-single-writer".into(),
            ..VolumeRequest::default()
        };
        job.task_groups[0].volumes.insert("data".into(), request);
        job
    };
    let mut with_port = job("port", job_type::SERVICE, 1);
    with_port.task_groups[0].networks = vec![NetworkResource {
        dynamic_ports: vec![Port {
            label: "http".into(),
            ..Port::default()
        }],
        ..NetworkResource::default()
    }];
    let wants_it = planned(&mut world, writing("wants-it"));
    let with_port = planned(&mut world, with_port);
    let wants_nothing = planned(&mut world, job("wants-nothing", job_type::SERVICE, 1));
    world.register(writing("web"));
    world.duplicate("web");
    assert_eq!(world.live("web").len(), 2);
    for (plan, refused) in [(wants_it, 1), (with_port, 0), (wants_nothing, 0)] {
        let result = verify(&world.state, &plan);
        let job = &plan.job.as_ref().expect("a job").id;
        assert_eq!(result.rejected_nodes.len(), refused, "{job}");
    }
}

/// What is to stop has given its room away, though its client may take a moment.
#[test]
fn what_is_stopping_is_not_in_the_way() {
    let comes_and_goes = |world: &mut World, _| {
        world.register(job("other", job_type::SERVICE, 24));
        world.deregister("other");
    };
    assert_eq!(after(spread_out(3), comes_and_goes), (3, 0));
}

/// What is stopped says nothing of its client, who may have said something newer; only what servers conclude.
#[test]
fn a_stop_does_not_take_the_word_of_the_client_back() {
    let mut world = World::new(1);
    world.register(job("web", job_type::SERVICE, 1));
    let plan = plan_of(&mut world, job("web", job_type::SERVICE, 0));
    world.clients("web", ClientStatus::Running);
    let result = verify(&world.state, &plan);
    let command = to_command(&plan, &result, &world.state, 1, world.now);
    assert_eq!(command.stops.len(), 1);
    assert_eq!(command.stops[0].client_status, None);
}

/// Its client has told by then that it runs, and would not tell again: nobody would find out before its time is over.
#[test]
fn what_was_thought_silent_is_not_noted_so_once_its_node_is_back() {
    let mut world = World::new(1);
    let mut web = job("web", job_type::SERVICE, 1);
    web.task_groups[0].disconnect = Some(support::waiting());
    world.register(web);
    world.clients("web", ClientStatus::Running);
    world.set_node_status(node(0).id, NodeStatus::Disconnected);
    let plan = world.plan(&world.last_eval("web"));
    assert_eq!(plan.node_allocation.len(), 1, "it is noted as unknown");
    assert!(verify(&world.state, &plan).rejected_nodes.is_empty());
    world.set_node_status(node(0).id, NodeStatus::Ready);
    assert_eq!(verify(&world.state, &plan).rejected_nodes, [node(0).id]);
}
