//! How tasks of a group end each other, and how time ends them all.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::clock::{Clock, PATIENT};
use crate::support::{Agent, PATIENCE, no_agent, shell_job, skipped, until};

const SECOND: i64 = 1_000_000_000;

/// A task that writes its name when it is told to end, and ends a moment later.
fn ends(name: &str) -> Value {
    let line = format!(
        "trap 'echo {name} >> $NOMAD_ALLOC_DIR/data/order; sleep 0.3; echo {name} is gone >> $NOMAD_ALLOC_DIR/data/order; exit 0' INT\n\
         echo up > local/up; while true; do sleep 0.05; done"
    );
    let mut task = shell_job("", "batch", 1, &line)["TaskGroups"][0]["Tasks"][0].take();
    task["Name"] = json!(name);
    task
}

/// A job of a leader, another task, one beside them and one after them.
fn job(id: &str, leader: &str) -> Value {
    let mut job = shell_job(id, "batch", 1, "");
    let tasks = &mut job["TaskGroups"][0]["Tasks"];
    *tasks = json!([ends("leader"), ends("other"), ends("beside"), ends("after")]);
    tasks[0]["Leader"] = json!(true);
    if !leader.is_empty() {
        tasks[0]["Config"]["args"][1] = json!(leader);
    }
    tasks[2]["Lifecycle"] = json!({"Hook": "prestart", "Sidecar": true});
    tasks[3]["Lifecycle"] = json!({"Hook": "poststop"});
    tasks[3]["Config"]["args"][1] = json!("echo after >> $NOMAD_ALLOC_DIR/data/order");
    job
}

fn file(agent: &Agent, alloc: &Value, path: &str) -> PathBuf {
    let id = alloc["ID"].as_str().expect("an id");
    agent.path(&format!("data/alloc/{id}/{path}"))
}

/// Its allocation, once its tasks hear what they are told.
fn running(agent: &Agent, job: &str, tasks: &[&str]) -> Value {
    let alloc = agent.until_allocations(job, "running", 1).remove(0);
    for task in tasks {
        let up = file(agent, &alloc, &format!("{task}/local/up"));
        until("it hears", || up.exists().then_some(()));
    }
    alloc
}

/// What its tasks wrote when they were told to end, so far.
fn order(agent: &Agent, alloc: &Value) -> String {
    std::fs::read_to_string(file(agent, alloc, "alloc/data/order")).unwrap_or_default()
}

/// What was told of a task, in order.
fn told(alloc: &Value, task: &str) -> Vec<String> {
    let events = alloc["TaskStates"][task]["Events"].as_array().cloned();
    let texts = events.unwrap_or_default().into_iter().map(|event| {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        format!("{}: {}", text("Type"), text("DisplayMessage"))
    });
    texts.collect()
}

fn position(told: &[String], what: &str) -> usize {
    let found = told.iter().position(|text| text == what);
    found.unwrap_or_else(|| panic!("{what}: {told:?}"))
}

#[test]
fn the_end_of_a_leader_ends_the_others_in_order() {
    let test = "the_end_of_a_leader_ends_the_others_in_order";
    if skipped(test, no_agent()) {
        return;
    }
    let agent = Agent::start("");
    let leads = "until [ -e local/go ]; do sleep 0.05; done";
    agent.register(&job("led", leads)).expect("registered");
    let alloc = running(&agent, "led", &["other", "beside"]);
    std::fs::write(file(&agent, &alloc, "leader/local/go"), "").expect("written");
    let alloc = agent.until_allocations("led", "complete", 1).remove(0);
    assert_eq!(
        order(&agent, &alloc),
        "other\nother is gone\nbeside\nbeside is gone\nafter\n"
    );
    for task in ["other", "beside"] {
        let told = told(&alloc, task);
        let places = [
            "Leader Task Dead: Leader Task in Group dead",
            "Killing: Sent interrupt. Waiting 5s before force killing",
            "Terminated: Exit Code: 0",
            "Killed: Task successfully killed",
        ]
        .map(|what| position(&told, what));
        assert!(places.is_sorted(), "{told:?}");
    }
    for task in ["leader", "after"] {
        let told = told(&alloc, task);
        assert!(!told.iter().any(|text| text.contains("Kill")), "{told:?}");
    }
}

/// The first allocation that the events tell to have run for too long, and why.
fn timeout_told(agent: &Agent) -> (String, String) {
    let stream = TcpStream::connect(("127.0.0.1", agent.ports[0])).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let head = "GET /v1/event/stream?topic=Allocation&index=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    (&stream).write_all(head.as_bytes()).expect("asked");
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let told = lines.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let mut told = told.filter_map(|batch| {
        let events = batch["Events"].as_array().cloned().unwrap_or_default();
        let mut payloads = events.into_iter().map(|event| event["Payload"].clone());
        payloads.find(|payload| payload["Timeout"] == true)
    });
    let told = told.next().expect("it is told");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (
        text(&told["Allocation"]["ID"]),
        text(&told["TimeoutReason"]),
    )
}

#[test]
fn an_allocation_that_runs_too_long_is_ended() {
    let test = "an_allocation_that_runs_too_long_is_ended";
    if skipped(test, no_agent()) {
        return;
    }
    let mut agent = Agent::prepare(PATIENT);
    let Some((clock, before)) = Clock::make(agent.dir.path()) else {
        skipped(test, Some("there is no C compiler"));
        return;
    };
    agent.launch_after(&before);
    agent.wait_ready();
    let limited = |id: &str, seconds: i64| {
        let mut job = job(id, "");
        job["TaskGroups"][0]["MaxRunDuration"] = json!(seconds * SECOND);
        job
    };
    let all = ["leader", "other", "beside"];
    agent.register(&limited("long", 3600)).expect("registered");
    agent
        .register(&limited("changed", 36_000))
        .expect("registered");
    let long = running(&agent, "long", &all);
    let changed = running(&agent, "changed", &all);
    clock.pass(3000);
    // An agent that starts anew gives it no more time.
    agent.kill();
    agent.launch_after(&before);
    agent.wait_ready();
    for job in ["long", "changed"] {
        agent.until_allocations(job, "running", 1);
    }
    assert!(!file(&agent, &long, "alloc/data/order").exists());
    clock.pass(700);
    let ended = agent.until_allocations("long", "failed", 1).remove(0);
    assert_eq!(ended["ID"], long["ID"]);
    until("it is tidied up after", || {
        order(&agent, &long).ends_with("after\n").then_some(())
    });
    assert_eq!(
        order(&agent, &long),
        "leader\nleader is gone\nother\nother is gone\nbeside\nbeside is gone\nafter\n"
    );
    let ended = until("all of it is told", || {
        let id = long["ID"].as_str()?;
        let alloc = agent.get(&format!("/v1/allocation/{id}")).ok()?;
        (alloc["TaskStates"]["after"]["State"] == "dead").then_some(alloc)
    });
    for task in all {
        let told = told(&ended, task);
        let places = [
            "Killing: max_run_duration of 1h0m0s exceeded",
            "Terminated: Exit Code: 0",
            "Killed: Task successfully killed",
        ]
        .map(|what| position(&told, what));
        assert!(places.is_sorted(), "{told:?}");
        assert_eq!(ended["TaskStates"][task]["Failed"], true, "{task}");
    }
    assert_eq!(ended["TaskStates"]["after"]["Failed"], false);
    let (id, why) = timeout_told(&agent);
    assert_eq!(ended["ID"], id.as_str());
    assert_eq!(why, "max_run_duration of 1h0m0s exceeded");
    // One that has run for longer than a new version allows ends in its place.
    assert!(!file(&agent, &changed, "alloc/data/order").exists());
    agent
        .register(&limited("changed", 1800))
        .expect("registered");
    let ended = agent.until_allocations("changed", "failed", 1).remove(0);
    assert_eq!(ended["ID"], changed["ID"]);
}
