//! Allocations told by events.

use super::*;
use caravan_driver::ExitResult;
use caravan_model::{Job, JobId, Lifecycle, TaskPhase, UpdateStrategy};

fn task(name: &str, hook: &str, sidecar: bool) -> Task {
    Task {
        name: name.into(),
        lifecycle: (!hook.is_empty()).then(|| Lifecycle {
            hook: hook.into(),
            sidecar,
        }),
        restart_policy: RestartPolicy {
            mode: "fail".into(),
            ..RestartPolicy::default()
        },
        ..Task::default()
    }
}

fn alloc(kind: &str, tasks: Vec<Task>) -> Allocation {
    alloc_with(kind, tasks, 0)
}

/// One that may run for so many seconds; 0: for ever.
fn alloc_with(kind: &str, tasks: Vec<Task>, most: i64) -> Allocation {
    let update = UpdateStrategy {
        health_check: "checks".into(),
        min_healthy_time: Duration::from_secs(10),
        healthy_deadline: Duration::from_secs(60),
        ..UpdateStrategy::default()
    };
    let group = TaskGroup {
        name: "g".into(),
        tasks,
        update: Some(update),
        max_run_duration: Some(Duration::from_secs(most)),
        ..TaskGroup::default()
    };
    let job = Job {
        id: JobId::from("j"),
        r#type: kind.into(),
        task_groups: vec![group],
        ..Job::default()
    };
    Allocation {
        task_group: "g".into(),
        deployment_id: caravan_model::DeploymentId::from_u128(1),
        job: Some(Arc::new(job)),
        ..Allocation::default()
    }
}

struct Story {
    machine: AllocMachine,
    now: i64,
    done: Vec<String>,
}

impl Story {
    fn new(kind: &str, tasks: Vec<Task>) -> Self {
        Self::of(&alloc(kind, tasks))
    }

    fn limited(tasks: Vec<Task>, most: i64) -> Self {
        Self::of(&alloc_with("batch", tasks, most))
    }

    fn of(alloc: &Allocation) -> Self {
        let group = alloc.job.as_ref().unwrap().task_groups[0].clone();
        let limits = Limits {
            max_kill_timeout: Duration::from_secs(30),
            consul: false,
        };
        let machine = AllocMachine::new(alloc, &group, limits, UnixNanos(0));
        let mut story = Self {
            machine,
            now: 1,
            done: Vec::new(),
        };
        story.event(Event::Begin);
        story.event(Event::SetUp(Ok(())));
        story
    }

    /// Hands the event in and lets preparing and starting succeed.
    fn event(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let now = UnixNanos(self.now * 1_000_000_000);
            for effect in self.machine.handle(event, now) {
                match effect {
                    Effect::Task(name, Action::Prepare { .. }) => {
                        events.push(Event::Task(name, Input::Prepared(Ok(()))));
                    }
                    Effect::Task(name, Action::Start) => {
                        self.done.push(format!("start {name}"));
                        events.push(Event::Task(name, Input::Started(Ok(()))));
                    }
                    Effect::Task(name, Action::Stop { .. }) => {
                        self.done.push(format!("stop {name}"))
                    }
                    Effect::TearDown => self.done.push("tear down".into()),
                    _ => {}
                }
            }
        }
    }

    fn exit(&mut self, name: &str, code: i32) {
        self.event(Event::Task(
            name.into(),
            Input::Exited(ExitResult::exited(code)),
        ));
    }

    fn did(&mut self) -> Vec<String> {
        std::mem::take(&mut self.done)
    }
}

fn stages() -> Vec<Task> {
    vec![
        task("init", "prestart", false),
        task("proxy", "prestart", true),
        task("main", "", false),
        task("after", "poststart", false),
        task("end", "poststop", false),
    ]
}

#[test]
fn tasks_start_in_the_order_of_their_stages() {
    let mut story = Story::new("batch", stages());
    let mut first = story.did();
    first.sort();
    assert_eq!(first, ["start init", "start proxy"]);
    story.exit("init", 0);
    assert_eq!(story.did(), ["start main", "start after"]);
    story.exit("after", 0);
    story.exit("main", 0);
    assert_eq!(story.did(), ["stop proxy"]);
    story.exit("proxy", 0);
    assert_eq!(story.did(), ["start end"]);
    story.exit("end", 0);
    assert_eq!(story.did(), ["tear down"]);
    assert_eq!(story.machine.client_status().0, ClientStatus::Complete);
}

#[test]
fn a_failed_prestart_task_fails_the_allocation_and_main_never_runs() {
    let mut story = Story::new("batch", stages());
    story.did();
    story.exit("init", 1);
    assert_eq!(story.did(), ["stop proxy"]);
    story.exit("proxy", 0);
    assert_eq!(story.did(), ["start end"]);
    assert_eq!(story.machine.client_status().0, ClientStatus::Failed);
    assert!(!story.machine.task("main").unwrap().has_run());
}

#[test]
fn a_stop_ends_the_leader_first_and_sidecars_last_and_then_runs_poststop() {
    let mut tasks = stages();
    let mut leader = task("leader", "", false);
    leader.leader = true;
    tasks.push(leader);
    let mut story = Story::new("service", tasks);
    story.exit("init", 0);
    story.did();
    story.event(Event::Stop {
        no_delay: false,
        all: false,
    });
    assert_eq!(story.did(), ["stop leader"]);
    story.exit("leader", 0);
    let mut next = story.did();
    next.sort();
    assert_eq!(next, ["stop after", "stop main"]);
    for name in ["after", "main"] {
        story.exit(name, 0);
    }
    assert_eq!(story.did(), ["stop proxy"]);
    story.exit("proxy", 0);
    assert_eq!(story.did(), ["start end"]);
}

#[test]
fn the_end_of_a_leader_ends_the_others_in_order() {
    let mut tasks = stages();
    tasks[2].leader = true;
    let mut story = Story::new("batch", tasks);
    story.exit("init", 0);
    story.did();
    story.exit("main", 0);
    assert_eq!(story.did(), ["stop after"]);
    story.exit("after", 0);
    assert_eq!(story.did(), ["stop proxy"]);
    story.exit("proxy", 0);
    assert_eq!(story.did(), ["start end"]);
    story.exit("end", 0);
    assert_eq!(story.machine.client_status().0, ClientStatus::Complete);
}

#[test]
fn one_that_runs_too_long_ends_in_order_and_is_tidied_up_after() {
    let mut story = Story::limited(stages(), 60);
    story.exit("init", 0);
    story.now = 60;
    story.event(Event::Tick);
    story.did();
    // Sixty seconds after its first task began: that was at 1.
    assert_eq!(story.machine.wake_at(), Some(UnixNanos(61_000_000_000)));
    story.now = 61;
    story.event(Event::Tick);
    let mut first = story.did();
    first.sort();
    assert_eq!(first, ["stop after", "stop main"]);
    story.exit("after", 143);
    story.exit("main", 143);
    assert_eq!(story.did(), ["stop proxy"]);
    story.exit("proxy", 143);
    assert_eq!(story.did(), ["start end"]);
    story.exit("end", 0);
    assert_eq!(story.machine.client_status().0, ClientStatus::Failed);
    let events = &story.machine.task("main").unwrap().state.events;
    let texts: Vec<_> = events.iter().map(|event| event.display_message()).collect();
    assert!(
        texts.contains(&"max_run_duration of 1m0s exceeded".into()),
        "{texts:?}"
    );
}

#[test]
fn an_agent_that_starts_anew_and_a_new_limit_give_no_more_time_than_is_left() {
    let mut old = Story::limited(vec![task("main", "", false)], 60);
    old.now = 50;
    old.event(Event::Tick);
    let (states, began) = (old.machine.task_states(), old.machine.began());
    for began in [began, None] {
        let mut new = Story::limited(vec![task("main", "", false)], 60);
        new.machine.restore(&states, None, began);
        assert_eq!(new.machine.run_until(), Some(UnixNanos(61_000_000_000)));
    }
    old.machine
        .update(&alloc_with("batch", vec![task("main", "", false)], 55));
    old.now = 56;
    old.event(Event::Tick);
    assert_eq!(old.did(), ["start main", "stop main"]);
}

#[test]
fn an_allocation_is_healthy_once_it_ran_long_enough() {
    let mut story = Story::new("service", vec![task("main", "", false)]);
    assert_eq!(story.machine.wake_at(), Some(UnixNanos(11_000_000_000)));
    story.now = 10;
    story.event(Event::Tick);
    assert_eq!(story.machine.deployment_status(), None);
    story.now = 11;
    story.event(Event::Tick);
    assert_eq!(
        story.machine.deployment_status().unwrap().healthy,
        Some(true)
    );
}

#[test]
fn a_failed_task_makes_it_unhealthy_at_once() {
    let mut story = Story::new("service", vec![task("main", "", false)]);
    story.exit("main", 1);
    assert_eq!(
        story.machine.deployment_status().unwrap().healthy,
        Some(false)
    );
    let events = &story.machine.task("main").unwrap().state.events;
    assert_eq!(
        events.last().unwrap().said().message,
        "Unhealthy because of failed task"
    );
}

#[test]
fn what_does_not_start_is_unhealthy_at_the_deadline() {
    let mut story = Story::new(
        "service",
        vec![task("init", "prestart", false), task("main", "", false)],
    );
    story.now = 61;
    story.event(Event::Tick);
    assert_eq!(
        story.machine.deployment_status().unwrap().healthy,
        Some(false)
    );
    let events = &story.machine.task("main").unwrap().state.events;
    assert_eq!(
        events.last().unwrap().said().message,
        "Task not running by healthy_deadline of 1m0s"
    );
}

#[test]
fn a_setup_that_fails_fails_every_task() {
    let mut story = Story::new("batch", vec![task("a", "", false), task("b", "", false)]);
    story.machine.phase = Phase::SettingUp;
    let mut story = Story {
        machine: story.machine,
        now: 2,
        done: Vec::new(),
    };
    story.event(Event::SetUp(Err("no disk".into())));
    assert_eq!(story.done, ["tear down"]);
    let state = &story.machine.task("a").unwrap().state;
    assert_eq!(state.state, TaskPhase::Dead);
    assert_eq!(state.events.last().unwrap().display_message(), "no disk");
}
