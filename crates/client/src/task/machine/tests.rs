//! The life of a task, told by inputs.

use caravan_driver::ExitResult;

use super::*;

const SECOND: i64 = 1_000_000_000;

fn policy() -> RestartPolicy {
    RestartPolicy {
        attempts: 1,
        interval: Duration::from_secs(600),
        delay: Duration::from_secs(4),
        mode: "fail".into(),
        render_templates: false,
    }
}

fn machine(batch: bool) -> TaskMachine {
    let task = Task {
        name: "t".into(),
        kill_timeout: Duration::from_secs(5),
        ..Task::default()
    };
    TaskMachine::new(
        &task,
        policy(),
        batch,
        Duration::from_secs(30),
        UnixNanos(0),
        1,
    )
}

fn at(seconds: i64) -> UnixNanos {
    UnixNanos(seconds * SECOND)
}

fn run(machine: &mut TaskMachine) {
    assert_eq!(
        machine.handle(Input::Go, at(1)),
        [Action::Prepare { again: false }]
    );
    assert_eq!(
        machine.handle(Input::Prepared(Ok(())), at(1)),
        [Action::Start]
    );
    assert_eq!(
        machine.handle(Input::Started(Ok(())), at(1)),
        [Action::Announce]
    );
    assert!(machine.is_running());
}

fn types(machine: &TaskMachine) -> Vec<&str> {
    machine
        .state
        .events
        .iter()
        .map(|event| &*event.r#type)
        .collect()
}

#[test]
fn a_batch_task_runs_and_ends() {
    let mut task = machine(true);
    run(&mut task);
    let actions = task.handle(Input::Exited(ExitResult::exited(0)), at(3));
    assert_eq!(actions, [Action::Withdraw, Action::Clean, Action::Finish]);
    assert_eq!(types(&task), ["Received", "Started", "Terminated"]);
    assert!(task.is_dead() && task.state.successful());
    assert_eq!(task.state.started_at.0, SECOND);
    assert_eq!(task.state.finished_at.0, 3 * SECOND);
}

#[test]
fn a_failing_task_restarts_after_its_delay_and_then_fails() {
    let mut task = machine(false);
    run(&mut task);
    task.handle(Input::Exited(ExitResult::exited(2)), at(2));
    assert_eq!(task.state.state, TaskPhase::Pending);
    let wake = task.wake_at().unwrap();
    assert!(wake >= at(6) && wake <= at(7));
    assert_eq!(task.handle(Input::Tick, at(3)), []);
    assert_eq!(
        task.handle(Input::Tick, wake),
        [Action::Prepare { again: true }]
    );
    task.handle(Input::Prepared(Ok(())), wake);
    task.handle(Input::Started(Ok(())), wake);
    task.handle(Input::Exited(ExitResult::exited(2)), wake);
    assert!(task.is_dead() && task.state.failed);
    assert_eq!(task.state.restarts, 1);
    let expected = [
        "Received",
        "Started",
        "Terminated",
        "Restarting",
        "Started",
        "Terminated",
        "Not Restarting",
    ];
    assert_eq!(types(&task), expected);
}

#[test]
fn a_killed_task_gets_its_delay_and_is_told_to_end() {
    let mut task = machine(false);
    task.shutdown_delay = Duration::from_secs(3);
    run(&mut task);
    let kill = || Input::Kill {
        why: None,
        no_delay: false,
    };
    assert_eq!(task.handle(kill(), at(10)), [Action::Withdraw]);
    assert_eq!(task.wake_at(), Some(at(13)));
    let stop = Action::Stop {
        timeout: Duration::from_secs(5),
    };
    assert_eq!(task.handle(Input::Tick, at(13)), [stop]);
    task.handle(Input::Exited(ExitResult::signalled(2)), at(14));
    assert!(task.is_dead() && !task.state.failed);
    let expected = [
        "Received",
        "Started",
        "Waiting for shutdown delay",
        "Killing",
        "Terminated",
        "Killed",
    ];
    assert_eq!(types(&task), expected);
    assert_eq!(task.handle(kill(), at(15)), []);
}

#[test]
fn a_kill_while_it_is_prepared_breaks_that_off() {
    let mut task = machine(false);
    task.handle(Input::Go, at(1));
    assert_eq!(
        task.handle(
            Input::Kill {
                why: None,
                no_delay: false
            },
            at(2)
        ),
        [Action::Abandon]
    );
    task.handle(
        Input::Prepared(Err(Failure {
            event: None,
            recoverable: true,
            kills: false,
        })),
        at(2),
    );
    assert!(task.is_dead() && !task.state.failed);
}

#[test]
fn what_kills_a_task_before_its_start_is_told_and_not_tried_again() {
    let mut task = machine(false);
    task.handle(Input::Go, at(1));
    let why = TaskEvent::new(event::KILLING, at(2)).kill_reason("Template failed: (dynamic)");
    task.handle(
        Input::Prepared(Err(Failure {
            event: Some(why),
            recoverable: false,
            kills: true,
        })),
        at(2),
    );
    assert!(task.is_dead() && task.state.failed);
    assert_eq!(types(&task).last(), Some(&event::KILLING));
}

#[test]
fn a_kill_that_says_why_is_told_once() {
    let mut task = machine(false);
    run(&mut task);
    let why = TaskEvent::new(event::KILLING, at(5)).kill_reason("Template failed: (dynamic)");
    let kill = Input::Kill {
        why: Some(why),
        no_delay: false,
    };
    task.handle(kill, at(5));
    let told = types(&task);
    assert_eq!(
        told.iter().filter(|kind| **kind == event::KILLING).count(),
        1
    );
}

#[test]
fn a_kill_while_it_starts_takes_effect_once_it_runs() {
    let mut task = machine(false);
    task.handle(Input::Go, at(1));
    task.handle(Input::Prepared(Ok(())), at(1));
    assert_eq!(
        task.handle(
            Input::Kill {
                why: None,
                no_delay: false
            },
            at(2)
        ),
        []
    );
    let actions = task.handle(Input::Started(Ok(())), at(3));
    assert_eq!(
        actions,
        [Action::Stop {
            timeout: Duration::from_secs(5)
        }]
    );
}

#[test]
fn a_restart_that_was_asked_for_is_at_once_and_not_a_failure() {
    let mut task = machine(false);
    run(&mut task);
    let why = TaskEvent::new(event::RESTART_SIGNAL, at(2));
    task.handle(
        Input::Restart {
            why,
            failure: false,
            dead_too: false,
        },
        at(2),
    );
    let actions = task.handle(Input::Exited(ExitResult::signalled(2)), at(3));
    assert_eq!(actions, [Action::Clean, Action::Prepare { again: true }]);
    assert_eq!(
        types(&task),
        [
            "Received",
            "Started",
            "Restart Signaled",
            "Terminated",
            "Restarting"
        ]
    );
}

#[test]
fn a_stop_that_fails_is_tried_again_later_and_given_up() {
    let mut task = machine(false);
    run(&mut task);
    task.handle(
        Input::Kill {
            why: None,
            no_delay: false,
        },
        at(10),
    );
    let mut now = at(10);
    for wait in [5, 20, 80, 120] {
        task.handle(Input::StopFailed("no".into()), now);
        assert_eq!(task.wake_at(), Some(after(now, Duration::from_secs(wait))));
        now = after(now, Duration::from_secs(wait));
        assert!(matches!(
            task.handle(Input::Tick, now)[..],
            [Action::Stop { .. }]
        ));
    }
    task.handle(Input::StopFailed("no".into()), now);
    assert!(task.is_dead() && task.state.failed);
}

#[test]
fn a_readopted_task_runs_on_without_a_new_event() {
    let mut task = machine(false);
    run(&mut task);
    let stored = task.state.clone();
    let mut task = machine(false);
    task.restore(stored.clone());
    task.handle(Input::Readopted, at(20));
    assert_eq!(task.state, stored);
    task.handle(Input::Exited(ExitResult::exited(1)), at(21));
    assert_eq!(task.state.restarts, 1);
}

#[test]
fn a_readopted_task_whose_start_was_not_noted_is_known_to_run() {
    let mut task = machine(false);
    task.restore(caravan_model::TaskState::default());
    task.handle(Input::Readopted, at(20));
    assert_eq!(task.state.state, caravan_model::TaskPhase::Running);
    assert!(!task.state.started_at.is_zero());
    task.handle(Input::Exited(ExitResult::exited(1)), at(21));
    assert_eq!(task.state.restarts, 1);
}

#[test]
fn a_clock_that_was_set_makes_no_wait_longer_or_shorter() {
    const HOUR: i64 = 3600;
    for jump in [HOUR, -HOUR] {
        let mut task = machine(true);
        run(&mut task);
        task.handle(Input::Exited(ExitResult::exited(1)), at(10));
        let before = task.wake_at().unwrap().0;
        task.shift(Duration::from_secs(0));
        assert_eq!(task.wake_at().unwrap().0, before);
        task.shift(Duration(jump * SECOND));
        let due = task.wake_at().unwrap();
        assert_eq!(due.0 - before, jump * SECOND);
        assert!(task.handle(Input::Tick, UnixNanos(due.0 - 1)).is_empty());
        assert_eq!(
            task.handle(Input::Tick, due),
            [Action::Prepare { again: true }]
        );
    }
}

#[test]
fn what_kills_a_task_may_fail_it() {
    for fails in [true, false] {
        let mut task = machine(false);
        run(&mut task);
        let mut why = TaskEvent::new(event::KILLING, at(2)).kill_reason("a template failed");
        if fails {
            why = why.fails_task();
        }
        let kill = Input::Kill {
            why: Some(why),
            no_delay: false,
        };
        task.handle(kill, at(2));
        task.handle(Input::Exited(ExitResult::exited(0)), at(3));
        assert!(task.is_dead());
        assert_eq!(task.state.failed, fails);
    }
}
