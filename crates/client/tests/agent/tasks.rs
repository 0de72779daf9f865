//! The node agent against servers in memory, with real processes.

mod support;

use caravan_client::Client;
use caravan_http::{Answer, Api, ApiError, ApiRequest, Body, Op};
use caravan_model::{AllocId, Allocation, ClientStatus, TaskPhase};
use futures::StreamExt;
use serde_json::json;
use support::{Servers, alloc, client, events, task};

const ID: AllocId = AllocId::from_u128(7);

fn is(known: &support::Known, status: ClientStatus) -> bool {
    known
        .told
        .get(&ID)
        .is_some_and(|alloc| alloc.client_status == status)
}

fn shell(script: &str) -> Vec<caravan_model::Task> {
    vec![task(
        "t",
        "raw_exec",
        json!({"command": "/bin/sh", "args": ["-c", script]}),
    )]
}

async fn ask(
    client: &Client,
    op: Op,
    query: &[(&str, &str)],
    body: &str,
) -> Result<Vec<u8>, ApiError> {
    let mut request = ApiRequest::internal(op);
    request.params.0.push(("id".into(), ID.to_string()));
    for (name, value) in query {
        request
            .query
            .0
            .push(((*name).to_owned(), (*value).to_owned()));
    }
    request.body = body.to_owned().into();
    let Answer { body, .. } = client.api().call(request).await?;
    Ok(match body {
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::Stream(mut stream) => {
            let mut all = Vec::new();
            while let Some(piece) = stream.next().await {
                all.extend_from_slice(&piece.unwrap());
            }
            all
        }
        Body::Empty | Body::Session(_) => Vec::new(),
    })
}

async fn logs(client: &Client) -> String {
    let query = [("task", "t"), ("type", "stdout"), ("plain", "true")];
    String::from_utf8(ask(client, Op::ClientFsLogs, &query, "").await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_task_runs_and_is_told_of() {
    let (servers, dir) = (Servers::new(), tempfile::tempdir().unwrap());
    let client = client(&servers, dir.path(), true).await;
    servers.until("a ready node", |known| known.ready).await;
    servers.want(alloc(
        7,
        "batch",
        shell("echo hello $NOMAD_ALLOC_INDEX; echo oops >&2"),
    ));
    let known = servers
        .until("its end", |known| is(known, ClientStatus::Complete))
        .await;
    let told = &known.told[&ID];
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
    servers.forget(ID);
    let root = dir.path().join("alloc").join(ID.to_string());
    while root.exists() {
        tokio::task::yield_now().await;
    }
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_task_restarts_and_fails() {
    let (servers, dir) = (Servers::new(), tempfile::tempdir().unwrap());
    let client = client(&servers, dir.path(), true).await;
    servers.want(alloc(
        7,
        "batch",
        vec![task("t", "mock_driver", json!({"exit_code": 3}))],
    ));
    let known = servers
        .until("its failure", |known| is(known, ClientStatus::Failed))
        .await;
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
    assert_eq!(events(&known.told[&ID], "t"), expected);
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_restarted_signalled_and_stopped() {
    let (servers, dir) = (Servers::new(), tempfile::tempdir().unwrap());
    let client = client(&servers, dir.path(), true).await;
    let script = "trap 'echo usr1' USR1; echo up; while true; do sleep 0.05; done";
    servers.want(alloc(7, "service", shell(script)));
    servers
        .until("its start", |known| is(known, ClientStatus::Running))
        .await;
    while logs(&client).await != "up\n" {
        tokio::task::yield_now().await;
    }
    ask(
        &client,
        Op::ClientAllocSignal,
        &[],
        r#"{"Task":"t","Signal":"SIGUSR1"}"#,
    )
    .await
    .unwrap();
    while logs(&client).await != "up\nusr1\n" {
        tokio::task::yield_now().await;
    }
    ask(&client, Op::ClientAllocRestart, &[], r#"{"TaskName":"t"}"#)
        .await
        .unwrap();
    let again = |alloc: &Allocation| {
        alloc.task_states["t"].restarts == 1 && alloc.task_states["t"].state == TaskPhase::Running
    };
    servers
        .until("its restart", |known| again(&known.told[&ID]))
        .await;
    servers.stop(ID);
    let known = servers
        .until("its end", |known| is(known, ClientStatus::Complete))
        .await;
    let seen = events(&known.told[&ID], "t");
    assert_eq!(seen[seen.len() - 3..], ["Killing", "Terminated", "Killed"]);
    let error = ask(&client, Op::ClientAllocRestart, &[], "{}")
        .await
        .unwrap_err();
    assert_eq!(error.message, "restart of an alloc that should not run");
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_outlives_the_agent_and_is_taken_up_again() {
    let (servers, dir) = (Servers::new(), tempfile::tempdir().unwrap());
    let first = client(&servers, dir.path(), false).await;
    let id = first.node_id();
    servers.want(alloc(
        7,
        "service",
        shell("echo $$; while [ ! -e $NOMAD_TASK_DIR/end ]; do sleep 0.02; done; exit 4"),
    ));
    servers
        .until("its start", |known| is(known, ClientStatus::Running))
        .await;
    while logs(&first).await.is_empty() {
        tokio::task::yield_now().await;
    }
    let before = servers.known().told[&ID].clone();
    first.shutdown().await;
    drop(first);
    let second = client(&servers, dir.path(), false).await;
    assert_eq!(second.node_id(), id);
    servers
        .until("the node's return", |known| known.ready)
        .await;
    assert_eq!(
        events(&servers.known().told[&ID], "t"),
        events(&before, "t")
    );
    assert_eq!(logs(&second).await.lines().count(), 1);
    let end = dir
        .path()
        .join("alloc")
        .join(ID.to_string())
        .join("t/local/end");
    std::fs::write(end, "").unwrap();
    let failed = |alloc: &Allocation| {
        let events = &alloc.task_states["t"].events;
        events
            .iter()
            .any(|event| event.display_message() == "Exit Code: 4")
    };
    servers
        .until("its exit code", |known| failed(&known.told[&ID]))
        .await;
    servers.stop(ID);
    servers
        .until("its end", |known| {
            known.told[&ID].task_states["t"].state == TaskPhase::Dead
        })
        .await;
    second.shutdown().await;
}
