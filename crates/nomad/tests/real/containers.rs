//! Containers beside those that tasks run in: ones that nobody knows of any more, ones of others, and ones whose output goes
//! elsewhere.

use std::net::UdpSocket;
use std::process::Command;

use serde_json::{Value, json};

use crate::clock::{Clock, PATIENT};
use crate::support::{Agent, PATIENCE, no_agent, no_docker, shell_job, skipped, until};

/// What a command of the engine says, if it succeeds.
fn docker(args: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(args).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

/// Containers that go when the test does.
#[derive(Default)]
struct Containers(Vec<String>);

impl Containers {
    /// One that an agent with these labels might have made.
    fn run(&mut self, labels: &[String]) -> String {
        let labels = labels.iter().flat_map(|label| ["--label", label.as_str()]);
        let args = ["run", "-d", "--network", "none"].into_iter();
        let args: Vec<&str> = args
            .chain(labels)
            .chain(["redis:4.0", "sleep", "3600"])
            .collect();
        let id = docker(&args).expect("it starts");
        self.0.push(id.clone());
        id
    }

    fn is_there(id: &str) -> bool {
        docker(&["inspect", "-f", "{{.State.Running}}", id]).as_deref() == Some("true")
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        let all: Vec<&str> = self.0.iter().map(String::as_str).collect();
        docker(&[["rm", "-f"].as_slice(), &all].concat());
    }
}

fn id(alloc: &Value) -> String {
    alloc["ID"].as_str().expect("an id").to_owned()
}

/// A job of one container.
fn job(id: &str, kind: &str, config: Value) -> Value {
    let mut job = shell_job(id, kind, 1, "");
    let task = &mut job["TaskGroups"][0]["Tasks"][0];
    task["Driver"] = json!("docker");
    task["Config"] = json!({"image": "redis:4.0", "network_mode": "none"});
    for (key, value) in config.as_object().expect("options") {
        task["Config"][key] = value.clone();
    }
    job
}

/// The container of a job's allocation.
fn container_of(agent: &Agent, job: &str) -> String {
    let alloc = id(&agent.until_allocations(job, "running", 1)[0]);
    docker(&["inspect", "-f", "{{.Id}}", &format!("t-{alloc}")]).expect("its container")
}

fn node(agent: &Agent) -> String {
    until("the node has found the engine", || {
        let nodes = agent.get("/v1/nodes").ok()?;
        let healthy = nodes[0]["Drivers"]["docker"]["Healthy"] == true;
        healthy.then(|| nodes[0]["ID"].as_str().map(str::to_owned))?
    })
}

/// Lets so many seconds pass, until the agent has looked for containers once more.
fn look(agent: &Agent, clock: &Clock, seconds: i64) {
    let looks = || {
        agent
            .log()
            .matches("looked for dangling containers")
            .count()
    };
    let before = looks();
    clock.pass(seconds);
    until("it looks", || (looks() > before).then_some(()));
}

#[test]
fn containers_that_nobody_knows_of_are_removed_and_those_of_others_stay() {
    let test = "containers_that_nobody_knows_of_are_removed_and_those_of_others_stay";
    if skipped(test, no_agent().or_else(no_docker)) {
        return;
    }
    let mut agent = Agent::prepare(&format!(
        "{PATIENT}\nplugin \"docker\" {{ config {{ gc {{ dangling_containers {{ period = \"1m\" }} }} }} }}"
    ));
    let Some((clock, before)) = Clock::make(agent.dir.path()) else {
        skipped(test, Some("there is no C compiler"));
        return;
    };
    agent.launch_after(&before);
    agent.wait_ready();
    let own = node(&agent);
    let sleeps = json!({"command": "sleep", "args": ["3600"]});
    let start = |agent: &Agent, name: &str| {
        let job = job(name, "service", sleeps.clone());
        agent.register(&job).expect("registered");
        container_of(agent, name)
    };
    let lost = start(&agent, "lost");
    let mut containers = Containers(vec![lost.clone()]);
    // All that it knew is lost, but for who it is.
    agent.kill();
    let kept = ["client-id", "secret-id"].map(|name| agent.path(&format!("data/client/{name}")));
    let identity = kept.clone().map(|file| std::fs::read(file).expect("read"));
    std::fs::remove_dir_all(agent.path("data/server")).expect("removed");
    std::fs::remove_dir_all(agent.path("data/client")).expect("removed");
    std::fs::create_dir(agent.path("data/client")).expect("made");
    for (file, content) in kept.iter().zip(identity) {
        std::fs::write(file, content).expect("written");
    }
    agent.launch_after(&before);
    agent.wait_ready();
    assert_eq!(node(&agent), own, "the same node");
    let alloc = "com.hashicorp.nomad.alloc_id=11111111-1111-4111-8111-111111111111";
    let other = "com.hashicorp.nomad.node_id=22222222-2222-4222-8222-222222222222";
    let others = [
        containers.run(&[]),
        containers.run(&[alloc.to_owned()]),
        containers.run(&[alloc.to_owned(), other.to_owned()]),
    ];
    let of_node = format!("com.hashicorp.nomad.node_id={own}");
    let stray = containers.run(std::slice::from_ref(&of_node));
    // What was made just now may be on its way into somebody's knowledge. No task has been started yet.
    look(&agent, &clock, 61);
    assert!(Containers::is_there(&stray));
    let runs = start(&agent, "runs");
    containers.0.push(runs.clone());
    look(&agent, &clock, 301);
    for (what, gone) in [("lost", &lost), ("stray", &stray)] {
        assert!(docker(&["inspect", gone]).is_none(), "{what} is gone");
    }
    for other in &others {
        assert!(Containers::is_there(other), "another's stays");
    }
    assert!(Containers::is_there(&runs), "that of a task stays");
    let running = agent.until_allocations("runs", "running", 1).remove(0);
    assert_eq!(running["TaskStates"]["t"]["Restarts"], 0, "{running}");
    // One that is to keep the containers of ended tasks keeps those of tasks that it forgot, too.
    let [ended, goes_on] = [(); 2].map(|()| containers.run(std::slice::from_ref(&of_node)));
    docker(&["kill", &ended]).expect("killed");
    agent.kill();
    let config = std::fs::read_to_string(agent.path("agent.hcl")).expect("read");
    let config = config.replace("gc {", "gc { container = false\n");
    std::fs::write(agent.path("agent.hcl"), config).expect("written");
    agent.launch_after(&before);
    agent.wait_ready();
    assert_eq!(node(&agent), own, "the same node");
    look(&agent, &clock, 361);
    assert!(docker(&["inspect", &goes_on]).is_none(), "it is gone");
    assert!(docker(&["inspect", &ended]).is_some(), "it is kept");
}

/// A task whose output the engine gives to somebody else, and what is said where it is looked for.
#[test]
fn output_that_goes_elsewhere() {
    let test = "output_that_goes_elsewhere";
    if skipped(test, no_agent().or_else(no_docker)) {
        return;
    }
    let agent = Agent::start("");
    let says = |name: &str, logging: Value| {
        let config = json!({"command": "echo", "args": ["a line of a task"], "logging": logging});
        let job = job(name, "batch", config);
        agent.register(&job).expect("registered");
        let alloc = id(&agent.until_allocations(name, "complete", 1)[0]);
        agent.nomad(&["alloc", "logs", &alloc])
    };
    let listener = UdpSocket::bind("127.0.0.1:0").expect("a port");
    listener.set_read_timeout(Some(PATIENCE)).expect("set");
    let address = format!("udp://{}", listener.local_addr().expect("bound"));
    let shown = says(
        "syslog",
        json!([{"type": "syslog", "config": {"syslog-address": address, "tag": "caravan"}}]),
    );
    let mut heard = [0; 2048];
    let count = listener.recv(&mut heard).expect("a message");
    let heard = String::from_utf8_lossy(&heard[..count]).into_owned();
    assert!(heard.contains("caravan"), "{heard}");
    assert!(heard.contains("a line of a task"), "{heard}");
    assert!(!shown.status.success());
    let why = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(
        why.contains("its output goes to the engine's logging driver \"syslog\""),
        "{why}"
    );
    let journal = [
        "run",
        "--rm",
        "--network",
        "none",
        "--log-driver",
        "journald",
    ];
    let journal = docker(&[&journal, ["redis:4.0", "true"].as_slice()].concat());
    let missing = journal.is_none().then_some("the engine has no journal");
    if !skipped("output_that_goes_elsewhere (journald)", missing) {
        let shown = says("journald", json!([{"type": "journald"}]));
        let said = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert_eq!(said, "a line of a task\n", "{shown:?}");
    }
    for name in ["syslog", "journald"] {
        drop(agent.nomad(&["job", "stop", "-purge", "-detach", name]));
    }
    let label = format!("label=com.hashicorp.nomad.node_id={}", node(&agent));
    until("no container is left", || {
        docker(&["ps", "-aq", "--filter", &label]).filter(String::is_empty)
    });
}
