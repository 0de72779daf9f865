//! What holds whatever happens: capacity, constraints, convergence, quiet when settled, the same plan from the
//! same arguments.
//!
//! A test run takes a few dozen cases of each property, always the same, so that it judges the change and not the
//! dice; `PROPERTY_CASES=100000` takes as many as it says, always others.

mod support;

use caravan_model::*;
use caravan_scheduler::{Settings, schedule};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::{BTreeMap, BTreeSet};
use support::{World, job, node, rolling};

const NODES: usize = 5;

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPERTY_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(48),
        failure_persistence: None,
        rng_seed: if cases.is_none() {
            RngSeed::Fixed(1)
        } else {
            RngSeed::Random
        },
        ..ProptestConfig::default()
    }
}

/// What a job asks for beside processor and memory.
#[derive(Clone, Copy, Debug)]
struct Shape {
    kind: usize,
    update: Option<(i64, i64)>,
    port: bool,
    cores: bool,
    device: bool,
    constraint: bool,
    distinct_hosts: bool,
    distinct_property: bool,
    spread: bool,
    silent: Option<bool>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let flags = any::<[bool; 7]>();
    let update = prop::option::of((1..4i64, 0..3i64));
    (0..4usize, update, flags, prop::option::of(any::<bool>())).prop_map(
        |(kind, update, [port, cores, device, constraint, hosts, property, spread], silent)| {
            Shape {
                kind,
                update,
                port,
                cores,
                device,
                constraint,
                distinct_hosts: hosts && !property,
                distinct_property: property && !hosts,
                spread,
                silent,
            }
        },
    )
}

fn declare(shape: Shape) -> Job {
    let kinds = [
        job_type::SERVICE,
        job_type::SERVICE,
        job_type::BATCH,
        job_type::SYSTEM,
    ];
    let kind = kinds[shape.kind];
    let mut job = job("web", kind, 3);
    let group = &mut job.task_groups[0];
    if kind == job_type::SYSTEM {
        group.count = 1;
    } else {
        group.reschedule_policy = Some(ReschedulePolicy {
            delay: Duration::from_secs(30),
            delay_function: delay_function::EXPONENTIAL.into(),
            max_delay: Duration::from_secs(120),
            unlimited: true,
            ..ReschedulePolicy::default()
        });
    }
    if kind != job_type::BATCH {
        group.update = shape
            .update
            .map(|(parallel, canary)| rolling(parallel, canary));
    }
    if kind == job_type::SERVICE {
        group.disconnect = shape.silent.map(|replace| DisconnectStrategy {
            lost_after: Duration::from_secs(600),
            replace: Some(replace),
            ..DisconnectStrategy::default()
        });
    }
    if shape.port {
        let port = |label: &str, value| Port {
            label: label.into(),
            value,
            ..Port::default()
        };
        group.networks = vec![NetworkResource {
            dynamic_ports: vec![port("http", 0)],
            reserved_ports: if shape.cores {
                vec![port("db", 5432)]
            } else {
                vec![]
            },
            ..NetworkResource::default()
        }];
    }
    let asked = &mut group.tasks[0].resources;
    if shape.cores {
        (asked.cores, asked.cpu) = (1, 0);
    }
    if shape.device {
        asked.devices = vec![RequestedDevice {
            name: "gpu".into(),
            count: 1,
            ..RequestedDevice::default()
        }];
    }
    let rule = |left: &str, operand: &str, right: &str| Constraint {
        l_target: left.into(),
        operand: operand.into(),
        r_target: right.into(),
    };
    if shape.constraint {
        group.constraints.push(rule("${meta.rack}", "!=", "r1"));
    }
    if shape.distinct_hosts {
        job.constraints.push(rule("", operand::DISTINCT_HOSTS, ""));
    }
    if shape.distinct_property && kind != job_type::SYSTEM {
        job.constraints
            .push(rule("${meta.rack}", operand::DISTINCT_PROPERTY, "2"));
    }
    if shape.spread {
        job.spreads = vec![Spread {
            attribute: "${meta.rack}".into(),
            ..Spread::default()
        }];
    }
    job
}

#[derive(Clone, Debug)]
enum Event {
    Count(i64),
    User(u8),
    KillTimeout(i64),
    Down(usize),
    Silent(usize),
    Ready(usize),
    New(usize),
    Failed(usize),
    Running,
    Healthy,
    Promote,
    Migrate(usize),
    Other(i64),
    Pass(i64),
    Refuse(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..9i64).prop_map(Event::Count),
        any::<u8>().prop_map(Event::User),
        (1..9i64).prop_map(Event::KillTimeout),
        (0..NODES).prop_map(Event::Down),
        (0..NODES).prop_map(Event::Silent),
        (0..NODES).prop_map(Event::Ready),
        (NODES..8usize).prop_map(Event::New),
        (0..9usize).prop_map(Event::Failed),
        Just(Event::Running),
        Just(Event::Healthy),
        Just(Event::Promote),
        (0..9usize).prop_map(Event::Migrate),
        (0..9i64).prop_map(Event::Other),
        (1..200i64).prop_map(Event::Pass),
        (0..NODES).prop_map(Event::Refuse),
    ]
}

fn cluster() -> World {
    let mut world = World::new(0);
    for number in 0..NODES {
        let mut node = node(number);
        let resources = node.node_resources.as_mut().expect("resources");
        resources.devices = vec![NodeDeviceResource {
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
        node.computed_class = computed_class(&node);
        world.add_node(node);
    }
    world.evict_for_services();
    world
}

fn id_of(number: usize) -> NodeId {
    node(number).id
}

fn status(world: &mut World, number: usize, status: NodeStatus) {
    world.set_node_status(id_of(number), status);
    for id in ["web", "other"] {
        if world.state.job(&World::key(id)).is_some() {
            world.evaluate(id, trigger::NODE_UPDATE);
        }
    }
}

fn happen(world: &mut World, web: &mut Job, event: Event) {
    match event {
        Event::Count(count) => {
            let most = if web.r#type == job_type::SYSTEM { 1 } else { 9 };
            web.task_groups[0].count = count.min(most);
            world.register(web.clone());
        }
        Event::User(value) => {
            web.task_groups[0].tasks[0].user = value.to_string();
            world.register(web.clone());
        }
        Event::KillTimeout(seconds) => tell_in_place(world, web, seconds),
        Event::Down(number) => status(world, number, NodeStatus::Down),
        Event::Silent(number) => status(world, number, NodeStatus::Disconnected),
        Event::Ready(number) => {
            status(world, number, NodeStatus::Ready);
            world.clients("web", ClientStatus::Running);
            world.evaluate("web", trigger::RECONNECT);
        }
        Event::New(number) => world.add_node(node(number)),
        Event::Failed(at) => {
            world.clients_of("web", ClientStatus::Failed, Some(at));
            world.evaluate("web", trigger::ALLOC_FAILURE);
        }
        Event::Running => world.clients("web", ClientStatus::Running),
        Event::Healthy => {
            world.run_healthy("web");
        }
        Event::Promote => {
            world.run_healthy("web");
            if world.may_promote("web") {
                world.promote("web");
            }
        }
        Event::Migrate(at) => world.migrate("web", at),
        Event::Other(count) => {
            let mut other = job("other", job_type::SERVICE, count);
            other.priority = 20;
            world.register(other);
        }
        Event::Pass(seconds) => world.pass(seconds),
        Event::Refuse(number) => world.refuse = Some((id_of(number), 1)),
    }
    world.unblock();
}

/// A change that is told to what runs moves nothing.
fn tell_in_place(world: &mut World, web: &mut Job, seconds: i64) {
    let places = |world: &World| -> BTreeMap<AllocId, NodeId> {
        world
            .live("web")
            .iter()
            .map(|alloc| (alloc.id, alloc.node_id))
            .collect()
    };
    let before = places(world);
    web.task_groups[0].tasks[0].kill_timeout = Duration::from_secs(seconds);
    world.register(web.clone());
    for (id, node) in places(world) {
        if let Some(was) = before.get(&id) {
            assert_eq!(*was, node, "in place never moves");
        }
    }
}

/// What the job's constraints say of where its allocations are.
fn check_constraints(world: &World, shape: Shape) {
    let live = world.live("web");
    let kept: Vec<_> = live
        .iter()
        .filter(|alloc| !alloc.terminal_status())
        .collect();
    let rack = |alloc: &Allocation| {
        let node = world.state.node(&alloc.node_id);
        node.and_then(|node| node.meta.get("rack").cloned())
    };
    if shape.constraint {
        assert!(
            kept.iter()
                .all(|alloc| rack(alloc).as_deref() != Some("r1")),
            "a constraint holds"
        );
    }
    if shape.distinct_hosts {
        let hosts: BTreeSet<NodeId> = kept.iter().map(|alloc| alloc.node_id).collect();
        assert_eq!(hosts.len(), kept.len(), "distinct_hosts holds");
    }
    if shape.distinct_property && shape.kind != 3 {
        let mut racks: BTreeMap<String, usize> = BTreeMap::new();
        for alloc in &kept {
            *racks.entry(rack(alloc).unwrap_or_default()).or_default() += 1;
        }
        assert!(
            racks.values().all(|count| *count <= 2),
            "distinct_property holds: {racks:?}"
        );
    }
}

/// All nodes are back and everybody says how they are, until nothing changes any more.
fn calm_down(world: &mut World) {
    for number in 0..NODES {
        status(world, number, NodeStatus::Ready);
    }
    let mut quiet = 0;
    for _ in 0..60 {
        let plans = world.plans;
        world.clients("web", ClientStatus::Running);
        world.clients_if_any("other", ClientStatus::Running);
        world.evaluate("web", trigger::RECONNECT);
        world.healthy("web");
        world.reschedule_failed("web");
        if world.may_promote("web") {
            world.promote("web");
        }
        world.pass(700);
        world.unblock();
        quiet = if world.plans == plans { quiet + 1 } else { 0 };
        if quiet == 2 {
            return;
        }
    }
    panic!("it never settles");
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn nothing_is_overfull_and_constraints_hold_and_all_settles(
        shape in shape(),
        events in prop::collection::vec(event(), 1..14),
    ) {
        let mut world = cluster();
        let mut web = declare(shape);
        world.register(web.clone());
        for event in events {
            happen(&mut world, &mut web, event);
            world.check_nodes();
            check_constraints(&world, shape);
        }
        calm_down(&mut world);
        world.check_nodes();
        let plans = world.plans;
        world.evaluate("web", trigger::NODE_UPDATE);
        prop_assert_eq!(world.plans, plans, "a second look at what is settled does nothing");
        let names = world.names("web");
        let once: BTreeSet<&String> = names.iter().collect();
        // While a deployment waits for something that finds no place, so does all that comes after it, and
        // canaries share names with what they are to replace.
        let latest = world.state.latest_deployment(&World::key("web"));
        let rolling = latest.is_some_and(|latest| latest.is_active());
        if web.r#type != job_type::SYSTEM && !rolling {
            prop_assert_eq!(once.len(), names.len(), "each name once");
            let count = usize::try_from(web.task_groups[0].count).expect("a count");
            prop_assert!(names.len() <= count, "no more than asked for");
            if web.r#type == job_type::SERVICE {
                let missing = world.last_eval("web").queued_allocations.get("g").copied();
                let missing = usize::try_from(missing.unwrap_or(0)).expect("a count");
                prop_assert_eq!(names.len() + missing, count, "what is not placed is waited for");
            }
        }
    }

    #[test]
    fn what_is_settled_is_seen_at_one_look(count in 1..9i64, rolls in any::<bool>()) {
        let mut world = cluster();
        let mut web = job("web", job_type::SERVICE, count);
        web.task_groups[0].update = rolls.then(|| rolling(9, 0));
        world.register(web);
        world.run_healthy("web");
        let eval = Evaluation::clone(&world.last_eval("web"));
        let looks = Evaluation { annotate_plan: true, ..eval.clone() };
        let settings = world.settings();
        let short = schedule(&world.state, &eval, &settings);
        let long = schedule(&world.state, &looks, &settings);
        let ignored = short.plan.annotations.as_ref().map(|a| a.desired_tg_updates["g"].ignore);
        prop_assert_eq!(ignored, Some(count.unsigned_abs()));
        prop_assert_eq!(short, long);
    }

    #[test]
    fn the_same_arguments_give_the_same_plan(shape in shape(), count in 1..12i64, seed in any::<u64>()) {
        let mut world = cluster();
        let mut web = declare(shape);
        web.task_groups[0].count = 0;
        world.register(web.clone());
        web.task_groups[0].count = if shape.kind == 3 { 1 } else { count };
        world.store(web);
        let eval = Evaluation::clone(&world.last_eval("web"));
        let settings = Settings { now: world.now, seed, ..Settings::default() };
        let plan = |state: &caravan_state::State| {
            serde_json::to_string(&schedule(state, &eval, &settings).plan).expect("a plan")
        };
        let restored = caravan_state::State::restore(&world.state.dump()).expect("a dump");
        prop_assert_eq!(plan(&world.state), plan(&world.state));
        prop_assert_eq!(plan(&world.state), plan(&restored), "wherever its nodes lie");
    }
}
