//! What is told of the servers in figures is what is told of them in words.

use crate::PATIENCE;
use crate::support::start;
use caravan_consensus::PeerInfo;
use caravan_server::ServerConfig;
use std::time::Duration as Wall;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_be_reached_is_not_called_healthy() {
    let server = start(ServerConfig::default()).await;
    let health = server.numbers().health.expect("it leads");
    assert!(health.healthy);

    let consensus = server.consensus().clone();
    let nobody = PeerInfo {
        address: "127.0.0.1:1".to_owned(),
        name: "nobody".to_owned(),
    };
    // It would be waited for until it has caught up.
    let adding = tokio::spawn(async move { consensus.add_learner(2, nobody).await });
    let known = async {
        while server.consensus().members().len() < 2 {
            tokio::time::sleep(Wall::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, known)
        .await
        .expect("it becomes a member");
    let health = server.numbers().health.expect("it leads");
    assert!(!health.healthy);
    assert_eq!(health.failure_tolerance, 0, "of one voter none may fail");
    adding.abort();
}
