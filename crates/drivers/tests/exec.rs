//! `exec` with real isolation; needs root and cgroups.

mod support;

use std::os::unix::fs::PermissionsExt as _;
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

/// A task that is not root has what it is given, its commands too, and nothing else.
#[tokio::test]
async fn added_capabilities_are_those_of_whoever_runs_it() {
    let test = "added_capabilities_are_those_of_whoever_runs_it";
    let Some(driver) = exec(test, json!({})).await else {
        return;
    };
    let look = "touch /local/$0; chown root /local/$0 2>/dev/null; stat -c %U /local/$0; grep CapEff /proc/self/status";
    for (options, owner, held) in [
        (json!({}), "nobody", "0000000000000000"),
        (json!({"cap_add": ["chown"]}), "root", "0000000000000001"),
        (
            json!({"cap_add": ["chown", "kill"], "cap_drop": ["kill"]}),
            "root",
            "0000000000000001",
        ),
    ] {
        let scratch = Scratch::new();
        let everybodys = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(scratch.task_dir().join("local"), everybodys).expect("set");
        let script = format!("{look}; exec sleep 600");
        let mut options = options.clone();
        options["command"] = json!("/bin/sh");
        options["args"] = json!(["-c", script, "task"]);
        let config = scratch.config(options);
        let id = config.task_id.clone();
        driver.start_task(config).await.expect("starts");
        let expected = format!("{owner}\nCapEff:\t{held}\n");
        until("it has looked", || {
            scratch.log("stdout").lines().count() == 2
        })
        .await;
        assert_eq!(scratch.log("stdout"), expected);
        let command = ["/bin/sh", "-c", look, "beside"].map(String::from).to_vec();
        let output = driver
            .exec_task(&id, &command, Duration::from_secs(10))
            .await
            .expect("runs");
        assert_eq!(String::from_utf8_lossy(&output.output), expected);
        driver.destroy_task(&id, true).await.expect("destroyed");
    }
}

async fn finish(driver: &Arc<dyn Driver>, config: caravan_driver::TaskConfig) -> i32 {
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    let exit = driver.wait_task(&id).await.expect("known");
    driver.destroy_task(&id, true).await.expect("destroyed");
    exit.exit_code
}

#[tokio::test]
async fn more_processes_than_allowed_cannot_be_made() {
    let test = "more_processes_than_allowed_cannot_be_made";
    let Some(driver) = exec(test, json!({"pids_limit": 40})).await else {
        return;
    };
    let scratch = Scratch::new();
    let script = "n=0; while [ $n -lt 200 ]; do sleep 600 & n=$((n+1)); echo $n; done";
    let mut config = scratch.config(json!({"command": "/bin/sh", "args": ["-c", script]}));
    config.resources.memory_mb = 256;
    let code = finish(&driver, config).await;
    assert_ne!(code, 0);
    assert_eq!(scratch.log("stdout").lines().count(), 39);
    assert!(
        scratch.log("stderr").contains("fork"),
        "{}",
        scratch.log("stderr")
    );
}

#[tokio::test]
async fn a_task_that_takes_every_descriptor_harms_itself() {
    let test = "a_task_that_takes_every_descriptor_harms_itself";
    let Some(driver) = exec(test, json!({})).await else {
        return;
    };
    let scratch = Scratch::new();
    let script = "ulimit -n 2048; while exec {n}</dev/null; do :; done 2>/dev/null; echo full; sleep 600 || read -r stays";
    let mut config = scratch.config(json!({"command": "/bin/bash", "args": ["-c", script]}));
    config.resources.memory_mb = 128;
    let id = config.task_id.clone();
    driver.start_task(config).await.expect("starts");
    until("the hog", || scratch.log("stdout") == "full\n").await;
    let output = driver
        .exec_task(
            &id,
            &["echo".into(), "beside".into()],
            Duration::from_secs(10),
        )
        .await
        .expect("runs");
    assert_eq!(output.output, b"beside\n");
    driver
        .stop_task(&id, Duration::from_millis(100), None)
        .await
        .expect("stopped");
    driver.destroy_task(&id, true).await.expect("destroyed");
}

#[tokio::test]
async fn neither_a_siblings_secrets_nor_the_agents_environment_can_be_read() {
    let test = "neither_a_siblings_secrets_nor_the_agents_environment_can_be_read";
    let Some(driver) = exec(test, json!({})).await else {
        return;
    };
    // Of this process, which is the agent here.
    let (known, value) = std::env::vars()
        .find(|(name, _)| name == "CARGO_MANIFEST_DIR")
        .expect("tests run under cargo");
    for (mode, user) in [("private", ""), ("host", ""), ("private", "root")] {
        let scratch = Scratch::new();
        let secrets = scratch.task_dir().join("../db/secrets");
        std::fs::create_dir_all(&secrets).expect("created");
        std::fs::write(secrets.join("key"), "sibling-secret").expect("written");
        std::fs::write(scratch.task_dir().join("private/own"), "agent-secret").expect("written");
        let script = format!(
            "cat /alloc/../db/secrets/key /secrets/../../db/secrets/key /private/own '{}'; \
             cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -Fx '{known}={value}'; \
             for root in /proc/[0-9]*/root; do cat $root'{}'; done; \
             find / -xdev -name key -exec cat {{}} +; echo looked everywhere",
            secrets.join("key").display(),
            secrets.join("key").display(),
        );
        let mut config =
            scratch.config(json!({"command": "/bin/sh", "args": ["-c", script], "pid_mode": mode}));
        config.resources.memory_mb = 128;
        config.user = user.into();
        finish(&driver, config).await;
        assert_eq!(
            scratch.log("stdout"),
            "looked everywhere\n",
            "{mode} {user}"
        );
    }
}

#[tokio::test]
async fn arguments_are_never_read_as_anything_else() {
    let test = "arguments_are_never_read_as_anything_else";
    let Some(driver) = exec(test, json!({})).await else {
        return;
    };
    let nasty = [
        "; touch /local/pwned",
        "$(id)",
        "`id`",
        "--",
        "a\nb",
        "",
        "* ?",
        "\"'",
    ];
    let mut args = vec!["-c", "printf '[%s]' \"$@\"", "sh"];
    args.extend(nasty);
    let scratch = Scratch::new();
    let config = scratch.config(json!({"command": "/bin/sh", "args": args}));
    assert_eq!(finish(&driver, config).await, 0);
    let expected: String = nasty.iter().map(|arg| format!("[{arg}]")).collect();
    assert_eq!(scratch.log("stdout"), expected);
    assert!(!scratch.task_dir().join("local/pwned").exists());

    let zero = scratch.config(json!({"command": "/bin/echo", "args": ["a\u{0}b"]}));
    let err = driver
        .start_task(zero)
        .await
        .expect_err("refused")
        .to_string();
    assert!(err.contains("nul byte"), "{err}");
    for outside in ["../../../bin/sh", "/local/../../../../bin/sh"] {
        let config = scratch.config(json!({"command": outside}));
        let err = driver
            .start_task(config)
            .await
            .expect_err(outside)
            .to_string();
        assert!(err.contains("could not be found"), "{err}");
    }
}
