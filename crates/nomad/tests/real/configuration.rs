//! What `nomad agent` says of a configuration that it cannot start with, and of what is in its way.

use std::process::{Command, Stdio};

use crate::support::{Agent, binary, no_agent, skipped, until};

/// Runs `nomad agent` with these arguments; exit code and both streams.
fn agent(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(binary())
        .arg("agent")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr),
    )
}

#[test]
fn mistakes_are_refused_by_name() {
    if skipped("mistakes_are_refused_by_name", no_agent()) {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("a.hcl");
    std::fs::write(&file, "client {\n  enabledd = true\n}\n").expect("written");
    let file = file.display().to_string();
    let unknown = format!(
        "==> Error loading configuration from {file}: {file}:2:3: client: unexpected key \"enabledd\"; did you mean \"enabled\"?"
    );
    for (args, expected) in [
        (&["-dev", "-config", &file][..], unknown.as_str()),
        (
            &[],
            "==> Must specify either server, client or dev mode for the agent.",
        ),
        (
            &["-client"],
            "==> Must specify \"data_dir\" config option or \"data-dir\" CLI flag",
        ),
        (&["-dev", "-sever"], "flag provided but not defined: -sever"),
        (
            &["-dev", "-config=/nonexistent.hcl"],
            "==> Error loading configuration from /nonexistent.hcl: stat /nonexistent.hcl: no such file or directory",
        ),
    ] {
        let (code, text) = agent(args);
        assert_eq!(code, Some(1), "{args:?}: {text}");
        assert!(text.contains(expected), "{args:?}: {text}");
    }
}

#[test]
fn a_second_agent_on_the_same_folder_refuses() {
    if skipped("a_second_agent_on_the_same_folder_refuses", no_agent()) {
        return;
    }
    let first = Agent::start("");
    let mut second = Agent::prepare(&format!("data_dir = \"{}\"", first.path("data").display()));
    second.launch();
    assert_eq!(second.wait(), Some(1), "{}", second.log());
    let data = first.path("data").display().to_string();
    assert!(
        second.log().contains(&data),
        "the folder is named: {}",
        second.log()
    );
    assert!(first.get("/v1/nodes").is_ok(), "the first goes on");
}

#[test]
fn a_taken_port_is_named() {
    if skipped("a_taken_port_is_named", no_agent()) {
        return;
    }
    let mut agent = Agent::prepare("");
    let holder = std::net::TcpListener::bind(("127.0.0.1", agent.ports[0])).expect("free");
    agent.launch();
    assert_eq!(agent.wait(), Some(1), "{}", agent.log());
    assert!(
        agent.log().contains(&agent.ports[0].to_string()),
        "{}",
        agent.log()
    );
    drop(holder);
}

#[test]
fn the_start_is_announced() {
    if skipped("the_start_is_announced", no_agent()) {
        return;
    }
    let agent = Agent::start("");
    let expected = [
        format!(
            "==> Loaded configuration from {}",
            agent.path("agent.hcl").display()
        ),
        "==> Starting Nomad agent...".to_owned(),
        "==> Nomad agent configuration:".to_owned(),
        format!(
            "            Bind Addrs: HTTP: [127.0.0.1:{}]",
            agent.ports[0]
        ),
        "==> Nomad agent started! Log data will stream in below:".to_owned(),
    ];
    for line in expected {
        until(&line, || agent.log().contains(&line).then_some(()));
    }
    let shown = agent.get("/v1/agent/self").expect("self");
    assert_eq!(shown["config"]["NodeName"], "tested");
}
