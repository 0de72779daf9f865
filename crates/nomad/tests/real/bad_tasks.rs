//! Jobs that are right and cannot run, and commands that are typed wrong: what is said, and what is left as it was.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Agent, no_docker, shell_job, skipped, until};

fn text(output: &Output) -> (String, String) {
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (read(&output.stdout), read(&output.stderr));
    assert!(
        !out.contains("panicked") && !err.contains("panicked"),
        "{out}{err}"
    );
    (out, err)
}

/// The texts of the events of a job's tasks.
fn events(agent: &Agent, job: &str) -> String {
    let allocations = agent
        .get(&format!("/v1/job/{job}/allocations"))
        .unwrap_or_default();
    allocations.to_string()
}

#[test]
fn an_image_that_nobody_has_fails_the_task_and_says_which() {
    if skipped(
        "an_image_that_nobody_has_fails_the_task_and_says_which",
        no_docker(),
    ) {
        return;
    }
    let agent = Agent::start("");
    let mut job = shell_job("noimage", "batch", 1, "true");
    job["TaskGroups"][0]["Tasks"][0]["Driver"] = json!("docker");
    job["TaskGroups"][0]["Tasks"][0]["Config"] = json!({"image": "localhost:1/nope:1"});
    agent.register(&job).expect("registered");
    agent.until_allocations("noimage", "failed", 1);
    let events = events(&agent, "noimage");
    assert!(
        events.contains("Driver Failure") && events.contains("localhost:1/nope:1"),
        "{events}"
    );
}

#[test]
fn a_template_that_does_not_parse_ends_the_task_and_restarts_are_no_help() {
    let agent = Agent::start("");
    let mut job = shell_job("broken", "batch", 1, "true");
    job["TaskGroups"][0]["RestartPolicy"]["Attempts"] = json!(3);
    job["TaskGroups"][0]["Tasks"][0]["Templates"] =
        json!([{"EmbeddedTmpl": "{{ range parseJSON `[1]` }}x", "DestPath": "local/out"}]);
    agent.register(&job).expect("registered");
    let ended = agent.until_allocations("broken", "failed", 1);
    let state = &ended[0]["TaskStates"]["t"];
    assert_eq!(state["Restarts"], 0);
    let last = state["Events"].as_array().and_then(|events| events.last());
    assert_eq!(
        last.map(|event| &event["DisplayMessage"]),
        Some(&json!(
            "Template failed: (dynamic): parse: template: :1: unexpected EOF"
        ))
    );
}

#[test]
fn a_static_port_is_given_once_for_each_address_and_the_others_wait_for_it() {
    let agent = Agent::start("");
    // More than the loopback interface has addresses: each of them has the port once.
    let count = 6_u8;
    let mut job = shell_job("port", "service", i64::from(count), "sleep 3600");
    let port = crate::support::free_port();
    job["TaskGroups"][0]["Networks"] =
        json!([{"ReservedPorts": [{"Label": "web", "Value": port}]}]);
    agent.register(&job).expect("registered");
    let shown = until("the others are said to wait", || {
        let shown = agent.ok(&["job", "status", "port"]);
        shown.contains("Placement Failure").then_some(shown)
    });
    assert!(shown.contains("reserved port collision"), "{shown}");
    let placed = agent.get("/v1/job/port/allocations").expect("allocations");
    let placed = placed.as_array().map_or(0, Vec::len);
    assert!(
        (1..usize::from(count)).contains(&placed),
        "{placed} allocations were placed"
    );
    agent.ok(&["job", "stop", "-detach", "port"]);
}

#[test]
fn an_agent_whose_port_is_taken_ends_and_says_which() {
    let agent = Agent::start("");
    let ports = agent.ports;
    let mut second = Agent::configured(|dir, own| {
        format!(
            "name = \"second\"\ndata_dir = \"{}\"\nbind_addr = \"127.0.0.1\"\n\
             ports {{ http = {} rpc = {} serf = {} }}\nserver {{ enabled = true bootstrap_expect = 1 }}\n",
            dir.join("data").display(),
            ports[0],
            own[1],
            own[2]
        )
    });
    second.launch();
    assert_eq!(second.wait(), Some(1));
    let log = second.log();
    assert!(
        log.contains(&format!("127.0.0.1:{}", ports[0])) && log.contains("in use"),
        "{log}"
    );
    assert!(agent.get("/v1/nodes").is_ok(), "the first goes on");
}

#[test]
fn flags_that_do_not_exist_are_named_with_the_help() {
    let agent = Agent::start("");
    let cases: [(&[&str], i32, &str); 5] = [
        (
            &["job", "run", "-nope", "x"],
            1,
            "flag provided but not defined: -nope",
        ),
        (
            &["job", "plan", "-nope", "x"],
            255,
            "flag provided but not defined: -nope",
        ),
        (
            &["job", "run", "-detach=perhaps", "x"],
            1,
            "invalid boolean value \"perhaps\" for -detach: parse error",
        ),
        (
            &["job", "run", "-eval-priority", "x", "y"],
            1,
            "invalid value \"x\" for flag -eval-priority: parse error",
        ),
        (
            &["job", "run", "-check-index"],
            1,
            "flag needs an argument: -check-index",
        ),
    ];
    for (args, code, message) in cases {
        let output = agent.nomad(args);
        let (out, err) = text(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
        assert!(err.contains(message), "{args:?}: {err}");
        assert!(out.starts_with("Usage: nomad job"), "{args:?}: {out}");
    }
    let output = agent.nomad(&["jib"]);
    assert_eq!(output.status.code(), Some(127));
    assert_eq!(agent.get("/v1/jobs").expect("jobs"), json!([]));
}

#[test]
fn a_check_index_of_another_version_leaves_the_job_alone() {
    let agent = Agent::start("");
    agent
        .register(&shell_job("kept", "service", 0, "true"))
        .expect("registered");
    // Its evaluation ends with the job at rest; nothing else changes it after that.
    let before = until("the job is at rest", || {
        agent
            .get("/v1/job/kept")
            .ok()
            .filter(|job| job["Status"] != "pending")
    });
    let changed: Value = json!({"Job": shell_job("kept", "service", 0, "false")});
    std::fs::write(agent.path("kept.json"), changed.to_string()).expect("written");
    let index = before["JobModifyIndex"].as_u64().expect("a number");
    let output = agent.nomad(&[
        "job",
        "run",
        "-json",
        "-check-index",
        &(index + 1).to_string(),
        "kept.json",
    ]);
    let (_, err) = text(&output);
    assert_eq!(output.status.code(), Some(1), "{err}");
    let expected = format!(
        "Enforcing job modify index {}: job exists with conflicting job modify index: {index}\nJob not updated\n",
        index + 1
    );
    assert_eq!(err, expected);
    assert_eq!(agent.get("/v1/job/kept").expect("the job"), before);
}

#[test]
fn prefixes_that_name_several_things_or_none_change_nothing() {
    let agent = Agent::start("");
    agent
        .register(&shell_job("one", "service", 2, "sleep 3600"))
        .expect("registered");
    agent.until_allocations("one", "running", 2);
    let cases: [(&[&str], &str); 6] = [
        (
            &["alloc", "stop", "00000000"],
            "No allocation(s) with prefix or id \"00000000\" found",
        ),
        (
            &["alloc", "stop", "0"],
            "Alloc ID must contain at least two characters.",
        ),
        (&["alloc", "restart", "zz"], "alloc lookup failed"),
        (
            &["node", "eligibility", "-disable", "00000000"],
            "No node(s) with prefix or id \"00000000\" found",
        ),
        (
            &["job", "stop", "nope"],
            "No job(s) with prefix or ID \"nope\" found",
        ),
        (
            &["deployment", "fail", "00000000"],
            "Deployment ID \"00000000\" matched no deployments",
        ),
    ];
    for (args, message) in cases {
        let output = agent.nomad(args);
        let (_, err) = text(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {err}");
        assert!(err.contains(message), "{args:?}: {err}");
    }
    assert_eq!(agent.allocations("one", "running").len(), 2);
}
