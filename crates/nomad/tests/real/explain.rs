//! `nomad job explain` on real agents: what an operator reads when something waits, was evicted or fails.

use serde_json::{Value, json};

use crate::separate::{client, server};
use crate::support::{Agent, no_agent, shell_job, skipped, until};

const SLEEP: &str = "exec sleep 1000";

/// Two nodes of two classes, on which nobody gets port 18099.
fn two_nodes(extra: &str) -> (Agent, [Agent; 2]) {
    let mut agent = server("s", 1, &[], "");
    let clients = [("one", "alpha"), ("two", "beta")].map(|(name, class)| {
        let more = format!(
            "client {{ node_class = \"{class}\" {extra} reserved {{ reserved_ports = \"18099\" }} }}"
        );
        client(name, &[agent.ports[1]], &more)
    });
    agent.wait_ready();
    until("both nodes are ready", || {
        let nodes = agent.get("/v1/nodes").ok()?;
        let ready = nodes.as_array()?.iter();
        (ready.filter(|node| node["Status"] == "ready").count() == 2).then_some(())
    });
    (agent, clients)
}

fn explained(agent: &Agent, job: &str) -> (String, Value) {
    let text = agent.ok(&["job", "explain", job]);
    let object = agent.ok(&["job", "explain", "-json", job]);
    (text, serde_json::from_str(&object).expect("an object"))
}

/// The explanation of a job once so many of its allocations wait.
fn once_waiting(agent: &Agent, job: &str, waiting: i64) -> (String, Value) {
    until(&format!("{waiting} of {job} wait"), || {
        let evals = agent.get(&format!("/v1/job/{job}/evaluations")).ok()?;
        let mut evals = evals.as_array()?.iter();
        evals.find(|eval| eval["Status"] == "blocked")?;
        let told = explained(agent, job);
        (told.1["TaskGroups"][0]["Waiting"] == waiting).then_some(told)
    })
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn what_stands_in_the_way_is_told_with_what_would_help() {
    if skipped(
        "what_stands_in_the_way_is_told_with_what_would_help",
        no_agent(),
    ) {
        return;
    }
    let (agent, _clients) = two_nodes("");
    let job = |id: &str, change: &dyn Fn(&mut Value)| {
        let mut job = shell_job(id, "service", 1, SLEEP);
        change(&mut job["TaskGroups"][0]);
        agent.register(&job).expect("registered");
        once_waiting(&agent, id, 1)
    };

    let (text, told) = job("class", &|group| {
        group["Constraints"] =
            json!([{"LTarget": "${node.class}", "Operand": "=", "RTarget": "gamma"}]);
    });
    says(
        &text,
        &[
            "Of 2 nodes that took new work in pool \"default\" and the job's datacenters: 2 ruled out, 0 full.",
            "${node.class} = gamma: ruled out 2 nodes",
            "class \"alpha\": 1 node of it ruled out",
            "class \"beta\": 1 node of it ruled out",
            "A node for which this holds: ${node.class} = gamma.",
        ],
    );
    let group = &told["TaskGroups"][0];
    assert_eq!(group["Nodes"]["Filtered"], 2, "{told:#}");
    assert_eq!(group["Blockers"][0]["What"], "${node.class} = gamma");

    let (text, _) = job("port", &|group| {
        group["Networks"] = json!([{"ReservedPorts": [{"Label": "http", "Value": 18099}]}]);
    });
    says(
        &text,
        &[
            "network: reserved port collision http=18099: not enough left on 2 nodes",
            "Port 18099 (\"http\") on one of the 2 nodes that are fit otherwise",
        ],
    );
    let (text, _) = job("device", &|group| {
        group["Tasks"][0]["Resources"]["Devices"] = json!([{"Name": "nvidia/gpu", "Count": 2}]);
    });
    says(
        &text,
        &[
            "missing devices: ruled out 2 nodes",
            "A node that has these healthy devices: 2 nvidia/gpu.",
        ],
    );
    let (text, _) = job("cores", &|group| {
        group["Tasks"][0]["Resources"] = json!({"Cores": 5000, "MemoryMB": 16});
    });
    says(
        &text,
        &["5000 cores that no task has reserved on one of the 2 nodes"],
    );
    let (text, _) = job("memory", &|group| {
        group["Tasks"][0]["Resources"]["MemoryMB"] = json!(20000);
    });
    says(
        &text,
        &["20000 MiB of free memory on one of the 2 nodes that are fit otherwise."],
    );
    let (text, _) = job("driver", &|group| {
        group["Tasks"][0]["Driver"] = json!("none-such");
    });
    says(&text, &["A node that has a healthy driver none-such."]);
}

#[test]
fn where_work_went_and_which_nodes_take_none() {
    if skipped("where_work_went_and_which_nodes_take_none", no_agent()) {
        return;
    }
    let (agent, _clients) = two_nodes("");
    let mut job = shell_job("liked", "service", 1, SLEEP);
    job["Affinities"] =
        json!([{"LTarget": "${node.class}", "Operand": "=", "RTarget": "beta", "Weight": 100}]);
    agent.register(&job).expect("registered");
    agent.until_allocations("liked", "running", 1);
    let (text, told) = explained(&agent, "liked");
    let placement = &told["TaskGroups"][0]["Placements"][0];
    assert_eq!(placement["NodeName"], "two", "{told:#}");
    assert_eq!(placement["NextName"], "one", "{told:#}");
    assert_eq!(placement["Decisive"], "node-affinity", "{told:#}");
    says(&text, &["Why There", "node-affinity"]);

    for node in agent
        .get("/v1/nodes")
        .expect("nodes")
        .as_array()
        .expect("a list")
    {
        let id = node["ID"].as_str().expect("an id");
        agent.ok(&["node", "eligibility", "-disable", id]);
    }
    agent
        .register(&shell_job("late", "service", 2, SLEEP))
        .expect("registered");
    let (text, told) = once_waiting(&agent, "late", 2);
    says(
        &text,
        &[
            "The pool has 2 nodes, but none that was.",
            "Nodes That Take No New Work Now",
            "one: ineligible",
            "two: ineligible",
        ],
    );
    assert_eq!(told["NodesOutOfService"].as_array().map(Vec::len), Some(2));

    // What stands in the way is told anew once it is something else.
    for node in agent
        .get("/v1/nodes")
        .expect("nodes")
        .as_array()
        .expect("a list")
    {
        let id = node["ID"].as_str().expect("an id");
        agent.ok(&["node", "eligibility", "-enable", id]);
    }
    agent.until_allocations("late", "running", 2);
    let (_, told) = explained(&agent, "late");
    assert_eq!(told["TaskGroups"][0]["Waiting"], 0, "{told:#}");
}

#[test]
fn who_was_evicted_by_whom_and_what_failed() {
    if skipped("who_was_evicted_by_whom_and_what_failed", no_agent()) {
        return;
    }
    let (agent, _clients) = two_nodes("");
    agent.ok(&[
        "operator",
        "scheduler",
        "set-config",
        "-preempt-service-scheduler=true",
    ]);
    let sized = |id: &str, priority: i64, count: i64| {
        let mut job = shell_job(id, "service", count, SLEEP);
        job["Priority"] = priority.into();
        job["TaskGroups"][0]["Tasks"][0]["Resources"] = json!({"CPU": 4500, "MemoryMB": 16});
        agent.register(&job).expect("registered");
        agent.until_allocations(id, "running", usize::try_from(count).expect("few"));
    };
    sized("low", 20, 4);
    sized("high", 80, 1);
    let (text, told) = once_waiting(&agent, "low", 1);
    says(
        &text,
        &[
            "What Was Evicted",
            "made room for allocation",
            "of job \"high\" (priority 80)",
            "4500 MHz of free cpu on one of the 2 nodes that are fit otherwise.",
        ],
    );
    assert_eq!(told["TaskGroups"][0]["Evicted"][0]["ByJob"], "high");
    let (_, told) = explained(&agent, "high");
    let evicts = &told["TaskGroups"][0]["Placements"][0]["Evicts"];
    assert_eq!(evicts.as_array().map(Vec::len), Some(1), "{told:#}");

    agent
        .register(&shell_job("sick", "service", 1, "exit 3"))
        .expect("registered");
    agent.until_allocations("sick", "failed", 1);
    let (text, told) = explained(&agent, "sick");
    says(
        &text,
        &[
            "What Does Not Run",
            "is failed: task \"t\": Terminated: Exit Code: 3",
            "it is not tried again as its reschedule policy is",
        ],
    );
    assert_eq!(told["TaskGroups"][0]["Failed"], 1);
}

#[test]
fn a_system_job_names_the_nodes_that_it_waits_for() {
    if skipped("a_system_job_names_the_nodes_that_it_waits_for", no_agent()) {
        return;
    }
    let (agent, _clients) = two_nodes("");
    let mut job = shell_job("everywhere", "system", 1, SLEEP);
    job["TaskGroups"][0]["ReschedulePolicy"] = Value::Null;
    job["TaskGroups"][0]["Tasks"][0]["Resources"] = json!({"CPU": 90000, "MemoryMB": 16});
    agent.register(&job).expect("registered");
    let (text, told) = once_waiting(&agent, "everywhere", 2);
    says(
        &text,
        &[
            "Nodes That It Waits For",
            "* one",
            "* two",
            "90000 MHz of free cpu",
        ],
    );
    assert_eq!(told["TaskGroups"][0]["Wanted"], 2, "one on each node");
}
