//! `raw_exec` with real processes.

mod support;

use std::sync::Arc;
use std::time::Duration;

use caravan_driver::{Driver, Health};
use serde_json::json;
use support::{Scratch, assert_cat_echoes, supervisors, until};

fn raw_exec(plugin: serde_json::Value) -> Arc<dyn Driver> {
    support::driver("raw_exec", plugin)
}

#[tokio::test]
async fn disabled_unless_enabled() {
    assert_eq!(
        raw_exec(json!({})).fingerprint().await.health,
        Health::Undetected
    );
    let on = raw_exec(json!({"enabled": true})).fingerprint().await;
    assert_eq!(on.health, Health::Healthy);
    assert_eq!(on.attributes["driver.raw_exec"], "true");
    drop(supervisors());
}

#[tokio::test]
async fn a_task_runs_with_its_environment_and_tells_its_exit() {
    let driver = raw_exec(json!({"enabled": true}));
    let scratch = Scratch::new();
    let script = "echo $GREETING from $(pwd); env | grep -c SECRET_; exit 3";
    let mut config = scratch.config(
        json!({"command": "/bin/sh", "args": ["-c", script], "denied_envvars": ["SECRET_*"]}),
    );
    std::sync::Arc::make_mut(&mut config.env).insert("GREETING".into(), "hello".into());
    std::sync::Arc::make_mut(&mut config.env).insert("SECRET_KEY".into(), "x".into());
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    let exit = driver.wait_task(&id).await.expect("known");
    assert_eq!(
        (exit.exit_code, exit.signal, exit.err.clone()),
        (3, 0, None)
    );
    assert_eq!(
        scratch.log("stdout"),
        format!("hello from {}\n0\n", scratch.task_dir().display())
    );
    driver.destroy_task(&id, false).await.expect("destroyed");
    assert!(driver.wait_task(&id).await.is_err());
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let driver = raw_exec(json!({"enabled": true, "denied_host_uids": "1-20"}));
    let scratch = Scratch::new();
    let err = driver
        .start_task(scratch.config(json!({"command": "/no/such/command"})))
        .await
        .expect_err("fails");
    assert!(
        err.to_string()
            .ends_with("binary \"/no/such/command\" could not be found"),
        "{err}"
    );
    let err = driver
        .start_task(scratch.config(json!({"comand": "/bin/true"})))
        .await
        .expect_err("fails");
    assert!(
        err.to_string()
            .contains("No argument or block type is named \"comand\""),
        "{err}"
    );
    assert!(!err.is_recoverable());
    let mut config = scratch.config(json!({"command": "/bin/true"}));
    config.user = "daemon".into();
    let err = driver.start_task(config).await.expect_err("fails");
    assert_eq!(err.to_string(), "running as uid 1 is disallowed");
}

#[tokio::test]
async fn stop_signal_exec_and_stats() {
    let driver = raw_exec(json!({"enabled": true}));
    let scratch = Scratch::new();
    let script = "trap 'echo usr1' USR1; while true; do sleep 0.02; done";
    let mut config = scratch.config(json!({"command": "sh", "args": ["-c", script]}));
    std::sync::Arc::make_mut(&mut config.env).insert("COLOUR".into(), "blue".into());
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    let command: Vec<String> = ["/bin/sh", "-c", "echo $COLOUR; exit 4"]
        .map(String::from)
        .to_vec();
    let once = driver
        .exec_task(&id, &command, Duration::from_secs(10))
        .await
        .expect("runs");
    assert_eq!(
        (once.exit_code, once.output.as_slice()),
        (4, b"blue\n".as_slice())
    );
    driver.signal_task(&id, "SIGUSR1").await.expect("sent");
    until("the signal in the log", || {
        scratch.log("stdout") == "usr1\n"
    })
    .await;
    driver.task_stats(&id).await.expect("sampled");
    let usage = driver.task_stats(&id).await.expect("sampled");
    assert!(usage.total.memory.rss > 0 && !usage.pids.is_empty());
    assert!(
        driver.destroy_task(&id, false).await.is_err(),
        "a running task is not destroyed by mistake"
    );
    assert!(
        driver
            .stop_task(&id, Duration::from_secs(1), Some("SIGNOPE"))
            .await
            .is_err()
    );
    driver
        .stop_task(&id, Duration::from_secs(10), None)
        .await
        .expect("stopped");
    let exit = driver.wait_task(&id).await.expect("known");
    assert_eq!((exit.exit_code, exit.signal), (130, 2));
}

#[tokio::test]
async fn streaming_exec_carries_all_three_streams() {
    let driver = raw_exec(json!({"enabled": true}));
    let scratch = Scratch::new();
    let config = scratch.config(json!({"command": "/bin/sleep", "args": ["600"]}));
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    assert_cat_echoes(&driver, &id).await;
    driver.destroy_task(&id, true).await.expect("destroyed");
}

#[tokio::test]
async fn another_agent_recovers_the_task_from_its_handle() {
    let scratch = Scratch::new();
    let config = scratch.config(json!({"command": "/bin/sh", "args": ["-c", "while [ ! -e stop ]; do sleep 0.02; done; exit 6"]}));
    let id = config.task_id.clone();
    let started = raw_exec(json!({"enabled": true}))
        .start_task(config)
        .await
        .expect("starts");
    let stored = serde_json::to_string(&started.handle).expect("encodes");
    let handle = serde_json::from_str(&stored).expect("decodes");
    let later = raw_exec(json!({"enabled": true}));
    later.recover_task(&handle).await.expect("recovered");
    std::fs::write(scratch.task_dir().join("stop"), "").expect("written");
    assert_eq!(later.wait_task(&id).await.expect("known").exit_code, 6);
    // And once more after the end.
    let last = raw_exec(json!({"enabled": true}));
    last.recover_task(&handle).await.expect("recovered");
    assert_eq!(last.wait_task(&id).await.expect("known").exit_code, 6);
    last.destroy_task(&id, false).await.expect("destroyed");
}

#[tokio::test]
async fn no_log_file_when_logs_are_disabled() {
    let driver = raw_exec(json!({"enabled": true}));
    let scratch = Scratch::new();
    let mut config = scratch.config(json!({"command": "/bin/echo", "args": ["x"]}));
    config.logs.disabled = true;
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    assert_eq!(driver.wait_task(&id).await.expect("known").exit_code, 0);
    assert_eq!(
        std::fs::read_dir(scratch.log_dir()).expect("dir").count(),
        0
    );
}
