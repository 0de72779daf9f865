//! `exec` with real isolation; needs root and cgroups.

mod support;

use std::sync::Arc;
use std::time::Duration;

use caravan_driver::{Driver, Health};
use serde_json::{Value, json};
use support::{Scratch, until};

async fn exec(test: &str, plugin: Value) -> Option<Arc<dyn Driver>> {
    let driver = support::driver("exec", plugin);
    let found = driver.fingerprint().await;
    if found.health == Health::Healthy {
        return Some(driver);
    }
    println!("SKIPPED: {test}: {}", found.description);
    None
}

#[tokio::test]
async fn a_task_runs_as_nobody_in_its_own_root() {
    let Some(driver) = exec("a_task_runs_as_nobody_in_its_own_root", json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    std::fs::write(
        scratch.task_dir().join("local/own.sh"),
        "#!/bin/sh\nid -un; pwd; ls -d /alloc /local /secrets /home; echo $$",
    )
    .expect("written");
    let config = scratch.config(json!({"command": "own.sh"}));
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    driver.wait_task(&id).await.expect("known");
    assert_eq!(
        scratch.log("stdout"),
        "nobody\n/\n/alloc\n/local\n/secrets\n1\n"
    );
    driver.destroy_task(&id, false).await.expect("destroyed");
}

#[tokio::test]
async fn a_memory_hog_is_killed_and_reported() {
    let Some(driver) = exec("a_memory_hog_is_killed_and_reported", json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let script = "x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done";
    let mut config = scratch.config(json!({"command": "/bin/sh", "args": ["-c", script]}));
    config.resources.memory_mb = 24;
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    let exit = driver.wait_task(&id).await.expect("known");
    assert_eq!(
        (exit.exit_code, exit.signal, exit.oom_killed),
        (137, 9, true)
    );
}

#[tokio::test]
async fn a_fork_bomb_ends_with_its_task() {
    let Some(driver) = exec("a_fork_bomb_ends_with_its_task", json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let script =
        "trap '' INT; n=0; while [ $n -lt 300 ]; do sleep 600 & n=$((n+1)); done; echo up; wait";
    let mut config = scratch.config(json!({"command": "/bin/sh", "args": ["-c", script]}));
    config.resources.memory_mb = 256;
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    until("the bomb", || scratch.log("stdout") == "up\n").await;
    let usage = driver.task_stats(&id).await.expect("sampled");
    assert!(usage.total.memory.usage > 0 && usage.pids.len() > 300);
    driver
        .stop_task(&id, Duration::from_millis(200), None)
        .await
        .expect("stopped");
    assert_eq!(driver.wait_task(&id).await.expect("known").signal, 9);
}

#[tokio::test]
async fn exec_shares_the_tasks_world_and_capabilities_are_checked() {
    let test = "exec_shares_the_tasks_world_and_capabilities_are_checked";
    let Some(driver) = exec(test, json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let config = scratch.config(json!({"command": "sleep", "args": ["600"]}));
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    let command: Vec<String> = ["sh", "-c", "id -un; ls -d /home /alloc"]
        .map(String::from)
        .to_vec();
    let output = driver
        .exec_task(&id, &command, Duration::from_secs(10))
        .await
        .expect("runs");
    let text = String::from_utf8_lossy(&output.output).into_owned();
    assert!(
        text.contains("nobody\n") && text.contains("/alloc\n") && !text.contains("\n/home\n"),
        "{text}"
    );
    driver.destroy_task(&id, true).await.expect("destroyed");
    let greedy = scratch.config(json!({"command": "true", "cap_add": ["sys_admin"]}));
    let err = driver
        .start_task(greedy)
        .await
        .expect_err("refused")
        .to_string();
    assert_eq!(
        err,
        "driver does not allow the following capabilities: sys_admin"
    );
}
