//! Agents that are killed at whatever moment, and one that is replaced: each task runs once, and goes on.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::support::{Agent, binary, shell_job, until};

fn id(allocation: &Value) -> String {
    allocation["ID"].as_str().expect("an id").to_owned()
}

fn alive(pid: &str) -> bool {
    Path::new(&format!("/proc/{}", pid.trim())).exists()
}

/// The processes that a task ever was.
fn pids(agent: &Agent, alloc: &str) -> Vec<String> {
    let file = agent.path(&format!("data/alloc/{alloc}/t/local/pids"));
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The moments are those at which more and more of a job's tasks have begun.
#[test]
fn an_agent_killed_at_any_moment_runs_each_task_once() {
    const COUNT: usize = 5;
    let mut agent = Agent::start("");
    for begun in 0..=COUNT {
        let job = format!("round-{begun}");
        let line = "echo $$ >> local/pids; exec sleep 3600";
        agent
            .register(&shell_job(&job, "service", 5, line))
            .expect("registered");
        until("so many tasks have begun", || {
            let all = agent.get(&format!("/v1/job/{job}/allocations")).ok()?;
            let ids: Vec<String> = all.as_array()?.iter().map(id).collect();
            let there = ids.iter().filter(|alloc| !pids(&agent, alloc).is_empty());
            (ids.len() == COUNT && there.count() >= begun).then_some(())
        });
        if begun == COUNT {
            agent.until_allocations(&job, "running", COUNT);
        }
        agent.kill();
        agent.launch();
        agent.wait_ready();
    }
    for begun in 0..=COUNT {
        for allocation in agent.until_allocations(&format!("round-{begun}"), "running", COUNT) {
            let alloc = id(&allocation);
            let once = until("one process of the task is there, and one only", || {
                let all = pids(&agent, &alloc);
                let there: Vec<&String> = all.iter().filter(|pid| alive(pid)).collect();
                (there.len() == 1).then_some(all.len())
            });
            // One that the kill met in its start may have been started anew; one that is known to run goes on.
            if begun == COUNT {
                assert_eq!(
                    (once, &allocation["TaskStates"]["t"]["Restarts"]),
                    (1, &0.into())
                );
            }
        }
    }
}

/// The file of the program is taken away and another one is put there, as package managers do.
#[test]
fn an_upgrade_goes_under_running_tasks() {
    let mut agent = Agent::prepare("");
    let program = agent.path("nomad");
    std::fs::copy(binary(), &program).expect("copied");
    agent.program.clone_from(&program);
    agent.launch();
    agent.wait_ready();
    let count =
        "echo $$ >> local/pids; i=0; while true; do i=$((i+1)); echo line $i; sleep 0.1; done";
    agent
        .register(&shell_job("steady", "service", 3, count))
        .expect("registered");
    let line = "while [ ! -e local/go ]; do sleep 0.1; done; exit 7";
    agent
        .register(&shell_job("ends", "batch", 1, line))
        .expect("registered");
    let running = |agent: &Agent| -> BTreeMap<String, Vec<String>> {
        let all = agent.until_allocations("steady", "running", 3);
        let of = |alloc: String| {
            let pids = until("its number", || {
                Some(pids(agent, &alloc)).filter(|all| !all.is_empty())
            });
            (alloc, pids)
        };
        all.iter().map(id).map(of).collect()
    };
    let before = running(&agent);
    let ending = id(&agent.until_allocations("ends", "running", 1)[0]);

    agent.signal("TERM");
    agent.wait();
    std::fs::remove_file(&program).expect("removed");
    let go = agent.path(&format!("data/alloc/{ending}/t/local/go"));
    std::fs::write(go, "").expect("written");
    std::fs::copy(binary(), &program).expect("copied");
    agent.launch();
    agent.wait_ready();

    assert_eq!(running(&agent), before);
    assert!(before.values().flatten().all(|pid| alive(pid)));
    for allocation in agent.until_allocations("steady", "running", 3) {
        assert_eq!(allocation["TaskStates"]["t"]["Restarts"], 0);
        // What supervises it is the program of before, and understands the new one.
        let alloc = id(&allocation);
        let line = [
            "alloc",
            "exec",
            "-i=false",
            "-t=false",
            &alloc,
            "/bin/echo",
            "inside",
        ];
        assert_eq!(agent.ok(&line), "inside\n");
        assert!(agent.ok(&["alloc", "logs", &alloc]).starts_with("line 1\n"));
    }
    let failed = agent.until_allocations("ends", "failed", 1).remove(0);
    let events = failed["TaskStates"]["t"]["Events"].to_string();
    assert!(events.contains("Exit Code: 7"), "{events}");
}
