//! What happens while the change of a node is on its way to the log, and when it does not get there.

use super::*;
use crate::testing::{NODE, begin, looked_at, register_system_job};

#[tokio::test]
async fn what_comes_to_concern_a_node_while_its_status_changes_is_looked_at() {
    let server = begin().await;
    let shared = &server.shared;
    let before = shared.store.snapshot();
    register_system_job(shared).await;
    let known = before.node(&NODE).unwrap();
    let down = set_status(shared, &before, known, NodeStatus::Down, None).await;
    down.unwrap();
    assert_eq!(looked_at(shared), ["everywhere"]);
}

#[tokio::test]
async fn a_silent_node_that_could_not_be_marked_is_waited_for_again() {
    let server = begin().await;
    let shared = &server.shared;
    assert_eq!(shared.nodes.lock().active(), 0);
    server.shutdown().await;
    assert!(Nodes::mark_silent(shared, NODE).await.is_err());
    assert_eq!(shared.nodes.lock().active(), 1);
}
