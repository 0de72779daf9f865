//! Hooks around the main tasks, leaders, delays, limits of time, payloads.

use caravan_model::{ClientStatus, Duration, Lifecycle, Task, TaskPhase};
use serde_json::json;

use crate::support::{
    Servers, alloc, alloc_dir, client, client_with, events, folder, id, logs, messages, own, shell,
    task, until, until_logs, with_group,
};

fn named(name: &str, script: &str) -> Task {
    task(
        name,
        "raw_exec",
        json!({"command": "/bin/sh", "args": ["-c", script]}),
    )
}

fn hook(name: &str, hook: &str, sidecar: bool, script: &str) -> Task {
    let mut task = named(name, script);
    task.lifecycle = Some(Lifecycle {
        hook: hook.into(),
        sidecar,
    });
    task
}

const LOOP: &str = "while true; do sleep 0.05; done";

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_in_their_order() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let note = |name: &str| format!("echo {name} >> $NOMAD_ALLOC_DIR/data/order");
    let wait = |name: &str| {
        format!("until grep -q {name} $NOMAD_ALLOC_DIR/data/order; do sleep 0.02; done")
    };
    let tasks = vec![
        hook("pre", "prestart", false, &note("pre")),
        hook(
            "side",
            "prestart",
            true,
            &format!("{}; {LOOP}", note("side")),
        ),
        named(
            "main",
            &format!("{}; {}; {}", wait("side"), note("main"), wait("post")),
        ),
        hook(
            "post",
            "poststart",
            false,
            &format!("{}; {}", wait("main"), note("post")),
        ),
        hook("stop", "poststop", false, &note("stop")),
    ];
    servers.want(alloc(own(), "batch", tasks));
    let known = servers.until_it_is(ClientStatus::Complete).await;
    let order = std::fs::read_to_string(alloc_dir(dir.path()).join("alloc/data/order")).unwrap();
    let order: Vec<&str> = order.lines().collect();
    let at = |name: &str| order.iter().position(|found| *found == name).unwrap();
    assert!(
        at("pre") < at("main") && at("main") < at("post") && at("post") < at("stop"),
        "{order:?}"
    );
    assert!(
        messages(&known.told[&id()], "side").contains(&"Main tasks in the group died".to_owned())
    );
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_prestart_keeps_the_main_task_from_starting() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    servers.want(alloc(
        own(),
        "batch",
        vec![
            hook("pre", "prestart", false, "exit 3"),
            named("main", "true"),
        ],
    ));
    let known = servers.until_it_is(ClientStatus::Failed).await;
    assert!(!events(&known.told[&id()], "main").contains(&"Started".to_owned()));
    assert!(
        messages(&known.told[&id()], "main").contains(&"Task's sibling \"pre\" failed".to_owned())
    );
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_leader_is_the_end_of_all() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let mut leader = named("leader", "exit 0");
    leader.leader = true;
    servers.want(alloc(own(), "batch", vec![leader, named("other", LOOP)]));
    let known = servers.until_it_is(ClientStatus::Complete).await;
    assert!(
        messages(&known.told[&id()], "other").contains(&"Leader Task in Group dead".to_owned())
    );
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_delays_and_timeouts_of_a_stop() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let mut tasks = shell(&format!(
        "trap 'echo quit' QUIT; trap '' INT TERM; echo up; {LOOP}"
    ));
    tasks[0].kill_signal = "SIGQUIT".into();
    tasks[0].kill_timeout = Duration::from_millis(300);
    tasks[0].shutdown_delay = Duration::from_millis(200);
    servers.want(alloc(own(), "service", tasks));
    servers.until_it_is(ClientStatus::Running).await;
    until_logs(&client, |written| !written.is_empty()).await;
    servers.stop(id());
    let known = servers.until_it_is(ClientStatus::Complete).await;
    let texts = messages(&known.told[&id()], "t");
    let tail: Vec<&str> = texts
        .iter()
        .rev()
        .take(4)
        .rev()
        .map(String::as_str)
        .collect();
    assert_eq!(
        tail[0],
        "Waiting for shutdown_delay of 200ms before killing the task."
    );
    assert_eq!(
        tail[1],
        "Sent interrupt. Waiting 300ms before force killing"
    );
    assert_eq!(tail[2], "Exit Code: 137, Signal: 9");
    assert_eq!(tail[3], "Task successfully killed");
    assert_eq!(logs(&client).await, "up\nquit\n");
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_ends_after_its_longest_run() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let limited = with_group(alloc(own(), "batch", shell(LOOP)), |group| {
        group.max_run_duration = Some(Duration::from_millis(300))
    });
    servers.want(limited);
    let known = servers
        .until("its end", |known| {
            known
                .told
                .get(&id())
                .is_some_and(|alloc| alloc.task_states["t"].state == TaskPhase::Dead)
        })
        .await;
    let texts = messages(&known.told[&id()], "t");
    assert!(
        texts.iter().any(|text| text.contains("max_run_duration")),
        "{texts:?}"
    );
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_a_file() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let mut tasks =
        shell("cat local/in/put; echo; echo $NOMAD_META_who-$NOMAD_META_WHO-$NOMAD_META_none-");
    tasks[0].dispatch_payload = Some(caravan_model::DispatchPayload {
        file: "in/put".into(),
    });
    let mut one = alloc(own(), "batch", tasks);
    let mut job = caravan_model::Job::clone(one.job.as_ref().unwrap());
    // Servers store it compressed.
    job.payload = snap::raw::Encoder::new()
        .compress_vec(b"the payload")
        .unwrap();
    job.meta.insert("who".into(), "ada".into());
    one.job = Some(std::sync::Arc::new(job));
    servers.want(one);
    servers.until_it_is(ClientStatus::Complete).await;
    assert_eq!(logs(&client).await, "the payload\nada-ada--\n");
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_run_without_servers_is_stopped() {
    let (servers, dir) = (Servers::new(), folder());
    servers.set(|known| known.beat = std::time::Duration::from_millis(200));
    let client = client_with(&servers, dir.path(), |config| config.dev = true).await;
    let lonely = with_group(
        alloc(
            own(),
            "service",
            shell("echo $$ > local/pid; while true; do sleep 0.05; done"),
        ),
        |group| {
            group.disconnect = Some(caravan_model::DisconnectStrategy {
                stop_on_client_after: Some(Duration::from_millis(500)),
                ..caravan_model::DisconnectStrategy::default()
            });
        },
    );
    servers.want(lonely);
    servers.until_it_is(ClientStatus::Running).await;
    let file = alloc_dir(dir.path()).join("t/local/pid");
    let pid = until("its pid", || {
        std::fs::read_to_string(&file)
            .ok()
            .filter(|text| text.ends_with('\n'))
    })
    .await;
    servers.set(|known| known.unreachable = true);
    let process = std::path::PathBuf::from(format!("/proc/{}", pid.trim()));
    until("its end without servers", || {
        (!process.exists()).then_some(())
    })
    .await;
    servers.set(|known| known.unreachable = false);
    servers
        .until("the word on it", |known| {
            known.told[&id()].client_status == ClientStatus::Complete
        })
        .await;
    client.shutdown().await;
}
