//! What garbage collection takes away, its node learns of: once.

use crate::PATIENCE;
use crate::support::{NOW, evaluation, node, propose, register, service, start};
use caravan_model::*;
use caravan_server::ServerConfig;
use caravan_state::{Command, JobKey, JobRemoval};
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
    let eval = evaluation(1, &job, trigger::JOB_REGISTER);
    register(&server, job.clone(), Some(eval)).await;
    let (mut index, mut allocs) = (0, Vec::new());
    while allocs.is_empty() {
        (index, allocs) = service_of_nodes.allocations(id, index, PATIENCE).await;
    }

    let command = Command::DeregisterJobs {
        jobs: vec![JobRemoval {
            job: JobKey::new(job.namespace.clone(), job.id.clone()),
            purge: true,
            no_shutdown_delay: false,
            only_if_dead: false,
        }],
        evals: Vec::new(),
        now: NOW,
    };
    propose(&server, command).await;
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
