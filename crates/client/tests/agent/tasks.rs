//! Tasks run, restart, are stopped, and outlive the agent.

use caravan_http::Op;
use caravan_model::{Allocation, ClientStatus, TaskPhase};
use serde_json::json;

use crate::support::{
    Servers, alloc, ask, client, events, folder, id, logs, own, shell, task, until, until_logs,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_task_runs_and_is_told_of() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    servers.until("a ready node", |known| known.ready).await;
    servers.want(alloc(
        own(),
        "batch",
        shell("echo hello $NOMAD_ALLOC_INDEX; echo oops >&2"),
    ));
    let known = servers.until_it_is(ClientStatus::Complete).await;
    let told = &known.told[&id()];
    assert_eq!(told.client_description, "All tasks have completed");
    assert_eq!(
        events(told, "t"),
        ["Received", "Task Setup", "Started", "Terminated"]
    );
    assert_eq!(logs(&client).await, "hello 0\n");
    let stat = ask(&client, Op::ClientFsStat, &[("path", "t")], "")
        .await
        .unwrap();
    assert!(
        String::from_utf8(stat)
            .unwrap()
            .contains("\"FileMode\":\"drwxrwxrwx\"")
    );
    let missing = ask(&client, Op::ClientFsStat, &[("path", "nope")], "")
        .await
        .unwrap_err();
    assert_eq!(missing.status, 404);
    let escape = ask(&client, Op::ClientFsList, &[("path", "../..")], "")
        .await
        .unwrap_err();
    assert_eq!(escape.message, "Path escapes the alloc directory");
    servers.forget(id());
    let root = dir.path().join("alloc").join(id().to_string());
    until("its directory is gone", || (!root.exists()).then_some(())).await;
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_task_restarts_and_fails() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    servers.want(alloc(
        own(),
        "batch",
        vec![task("t", "mock_driver", json!({"exit_code": 3}))],
    ));
    let known = servers.until_it_is(ClientStatus::Failed).await;
    let expected = [
        "Received",
        "Task Setup",
        "Started",
        "Terminated",
        "Restarting",
        "Started",
        "Terminated",
        "Not Restarting",
    ];
    assert_eq!(events(&known.told[&id()], "t"), expected);
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_restarted_signalled_and_stopped() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let script = "trap 'echo usr1' USR1; echo up; while true; do sleep 0.05; done";
    servers.want(alloc(own(), "service", shell(script)));
    servers.until_it_is(ClientStatus::Running).await;
    until_logs(&client, |written| written == "up\n").await;
    ask(
        &client,
        Op::ClientAllocSignal,
        &[],
        r#"{"Task":"t","Signal":"SIGUSR1"}"#,
    )
    .await
    .unwrap();
    until_logs(&client, |written| written == "up\nusr1\n").await;
    ask(&client, Op::ClientAllocRestart, &[], r#"{"TaskName":"t"}"#)
        .await
        .unwrap();
    let again = |alloc: &Allocation| {
        alloc.task_states["t"].restarts == 1 && alloc.task_states["t"].state == TaskPhase::Running
    };
    servers
        .until("its restart", |known| again(&known.told[&id()]))
        .await;
    servers.stop(id());
    let known = servers.until_it_is(ClientStatus::Complete).await;
    let seen = events(&known.told[&id()], "t");
    assert_eq!(seen[seen.len() - 3..], ["Killing", "Terminated", "Killed"]);
    let error = ask(&client, Op::ClientAllocRestart, &[], "{}")
        .await
        .unwrap_err();
    assert_eq!(error.message, "restart of an alloc that should not run");
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_outlives_the_agent_and_is_taken_up_again() {
    let (servers, dir) = (Servers::new(), folder());
    let first = client(&servers, dir.path(), false).await;
    let node = first.node_id();
    servers.want(alloc(
        own(),
        "service",
        shell("echo $$; while [ ! -e $NOMAD_TASK_DIR/end ]; do sleep 0.02; done; exit 4"),
    ));
    servers.until_it_is(ClientStatus::Running).await;
    until_logs(&first, |written| !written.is_empty()).await;
    let before = servers.known().told[&id()].clone();
    first.shutdown().await;
    drop(first);
    let second = client(&servers, dir.path(), false).await;
    assert_eq!(second.node_id(), node);
    servers
        .until("the node's return", |known| known.ready)
        .await;
    assert_eq!(
        events(&servers.known().told[&id()], "t"),
        events(&before, "t")
    );
    assert_eq!(logs(&second).await.lines().count(), 1);
    let end = dir
        .path()
        .join("alloc")
        .join(id().to_string())
        .join("t/local/end");
    std::fs::write(end, "").unwrap();
    let failed = |alloc: &Allocation| {
        let events = &alloc.task_states["t"].events;
        events
            .iter()
            .any(|event| event.display_message() == "Exit Code: 4")
    };
    servers
        .until("its exit code", |known| failed(&known.told[&id()]))
        .await;
    servers.stop(id());
    servers
        .until("its end", |known| {
            known.told[&id()].task_states["t"].state == TaskPhase::Dead
        })
        .await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_take_long_to_start_hold_no_other_back() {
    const SLOW: u128 = 200;
    let (servers, dir) = (Servers::new(), folder());
    let _client = client(&servers, dir.path(), true).await;
    for number in 1..=SLOW {
        let slow = task("slow", "mock_driver", json!({"start_block_for": "1h"}));
        servers.want(alloc(own() ^ number, "batch", vec![slow]));
    }
    servers
        .until("all are there", |known| known.told.len() as u128 == SLOW)
        .await;
    servers.want(alloc(own(), "batch", shell("true")));
    servers.until_it_is(ClientStatus::Complete).await;
}
