//! `docker` with a real engine and the images of `.ci/make-images`; skipped by name where there is none.

mod support;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use caravan_driver::{Driver, Health, PortMapping, TaskConfig, TaskNetwork};
use serde_json::{Value, json};
use support::{Scratch, assert_cat_echoes, exec_streaming, until};

/// The driver, or `None` and a line that says why the test is skipped.
async fn docker(test: &str, plugin: Value) -> Option<Arc<dyn Driver>> {
    let driver = support::driver("docker", plugin);
    let found = driver.fingerprint().await;
    if found.health != Health::Healthy {
        println!("SKIPPED: {test}: {}", found.description);
        return None;
    }
    let image = Command::new("docker")
        .args(["image", "inspect", "webapp:0.1"])
        .output();
    if !image.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: {test}: no image webapp:0.1; run .ci/make-images");
        return None;
    }
    Some(driver)
}

fn shell(scratch: &Scratch, script: &str) -> TaskConfig {
    scratch.config(json!({"image": "webapp:0.1", "command": "sh", "args": ["-c", script]}))
}

async fn clean(driver: &Arc<dyn Driver>, id: &str) {
    driver.destroy_task(id, true).await.expect("destroyed");
}

fn container_exists(scratch: &Scratch) -> bool {
    has_container(&format!("web-{}", scratch.alloc_id()))
}

fn has_container(name: &str) -> bool {
    let output = Command::new("docker")
        .args(["container", "inspect", name])
        .output();
    output.is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_container_runs_logs_and_exits() {
    let Some(driver) = docker("a_container_runs_logs_and_exits", json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let mut config = shell(
        &scratch,
        "echo out $COLOUR; echo err >&2; ls -d /alloc /local /secrets; exit 3",
    );
    std::sync::Arc::make_mut(&mut config.env).insert("COLOUR".into(), "blue".into());
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    let exit = driver.wait_task(&id).await.expect("known");
    assert_eq!(
        (exit.exit_code, exit.signal, exit.oom_killed),
        (3, 0, false)
    );
    assert_eq!(
        exit.err.as_deref(),
        Some("Docker container exited with non-zero exit code: 3")
    );
    assert_eq!(
        scratch.log("stdout"),
        "out blue\n/alloc\n/local\n/secrets\n"
    );
    assert_eq!(scratch.log("stderr"), "err\n");
    assert!(container_exists(&scratch));
    driver.destroy_task(&id, false).await.expect("destroyed");
    assert!(!container_exists(&scratch));
}

#[tokio::test]
async fn redis_answers_on_its_mapped_port() {
    let Some(driver) = docker("redis_answers_on_its_mapped_port", json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let mut config = scratch.config(json!({"image": "redis:3.2", "port_map": [{"db": 6379}]}));
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("free")
        .local_addr()
        .expect("bound")
        .port();
    config.task_network = Some(TaskNetwork {
        ip: "127.0.0.1".into(),
        ports: vec![PortMapping {
            label: "db".into(),
            value: port,
            ..PortMapping::default()
        }],
        ..TaskNetwork::default()
    });
    let id = config.task_id.clone();
    let network = driver
        .start_task(config)
        .await
        .expect("starts")
        .network
        .expect("has one");
    assert_eq!(
        (network.port_map["db"], network.auto_advertise),
        (6379, false)
    );
    assert!(!network.ip.is_empty());
    until("an answer of redis", || {
        ping(port).is_some_and(|answer| answer.starts_with("+PONG"))
    })
    .await;
    driver.task_stats(&id).await.expect("sampled");
    let usage = driver.task_stats(&id).await.expect("sampled");
    assert!(usage.total.memory.usage > 0);
    driver
        .stop_task(&id, Duration::from_secs(5), None)
        .await
        .expect("stopped");
    driver.wait_task(&id).await.expect("known");
    assert!(
        scratch
            .log("stdout")
            .contains("Ready to accept connections")
    );
    clean(&driver, &id).await;
}

fn ping(port: u16) -> Option<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 16];
    let count = stream.read(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer[..count]).into_owned())
}

#[tokio::test]
async fn a_deaf_container_is_killed_after_the_timeout() {
    let Some(driver) = docker("a_deaf_container_is_killed_after_the_timeout", json!({})).await
    else {
        return;
    };
    let scratch = Scratch::new();
    let config = shell(&scratch, "trap '' TERM INT; while true; do sleep 1; done");
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    driver
        .stop_task(&id, Duration::from_secs(1), Some("SIGINT"))
        .await
        .expect("stopped");
    assert_eq!(driver.wait_task(&id).await.expect("known").exit_code, 137);
    clean(&driver, &id).await;
}

#[tokio::test]
async fn signals_and_execs_reach_the_container() {
    let Some(driver) = docker("signals_and_execs_reach_the_container", json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let config = shell(
        &scratch,
        "trap 'echo got it; exit 9' USR1; echo up; while true; do sleep 0.1; done",
    );
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    until("up", || scratch.log("stdout").contains("up")).await;
    let command: Vec<String> = ["sh", "-c", "hostname; exit 4"].map(String::from).to_vec();
    let once = driver
        .exec_task(&id, &command, Duration::from_secs(20))
        .await
        .expect("runs");
    assert_eq!(once.exit_code, 4);
    assert_cat_echoes(&driver, &id).await;
    driver.signal_task(&id, "SIGUSR1").await.expect("sent");
    assert_eq!(driver.wait_task(&id).await.expect("known").exit_code, 9);
    assert!(scratch.log("stdout").ends_with("got it\n"));
    clean(&driver, &id).await;
}

/// One that listens no longer has gone, whether or not it could still send.
#[tokio::test]
async fn a_command_ends_with_who_listens_to_it() {
    let test = "a_command_ends_with_who_listens_to_it";
    let Some(driver) = docker(test, json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let config = shell(&scratch, "echo up; while true; do sleep 0.1; done");
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    let command = ["sh", "-c", "while true; do echo more; done"];
    let (running, input, mut output) = exec_streaming(&driver, &id, &command);
    assert!(output.recv().await.is_some());
    drop(output);
    assert!(running.await.expect("joined").is_err());
    let name = format!("web-{}", scratch.alloc_id());
    until("the command has ended", || {
        let top = Command::new("docker").args(["top", &name]).output();
        let top = top.expect("docker runs").stdout;
        !String::from_utf8_lossy(&top).contains("echo more")
    })
    .await;
    drop(input);
    clean(&driver, &id).await;
}

/// As at each restart of a task: nobody waits for the engine to be done with the last container.
#[tokio::test]
async fn a_container_takes_the_place_of_one_that_is_being_removed() {
    let test = "a_container_takes_the_place_of_one_that_is_being_removed";
    let Some(driver) = docker(test, json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let name = format!("web-{}", scratch.alloc_id());
    for round in 0..5 {
        let mut config = shell(&scratch, "exec sleep 3600");
        config.task_id = format!("{}/{round}", config.task_id);
        let id = config.task_id.clone();
        let removing = (round > 0).then(|| {
            let mut removing = Command::new("docker");
            removing
                .args(["rm", "-f", &name])
                .spawn()
                .expect("docker runs")
        });
        if removing.is_some() {
            let marked = || {
                let shown = Command::new("docker")
                    .args(["inspect", "-f", "{{.State.Status}}", &name])
                    .output();
                let shown = shown.expect("docker runs");
                !shown.status.success() || shown.stdout == b"removing\n"
            };
            until("it is being removed", marked).await;
        }
        driver.start_task(config).await.expect("starts");
        if let Some(mut removing) = removing {
            removing.wait().expect("ended");
        }
        if round == 4 {
            clean(&driver, &id).await;
        }
    }
}

#[tokio::test]
async fn another_agent_takes_over_without_losing_or_doubling_a_line() {
    let test = "another_agent_takes_over_without_losing_or_doubling_a_line";
    let Some(first) = docker(test, json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let script =
        "n=0; while [ ! -e /local/stop ]; do n=$((n+1)); echo line $n; done; echo end $n; exit 7";
    // By itself the engine keeps 4 MiB, which may all be written while nobody takes it.
    let logging = json!({"type": "json-file", "config": {"max-size": "1g"}});
    let config = scratch.config(json!({
        "image": "webapp:0.1", "command": "sh", "args": ["-c", script], "logging": logging,
    }));
    let id = config.task_id.clone();
    // The first agent has a runtime of its own, which dies with everything in it.
    let first_agent = || {
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        let started = runtime.block_on(async {
            let started = first.start_task(config).await.expect("starts");
            until("much of the output is taken", || {
                scratch.log("stdout").lines().count() > 1000
            })
            .await;
            started
        });
        // Until its threads have ended: one that still writes would be a second hand in the same file.
        runtime.shutdown_timeout(Duration::from_secs(10));
        started.handle
    };
    let handle = std::thread::scope(|scope| scope.spawn(first_agent).join().expect("joined"));
    std::fs::write(scratch.task_dir().join("local/stop"), "").expect("written");
    let Some(second) = docker(test, json!({})).await else {
        return;
    };
    second.recover_task(&handle).await.expect("recovered");
    assert_eq!(second.wait_task(&id).await.expect("known").exit_code, 7);
    let text = scratch.log("stdout");
    let lines: Vec<&str> = text.lines().collect();
    let (end, numbered) = lines.split_last().expect("lines");
    let wrong = numbered
        .iter()
        .enumerate()
        .find(|(n, line)| **line != format!("line {}", n + 1));
    assert_eq!(
        (wrong, *end),
        (None, format!("end {}", numbered.len()).as_str())
    );
    clean(&second, &id).await;
}

#[tokio::test]
async fn a_memory_hog_is_reported_as_such() {
    let Some(driver) = docker("a_memory_hog_is_reported_as_such", json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let mut config = shell(&scratch, "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done");
    config.resources.memory_mb = 32;
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    let exit = driver.wait_task(&id).await.expect("known");
    assert!(exit.oom_killed, "{exit:?}");
    assert_eq!(exit.err.as_deref(), Some("OOM Killed"));
    clean(&driver, &id).await;
}

#[tokio::test]
async fn a_missing_image_is_pulled_announced_and_named() {
    let Some(driver) = docker("a_missing_image_is_pulled_announced_and_named", json!({})).await
    else {
        return;
    };
    let scratch = Scratch::new();
    let mut events = driver.task_events();
    let config = scratch.config(json!({"image": "127.0.0.1:1/no/such:1.0"}));
    let err = driver
        .start_task(config)
        .await
        .expect_err("no such image")
        .to_string();
    assert!(
        err.starts_with("Failed to pull `127.0.0.1:1/no/such:1.0`: "),
        "{err}"
    );
    let event = events.recv().await.expect("sent");
    assert_eq!(event.message, "Downloading image");
    assert_eq!(
        event.annotations,
        BTreeMap::from([("image".to_owned(), "127.0.0.1:1/no/such:1.0".to_owned())])
    );
}

#[tokio::test]
async fn refusals_come_before_anything_is_made() {
    let Some(driver) = docker("refusals_come_before_anything_is_made", json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    for (config, text) in [
        (
            json!({"image": "webapp:0.1", "privileged": true}),
            "privileged mode is disabled",
        ),
        (
            json!({"image": "webapp:0.1", "volumes": ["/etc:/x"]}),
            "cannot mount host path: \"/etc\"",
        ),
        (
            json!({"image": "webapp:0.1", "nonsense": 1}),
            "named \"nonsense\"",
        ),
        (json!({"command": "sh"}), "\"image\" is required"),
    ] {
        let err = driver
            .start_task(scratch.config(config))
            .await
            .expect_err("refused")
            .to_string();
        assert!(err.contains(text), "{err}");
    }
    let mut missing = shell(&scratch, "");
    missing.driver_config = json!({"image": "webapp:0.1", "command": "/no/such/program"});
    let err = driver
        .start_task(missing)
        .await
        .expect_err("fails")
        .to_string();
    assert!(err.starts_with("Failed to start container"), "{err}");
    assert!(
        !container_exists(&scratch),
        "a container that did not start was left behind"
    );
}

#[tokio::test]
async fn tasks_join_the_network_of_their_allocation() {
    let test = "tasks_join_the_network_of_their_allocation";
    let Some(driver) = docker(test, json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let network = match driver.create_network(scratch.alloc_id(), "web-host").await {
        Ok(network) => network.expect("docker makes networks"),
        Err(err) if err.to_string().contains("Failed to pull") => {
            println!("SKIPPED: {test}: {err}");
            return;
        }
        Err(err) => panic!("{err}"),
    };
    assert!(network.path.exists(), "{network:?}");
    let again = driver
        .create_network(scratch.alloc_id(), "web-host")
        .await
        .expect("found again");
    assert_eq!(again.as_ref(), Some(&network));
    let mut config = shell(&scratch, "hostname; ls /sys/class/net");
    config.network = Some(network.clone());
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    driver.wait_task(&id).await.expect("known");
    assert_eq!(scratch.log("stdout"), "web-host\nlo\n");
    clean(&driver, &id).await;
    driver
        .destroy_network(scratch.alloc_id(), &network)
        .await
        .expect("destroyed");
    // The engine unmounts the namespace's file later, when it likes.
    let owner = format!("nomad_init_{}", scratch.alloc_id());
    assert!(!has_container(&owner), "{owner} is left");
}
