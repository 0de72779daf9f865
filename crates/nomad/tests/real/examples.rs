//! The job files of `examples/` do what they say.

use std::path::Path;
use std::process::Command;

use crate::support::{Agent, no_agent, no_docker, skipped, until};

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
        .display()
        .to_string()
}

#[test]
fn examples_that_need_a_shell() {
    let agent = Agent::start("");
    for (file, job, status) in [
        ("hello.nomad", "hello", "running"),
        ("once.nomad", "once", "complete"),
        ("everywhere.nomad", "everywhere", "running"),
    ] {
        agent.ok(&["job", "run", &example(file)]);
        agent.until_allocations(job, status, 1);
    }
    agent.ok(&["job", "run", &example("periodic.nomad")]);
    agent.ok(&["job", "periodic", "force", "report"]);
    until("the forced run is complete", || {
        let jobs = agent.get("/v1/jobs?prefix=report/periodic-").ok()?;
        jobs.as_array()?
            .iter()
            .any(|job| job["Status"] == "dead")
            .then_some(())
    });
}

#[test]
fn the_dispatch_example() {
    if skipped("the_dispatch_example", no_agent()) {
        return;
    }
    let agent = Agent::start("");
    agent.ok(&["job", "run", &example("dispatch.nomad")]);
    let words = agent.path("words");
    std::fs::write(&words, "first second third\n").expect("written");
    let words = words.display().to_string();
    let dispatch = |meta: &[&str], rest: &[&str]| {
        let meta = meta.iter().flat_map(|one| ["-meta", *one]);
        let args = ["job", "dispatch", "-detach"].into_iter().chain(meta);
        agent.nomad(
            &args
                .chain(["dispatch"])
                .chain(rest.iter().copied())
                .collect::<Vec<_>>(),
        )
    };
    let refused = |meta: &[&str], rest: &[&str], why: &str| {
        let output = dispatch(meta, rest);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(why), "{said}");
    };
    refused(&["who=ada"], &[], "Payload is not provided but required");
    refused(
        &[],
        &[&words],
        "Dispatch did not provide required meta keys: [who]",
    );
    refused(
        &["who=ada", "what=x"],
        &[&words],
        "Dispatch request included unpermitted metadata keys: [what]",
    );
    for (meta, said) in [
        (["who=ada"].as_slice(), "hello ada: 3 words\n"),
        (
            &["who=grace", "greeting=welcome"],
            "welcome grace: 3 words\n",
        ),
    ] {
        let output = dispatch(meta, &[&words]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let id = told
            .lines()
            .find_map(|line| line.strip_prefix("Dispatched Job ID = "));
        let id = id.unwrap_or_else(|| panic!("{output:?}"));
        let path = id.replace('/', "%2F");
        let alloc = agent.until_allocations(&path, "complete", 1).remove(0);
        let logs = agent.ok(&["alloc", "logs", alloc["ID"].as_str().expect("an id")]);
        assert_eq!(logs, said);
    }
    agent.ok(&["job", "stop", "-purge", "dispatch"]);
}

#[test]
fn the_actions_example() {
    if skipped("the_actions_example", no_agent()) {
        return;
    }
    let mut agent = Agent::start("");
    agent.ok(&["job", "run", "-detach", &example("actions.nomad")]);
    let alloc = agent.until_allocations("actions", "running", 1).remove(0);
    let id = alloc["ID"].as_str().expect("an id");
    let offered = agent.ok(&["job", "status", "actions"]);
    assert!(
        offered.contains("remember") && offered.contains("recall"),
        "{offered}"
    );
    let early = agent.nomad(&["action", "-job", "actions", "recall"]);
    assert!(
        !early.status.success(),
        "nothing is remembered yet: {early:?}"
    );
    agent.ok(&["action", "-job", "actions", "remember"]);
    let where_to = [
        "-job", "actions", "-group", "g", "-task", "serve", "-alloc", id,
    ];
    agent.ok(&[&["action"], where_to.as_slice(), &["remember"]].concat());
    for _ in 0..2 {
        let said = |action: &str| agent.ok(&["action", "-job", "actions", action]);
        assert_eq!(said("recall"), "serve was asked\nserve was asked\n");
        assert_eq!(said("where"), "on tested\n");
        // What an agent knows that took the task up again.
        agent.kill();
        agent.launch();
        agent.wait_ready();
        agent.until_allocations("actions", "running", 1);
    }
    let unknown = agent.nomad(&["action", "-job", "actions", "forget"]);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(
        !unknown.status.success() && said.contains("forget"),
        "{said}"
    );
    agent.ok(&["job", "stop", "-purge", "-detach", "actions"]);
}

/// That its data moves to another node is shown where there are two, in `separate.rs`.
#[test]
fn the_sticky_example() {
    if skipped("the_sticky_example", no_agent()) {
        return;
    }
    let agent = Agent::start("");
    let mut history = String::new();
    let mut before = Vec::new();
    for release in 1..=3 {
        let release = format!("release={release}");
        agent.ok(&["job", "run", "-var", &release, &example("sticky.nomad")]);
        let alloc = agent.until_allocations("sticky", "running", 1).remove(0);
        let id = alloc["ID"].as_str().expect("an id").to_owned();
        assert!(!before.contains(&id), "an allocation of its own");
        history.push_str(&format!("{}\n", release.replace('=', " ")));
        until("it has told what it found", || {
            (agent.ok(&["alloc", "logs", &id]) == history).then_some(())
        });
        before.push(id);
    }
    agent.ok(&["job", "stop", "-purge", "-detach", "sticky"]);
}

#[test]
fn every_example_is_valid() {
    // What uses Vault is refused where the servers know of none.
    let agent = Agent::start(
        "vault { enabled = true address = \"http://127.0.0.1:1\" default_identity { aud = [\"vault.io\"] ttl = \"1h\" } }",
    );
    let mut count = 0;
    for entry in std::fs::read_dir(example("")).expect("examples") {
        let path = entry.expect("an entry").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "nomad")
        {
            agent.ok(&["job", "validate", &path.display().to_string()]);
            count += 1;
        }
    }
    assert!(count >= 5, "{count} examples");
}

#[test]
fn the_container_example() {
    if skipped("the_container_example", no_docker()) {
        return;
    }
    let agent = Agent::start("");
    agent.ok(&["job", "run", &example("redis.nomad")]);
    let allocation = agent.until_allocations("redis", "running", 1).remove(0);
    let services = until("the service is registered", || {
        let found = agent.get("/v1/service/redis").ok()?;
        found
            .as_array()
            .filter(|services| services.len() == 1)
            .cloned()
    });
    let port = services[0]["Port"]
        .as_u64()
        .and_then(|port| u16::try_from(port).ok())
        .expect("a port");
    let address = services[0]["Address"].as_str().expect("an address");
    until("redis answers on its port", || {
        std::net::TcpStream::connect((address, port)).ok()
    });
    agent.ok(&["job", "stop", "-purge", "redis"]);
    until_removed(&allocation);
}

/// Waits until the engine has no container of an allocation any more: an agent that ends before would leave it.
fn until_removed(allocation: &serde_json::Value) {
    let id = allocation["ID"].as_str().expect("an id");
    until("the container is gone", || {
        let label = format!("label=com.hashicorp.nomad.alloc_id={id}");
        let found = Command::new("docker")
            .args(["ps", "-aq", "--filter", &label])
            .output()
            .ok()?;
        (found.status.success() && found.stdout.is_empty()).then_some(())
    });
}

/// Whether the agent's node offers the driver.
fn has_driver(agent: &Agent, name: &str) -> bool {
    let nodes = agent.get("/v1/nodes").unwrap_or_default();
    nodes[0]["Drivers"][name]["Healthy"] == true
}

/// Runs an example until its allocation stands so, and gives the output of one task.
fn output_of(agent: &Agent, job: &str, status: &str, task: &str) -> String {
    agent.ok(&["job", "run", "-detach", &example(&format!("{job}.nomad"))]);
    let allocation = agent.until_allocations(job, status, 1).remove(0);
    let id = allocation["ID"].as_str().expect("an id").to_owned();
    agent.ok(&["alloc", "logs", "-task", task, &id])
}

#[test]
fn the_examples_of_the_other_drivers() {
    let test = "the_examples_of_the_other_drivers";
    if skipped(test, no_agent()) {
        return;
    }
    let agent = Agent::start("");
    for (driver, status, task, expected) in [
        ("exec", "complete", "look", "the host stays as it is"),
        ("java", "complete", "greet", "hello from java"),
        ("qemu", "failed", "machine", "hello from the guest"),
    ] {
        if !has_driver(&agent, driver) {
            println!("SKIPPED: {test}: the driver {driver} is not usable here");
            continue;
        }
        let text = output_of(&agent, driver, status, task);
        assert!(text.contains(expected), "{driver}: {text}");
    }
}

#[test]
fn the_container_that_is_kept_in_its_place() {
    let test = "the_container_that_is_kept_in_its_place";
    if skipped(test, no_agent().or_else(no_docker)) {
        return;
    }
    let agent = Agent::start("");
    agent.ok(&["job", "run", "-detach", &example("docker.nomad")]);
    let allocation = agent.until_allocations("docker", "running", 1).remove(0);
    let id = allocation["ID"].as_str().expect("an id").to_owned();
    let answer = until("redis answers", || {
        let output = agent.nomad(&[
            "alloc",
            "exec",
            "-task",
            "redis",
            &id,
            "redis-cli",
            "config",
            "get",
            "maxmemory",
        ]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    });
    assert!(answer.contains("16777216"), "{answer}");
    let refused = agent.nomad(&["alloc", "exec", "-task", "redis", &id, "touch", "/changed"]);
    assert!(!refused.status.success());
    agent.ok(&["job", "stop", "-detach", "docker"]);
    agent.until_allocations("docker", "complete", 1);
    until_removed(&allocation);
}
