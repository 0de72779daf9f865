//! Tasks that misbehave harm themselves: they are ended and reported, and the agent and its other tasks go on.

use serde_json::{Value, json};

use crate::support::{Agent, no_agent, shell_job, skipped, until};

/// An agent whose node offers the driver `exec`; why there is none.
fn agent(test: &str, extra: &str) -> Option<Agent> {
    if skipped(test, no_agent()) {
        return None;
    }
    let agent = Agent::start(extra);
    let nodes = agent.get("/v1/nodes").expect("nodes");
    let usable = nodes[0]["Drivers"]["exec"]["Healthy"] == true;
    (!skipped(
        test,
        (!usable).then_some("the driver exec needs root and cgroups"),
    ))
    .then_some(agent)
}

fn exec_job(id: &str, kind: &str, megabytes: i64, line: &str) -> Value {
    let mut job = shell_job(id, kind, 1, line);
    let task = &mut job["TaskGroups"][0]["Tasks"][0];
    task["Driver"] = json!("exec");
    task["Resources"]["MemoryMB"] = json!(megabytes);
    job
}

fn event(allocation: &Value, kind: &str) -> Value {
    let events = allocation["TaskStates"]["t"]["Events"].as_array().cloned();
    let found = events
        .unwrap_or_default()
        .into_iter()
        .find(|event| event["Type"] == kind);
    found.unwrap_or_else(|| panic!("no event {kind}: {allocation}"))
}

#[test]
fn a_memory_hog_is_told_as_such() {
    let Some(agent) = agent("a_memory_hog_is_told_as_such", "") else {
        return;
    };
    let hog = "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done";
    agent
        .register(&exec_job("hog", "batch", 24, hog))
        .expect("registered");
    let allocation = agent.until_allocations("hog", "failed", 1).remove(0);
    let ended = event(&allocation, "Terminated");
    assert_eq!(ended["Details"]["oom_killed"], "true", "{ended}");
    assert_eq!(ended["Details"]["exit_code"], "137", "{ended}");
    let id = allocation["ID"].as_str().expect("an id");
    let shown = agent.ok(&["alloc", "status", id]);
    assert!(shown.contains("OOM Killed"), "{shown}");
}

#[test]
fn a_fork_bomb_leaves_the_agent_and_its_neighbours_alone() {
    let test = "a_fork_bomb_leaves_the_agent_and_its_neighbours_alone";
    let limit = "plugin \"exec\" { config { pids_limit = 200 } }";
    let Some(agent) = agent(test, limit) else {
        return;
    };
    agent
        .register(&exec_job(
            "neighbour",
            "service",
            32,
            "while true; do echo here; sleep 0.05; done",
        ))
        .expect("registered");
    agent.until_allocations("neighbour", "running", 1);
    let bomb = "trap '' INT TERM; bomb() { bomb | bomb & }; bomb; exec sleep 3600";
    agent
        .register(&exec_job("bomb", "service", 64, bomb))
        .expect("registered");
    let allocation = agent.until_allocations("bomb", "running", 1).remove(0);
    let id = allocation["ID"].as_str().expect("an id").to_owned();
    until("the agent still knows what the bomb uses", || {
        agent.get(&format!("/v1/client/allocation/{id}/stats")).ok()
    });
    agent.ok(&["job", "stop", "-detach", "bomb"]);
    until("the bomb is over", || {
        let allocation = agent.get(&format!("/v1/allocation/{id}")).ok()?;
        (allocation["TaskStates"]["t"]["State"] == "dead").then_some(())
    });
    let neighbour = agent.until_allocations("neighbour", "running", 1).remove(0);
    assert_eq!(neighbour["TaskStates"]["t"]["Restarts"], 0);
}

/// Who starts an agent may have files and pipes open.
#[test]
fn nothing_that_the_agent_inherited_reaches_its_tasks() {
    if skipped(
        "nothing_that_the_agent_inherited_reaches_its_tasks",
        no_agent(),
    ) {
        return;
    }
    let mut agent = Agent::prepare("");
    let secret = agent.path("secret");
    agent.launch_after(&format!("exec 9>{}", secret.display()));
    agent.wait_ready();
    let line = "ls /proc/$$/fd; echo $PPID > local/supervisor; exec sleep 3600";
    agent
        .register(&shell_job("holds", "service", 1, line))
        .expect("registered");
    let running = agent.until_allocations("holds", "running", 1);
    let id = running[0]["ID"].as_str().expect("an id");
    let local = agent.path("data").join("alloc").join(id).join("t/local");
    let supervisor = until("the task has looked", || {
        let text = std::fs::read_to_string(local.join("supervisor")).ok()?;
        text.trim().parse::<u32>().ok()
    });
    let held = until("what it held", || {
        let said = agent.nomad(&["alloc", "logs", id]).stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        (said.lines().count() >= 3).then_some(said)
    });
    assert_eq!(held, "0\n1\n2\n");
    let files = std::fs::read_dir(format!("/proc/{supervisor}/fd")).expect("listed");
    for file in files.flatten() {
        assert_ne!(
            std::fs::read_link(file.path()).ok().as_ref(),
            Some(&secret),
            "the supervisor holds what the agent inherited"
        );
    }
}
