//! What garbage collection takes away, its node learns of: once.

use crate::PATIENCE;
use crate::support::{evaluation, node, service, start};
use caravan_model::*;
use caravan_server::ServerConfig;
use caravan_state::{Command, JobKey, JobRemoval};
use std::sync::Arc;
use std::time::Duration as Wall;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_told_once_what_was_forgotten() {
    let server = start(ServerConfig::default()).await;
    let service_of_nodes = server.node_service();
    let node = node(1);
    let id = node.id;
    service_of_nodes
        .register(node)
        .await
        .expect("the node registers");

    let job = service("web", 1);
    let now = UnixNanos(1_800_000_000_000_000_000);
    let eval = Some(evaluation(1, &job, trigger::JOB_REGISTER));
    let command = Command::RegisterJob {
        job: Arc::new(job.clone()),
        submission: None,
        eval,
        policy_ids: Vec::new(),
        now,
    };
    server
        .proposer()
        .propose(&command)
        .await
        .expect("the job is registered");
    let (mut index, mut allocs) = (0, Vec::new());
    while allocs.is_empty() {
        (index, allocs) = service_of_nodes.allocations(id, index, PATIENCE).await;
    }

    let command = Command::DeregisterJobs {
        jobs: vec![JobRemoval {
            job: JobKey::new(job.namespace.clone(), job.id.clone()),
            purge: true,
            no_shutdown_delay: false,
        }],
        evals: Vec::new(),
        now,
    };
    server
        .proposer()
        .propose(&command)
        .await
        .expect("the job is purged");
    while !allocs.is_empty() {
        (index, allocs) = service_of_nodes.allocations(id, index, PATIENCE).await;
    }
    let again = service_of_nodes.allocations(id, index, PATIENCE);
    let again = tokio::time::timeout(Wall::from_millis(300), again).await;
    assert!(
        again.is_err(),
        "there is nothing new to tell since {index}, so the call waits: {again:?}"
    );
    server.shutdown().await;
}
