//! What `nomad agent` says of a configuration that it cannot start with, and of what is in its way.

use std::process::{Command, Stdio};

use crate::support::{Agent, binary, until};

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
fn a_hang_up_reloads_the_log_level() {
    let mut agent = Agent::prepare("");
    let file = agent.path("agent.hcl");
    let text = std::fs::read_to_string(&file).expect("written before");
    let quiet = text.replace("\"DEBUG\"", "\"ERROR\"");
    std::fs::write(&file, quiet).expect("written");
    agent.launch();
    agent.wait_ready();
    assert!(!agent.log().contains("[INFO]"), "{}", agent.log());
    std::fs::write(&file, text.replace("\"DEBUG\"", "\"INFO\"")).expect("written");
    agent.signal("HUP");
    until("the level has changed", || {
        agent.log().contains("configuration reloaded").then_some(())
    });
    std::fs::write(&file, "nonsense = 1").expect("written");
    agent.signal("HUP");
    until("what is wrong is said", || {
        agent.log().contains("nonsense").then_some(())
    });
    assert!(agent.get("/v1/nodes").is_ok(), "the agent goes on");
}

#[test]
fn totals_and_reservations_take_effect() {
    let agent = Agent::start(
        "client { reserved { cpu = 500 memory = 300 disk = 100 reserved_ports = \"22,8000-8002\" }\n\
         min_dynamic_port = 21000 max_dynamic_port = 21009 node_class = \"big\" meta { rack = \"r1\" } }",
    );
    let nodes = agent.get("/v1/nodes").expect("nodes");
    let id = nodes[0]["ID"].as_str().expect("an id").to_owned();
    let node = agent.get(&format!("/v1/node/{id}")).expect("the node");
    assert_eq!(node["NodeResources"]["Cpu"]["CpuShares"], 100_000);
    assert_eq!(node["NodeResources"]["Memory"]["MemoryMB"], 100_000);
    assert_eq!(node["NodeResources"]["MinDynamicPort"], 21_000);
    assert_eq!(node["NodeResources"]["MaxDynamicPort"], 21_009);
    let reserved = &node["ReservedResources"];
    assert_eq!(reserved["Cpu"]["CpuShares"], 500);
    assert_eq!(reserved["Memory"]["MemoryMB"], 300);
    assert_eq!(reserved["Disk"]["DiskMB"], 100);
    assert_eq!(reserved["Networks"]["ReservedHostPorts"], "22,8000-8002");
    assert_eq!(node["NodeClass"], "big");
    assert_eq!(node["Meta"]["rack"], "r1");
}

#[test]
fn connections_of_one_address_are_limited() {
    let agent = Agent::start("limits { http_max_conns_per_client = 3 }");
    let open = || std::net::TcpStream::connect(("127.0.0.1", agent.ports[0])).expect("accepted");
    // One that is open may itself have been refused: those that came before it end when the agent notices.
    let mut held = vec![open(), open(), open()];
    until("a connection too many is refused", || {
        held.push(open());
        matches!(agent.http("GET", "/v1/nodes", b""), Ok((429, _))).then_some(())
    });
    drop(held);
    until("and taken again when others have gone", || {
        agent.get("/v1/nodes").ok()
    });
}

#[test]
fn what_has_no_effect_yet_is_warned_about() {
    let agent = Agent::start("enable_syslog = true");
    until("it is said", || {
        agent.log().contains("enable_syslog").then_some(())
    });
}

#[test]
fn files_are_validated_without_an_agent() {
    let dir = tempfile::tempdir().expect("a folder");
    let validate = |text: &str| {
        let file = dir.path().join("a.hcl");
        std::fs::write(&file, text).expect("written");
        let output = Command::new(binary())
            .args(["config", "validate"])
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .expect("runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), text)
    };
    let (code, text) =
        validate("data_dir = \"/var/lib/nomad\"\nserver { enabled = true bootstrap_expect = 1 }");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("WARNING: Bootstrap mode enabled!"), "{text}");
    let (code, text) = validate("data_dir = \"/var/lib/nomad\"\nserver { enabled = true }");
    assert_eq!(
        code,
        Some(0),
        "other servers are joined to it later: {text}"
    );
    assert!(text.contains("WARNING: server.bootstrap_expect"), "{text}");
    let (code, text) =
        validate("data_dir = \"/var/lib/nomad\"\nserver { enabled = true\n colour = 1 }");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("a.hcl:3:2") && text.contains("colour"),
        "{text}"
    );
}

#[test]
fn the_start_is_announced() {
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
