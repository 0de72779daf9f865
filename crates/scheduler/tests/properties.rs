//! What holds whatever happens: capacity, convergence, quiet when settled, the same plan from the same arguments.

mod support;

use caravan_model::*;
use caravan_scheduler::{Settings, schedule};
use proptest::prelude::*;
use support::{World, job, node};

#[derive(Clone, Debug)]
enum Event {
    Count(i64),
    Environment(u8),
    KillTimeout(i64),
    NodeDown(usize),
    NodeReady(usize),
    NewNode(usize),
    Failures,
    Running,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0..12i64).prop_map(Event::Count),
        any::<u8>().prop_map(Event::Environment),
        (1..9i64).prop_map(Event::KillTimeout),
        (0..4usize).prop_map(Event::NodeDown),
        (0..4usize).prop_map(Event::NodeReady),
        (4..8usize).prop_map(Event::NewNode),
        Just(Event::Failures),
        Just(Event::Running),
    ]
}

fn id_of(number: usize) -> NodeId {
    node(number).id
}

fn happen(world: &mut World, web: &mut Job, event: Event) {
    match event {
        Event::Count(count) => {
            web.task_groups[0].count = count;
            world.register(web.clone());
        }
        Event::Environment(value) => {
            web.task_groups[0].tasks[0]
                .env
                .insert("V".into(), value.to_string());
            world.register(web.clone());
        }
        Event::KillTimeout(seconds) => {
            web.task_groups[0].tasks[0].kill_timeout = Duration::from_secs(seconds);
            world.register(web.clone());
        }
        Event::NodeDown(number) => {
            world.set_node_status(id_of(number), NodeStatus::Down);
            world.evaluate("web", trigger::NODE_UPDATE);
        }
        Event::NodeReady(number) => {
            world.set_node_status(id_of(number), NodeStatus::Ready);
            world.unblock();
            world.evaluate("web", trigger::NODE_UPDATE);
        }
        Event::NewNode(number) => {
            world.add_node(node(number));
            world.unblock();
        }
        Event::Failures => {
            world.clients("web", ClientStatus::Failed);
            world.evaluate("web", trigger::ALLOC_FAILURE);
            world.pass(100);
        }
        Event::Running => world.clients("web", ClientStatus::Running),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nodes_are_never_overfull_and_the_job_converges(events in prop::collection::vec(event(), 1..12)) {
        let mut world = World::new(4);
        let mut web = job("web", job_type::SERVICE, 4);
        web.task_groups[0].reschedule_policy = Some(ReschedulePolicy {
            delay: Duration::from_secs(30),
            delay_function: delay_function::CONSTANT.into(),
            unlimited: true,
            ..ReschedulePolicy::default()
        });
        world.register(web.clone());
        for event in events {
            happen(&mut world, &mut web, event);
            world.check_nodes();
        }
        for number in 0..4 {
            world.set_node_status(id_of(number), NodeStatus::Ready);
        }
        world.evaluate("web", trigger::NODE_UPDATE);
        world.unblock();
        world.pass(100);
        let wanted = usize::try_from(web.task_groups[0].count).expect("a count");
        prop_assert_eq!(world.live("web").len(), wanted);
        let names: std::collections::BTreeSet<String> = world.names("web").into_iter().collect();
        prop_assert_eq!(names.len(), wanted, "each name once");
        let plans = world.plans;
        world.evaluate("web", trigger::NODE_UPDATE);
        prop_assert_eq!(world.plans, plans, "a settled job needs no plan");
    }

    #[test]
    fn the_same_arguments_give_the_same_plan(count in 1..12i64, seed in any::<u64>()) {
        let mut world = World::new(5);
        world.register(job("web", job_type::SERVICE, 0));
        let mut web = job("web", job_type::SERVICE, count);
        web.task_groups[0].networks = vec![NetworkResource {
            dynamic_ports: vec![Port { label: "p".into(), ..Port::default() }],
            ..NetworkResource::default()
        }];
        let mut state = world.state.clone();
        let index = state.index() + 1;
        let register = caravan_state::Command::RegisterJob {
            job: std::sync::Arc::new(web),
            submission: None,
            eval: None,
            policy_ids: vec![],
            now: world.now,
        };
        state.apply(index, register).expect("the state takes the job");
        let eval = Evaluation::clone(&world.last_eval("web"));
        let settings = Settings { now: world.now, seed };
        let plan = || serde_json::to_string(&schedule(&state, &eval, &settings).plan).expect("a plan");
        prop_assert_eq!(plan(), plan());
    }
}
