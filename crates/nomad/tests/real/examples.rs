//! The job files of `examples/` do what they say.

use std::path::Path;

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
    if skipped("examples_that_need_a_shell", no_agent()) {
        return;
    }
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
fn every_example_is_valid() {
    if skipped("every_example_is_valid", no_agent()) {
        return;
    }
    let agent = Agent::start("");
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
    if skipped("the_container_example", no_agent().or_else(no_docker)) {
        return;
    }
    let agent = Agent::start("");
    agent.ok(&["job", "run", &example("redis.nomad")]);
    agent.until_allocations("redis", "running", 1);
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
    until("redis answers on its port", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    });
    agent.ok(&["job", "stop", "-purge", "redis"]);
    until("the container is gone", || {
        agent
            .allocations("redis", "running")
            .is_empty()
            .then_some(())
    });
}
