//! A snapshot that is put back is put back whole, and nodes learn what it does not have.

use crate::PATIENCE;
use crate::support::{evaluation, node, propose, register, service, start};
use bytes::Bytes;
use caravan_http::{Answer, Api, ApiRequest, Body, Op};
use caravan_model::*;
use caravan_server::{Server, ServerConfig};
use caravan_state::Command;
use std::path::PathBuf;
use std::time::Duration as Wall;

/// Longer than [`PATIENCE`]: nothing here may wait for its end.
const WAIT: Wall = Wall::from_secs(600);

/// A server that keeps its log in a folder of this name.
async fn start_in(name: &str) -> (Server, PathBuf) {
    let folder = std::env::temp_dir().join(format!("restore-{name}-{}", std::process::id()));
    let config = ServerConfig {
        data_dir: Some(folder.clone()),
        ..ServerConfig::default()
    };
    (start(config).await, folder)
}

async fn add_pool(server: &Server, name: &str) {
    let pool = NodePool {
        name: name.into(),
        ..NodePool::default()
    };
    propose(server, Command::UpsertNodePools { pools: vec![pool] }).await;
}

async fn saved(server: &Server) -> Bytes {
    let request = ApiRequest::internal(Op::StateSnapshotSave);
    match server.api().call(request).await {
        Ok(Answer {
            body: Body::Bytes(bytes),
            ..
        }) => bytes,
        other => panic!("a snapshot is saved: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_is_carried_through_though_its_caller_goes_away() {
    let (server, folder) = start_in("caller").await;
    add_pool(&server, "before").await;
    let mut request = ApiRequest::internal(Op::StateSnapshotRestore);
    request.body = saved(&server).await;
    add_pool(&server, "after").await;
    let mut leading = server.leading();
    leading.mark_unchanged();

    let api = server.api();
    tokio::select! {
        biased;
        answer = api.call(request) => panic!("answered at once: {answer:?}"),
        () = std::future::ready(()) => {}
    }

    let mut index = server.store().index();
    let restored = index.wait_for(|_| {
        server
            .store()
            .snapshot()
            .node_pool(&"after".into())
            .is_none()
    });
    tokio::time::timeout(PATIENCE, restored)
        .await
        .expect("the state is put back")
        .expect("the server goes on");
    assert!(
        server
            .store()
            .snapshot()
            .node_pool(&"before".into())
            .is_some()
    );
    tokio::time::timeout(PATIENCE, leading.changed())
        .await
        .expect("leading is begun anew")
        .expect("the server goes on");
    drop(server);
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_learns_at_once_that_its_allocations_are_not_in_the_restored_state() {
    let (server, folder) = start_in("node").await;
    let (nodes, node) = (server.node_service(), node(1));
    let id = node.id;
    nodes.register(node).await.expect("the node registers");
    let before = saved(&server).await;
    let job = service("web", 1);
    let eval = evaluation(1, &job, trigger::JOB_REGISTER);
    register(&server, job, Some(eval)).await;
    let (mut index, mut allocs) = (0, Vec::new());
    while allocs.is_empty() {
        (index, allocs) = nodes.allocations(id, index, WAIT).await;
    }

    let asking = nodes.allocations(id, index, WAIT);
    let mut request = ApiRequest::internal(Op::StateSnapshotRestore);
    request.body = before;
    let api = server.api();
    let both = async { tokio::join!(asking, api.call(request)) };
    let ((_, left), answered) = tokio::time::timeout(PATIENCE, both)
        .await
        .expect("the node is told");
    answered.expect("the state is put back");
    assert!(left.is_empty(), "{left:?}");
    drop(server);
    std::fs::remove_dir_all(&folder).expect("removed");
}
