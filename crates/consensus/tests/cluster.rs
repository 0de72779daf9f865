//! Several servers in one process.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use caravan_consensus::{Config, MembershipError, ProposeError, Storage, TransferError};
use support::*;
use tempfile::TempDir;

fn three() -> Vec<Config> {
    (1..=3).map(|id| quick(id, Storage::Memory)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_apply_what_the_leader_acknowledged() {
    let (_network, nodes) = cluster(three()).await;
    let at = leader(&nodes);
    propose_many(&nodes[at].0, "x", 200).await;
    let expected = nodes[at].1.values();
    for (node, records) in &nodes {
        eventually("all is applied", || records.values() == expected).await;
        assert_eq!(node.members().len(), 3);
        let status = node.status();
        assert_eq!(status.peers.len(), if node.is_leader() { 2 } else { 0 });
        assert!(status.last_contact.is_some());
    }
    let follower = &nodes[(at + 1) % 3].0;
    match follower.propose("no").await.unwrap_err() {
        ProposeError::NotLeader {
            leader: Some(leader),
        } => {
            assert_eq!(leader.id, nodes[at].0.node_id());
            assert_eq!(leader.address, peer(leader.id).address);
        }
        other => panic!("{other}"),
    }
}

/// Clients write through whoever leads while leaders are cut off, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_proposal_is_lost_with_its_leader() {
    let directories: Vec<TempDir> = (0..3).map(|_| TempDir::new().unwrap()).collect();
    let configs = (1..=3).zip(&directories).map(|(id, directory)| Config {
        snapshot_threshold: 200,
        trailing_logs: 50,
        leader_wait: Duration::from_millis(100),
        propose_timeout: Duration::from_secs(1),
        ..quick(id, disk(directory.path()))
    });
    let (network, nodes) = cluster(configs.collect()).await;
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let nodes: Vec<Node> = nodes.iter().map(|(node, _)| node.clone()).collect();
            let (acknowledged, done) = (Arc::clone(&acknowledged), Arc::clone(&done));
            tokio::spawn(async move {
                let mut n = 0;
                while !done.load(Ordering::Relaxed) {
                    for node in &nodes {
                        let value = format!("{client}.{n}");
                        if node.propose(value.clone()).await.is_ok() {
                            acknowledged.lock().unwrap().insert(value);
                        }
                        n += 1;
                    }
                }
            })
        })
        .collect();
    for _ in 0..3 {
        let before = acknowledged.lock().unwrap().len();
        let old = leader_of_most(&nodes).await;
        let rest: Vec<u64> = (1..=3).filter(|id| *id != old).collect();
        network.partition(&[old], &rest);
        for (node, _) in nodes.iter().filter(|(node, _)| node.node_id() != old) {
            until(node, |now| {
                now.leader.as_ref().is_some_and(|leader| leader.id != old)
            })
            .await;
        }
        eventually("the rest makes progress", || {
            acknowledged.lock().unwrap().len() > before + 50
        })
        .await;
        network.heal();
    }
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() > 150);
    for (_, records) in &nodes {
        eventually("every node has all of it", || {
            let values: BTreeSet<String> = records.values().into_iter().collect();
            acknowledged.is_subset(&values)
        })
        .await;
    }
    eventually("all nodes agree", || {
        let rows = nodes[0].1.seen().rows;
        nodes.iter().all(|(_, records)| records.seen().rows == rows)
    })
    .await;
    for (node, _) in &nodes {
        node.shutdown().await;
    }
}

async fn leader_of_most(nodes: &[(Node, Records)]) -> u64 {
    let mut found = None;
    eventually("two nodes agree on a leader", || {
        let named: Vec<u64> = nodes
            .iter()
            .filter_map(|(node, _)| Some(node.leader()?.id))
            .collect();
        found = named
            .iter()
            .copied()
            .find(|id| named.iter().filter(|other| *other == id).count() >= 2);
        found.is_some()
    })
    .await;
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_server_catches_up_by_snapshot() {
    let directories: Vec<TempDir> = (0..2).map(|_| TempDir::new().unwrap()).collect();
    let config = |id: u64| Config {
        snapshot_threshold: 100,
        trailing_logs: 0,
        ..quick(id, disk(directories[id as usize - 1].path()))
    };
    let (network, nodes) = cluster(vec![config(1)]).await;
    let first = &nodes[0].0;
    // More than one piece of a snapshot.
    let large = "x".repeat(5000);
    let last = propose_many(first, &large, 600).await.into_iter().max();
    eventually("all are applied", || first.status().applied >= last).await;
    first.trigger_snapshot().await.unwrap();
    eventually("the log is purged", || first.status().purged >= last).await;

    let (second, records) = start(config(2), &network).await;
    first.add_voter(2, peer(2)).await.unwrap();
    eventually("the new server has everything", || {
        records.values() == nodes[0].1.values()
    })
    .await;
    assert_eq!(records.seen().restores, 1);
    let voters: Vec<u64> = first
        .members()
        .iter()
        .filter(|m| m.voter)
        .map(|m| m.id)
        .collect();
    assert_eq!(voters, [1, 2]);
    second.shutdown().await;

    // What it received is on its disk.
    let (second, records) = start(config(2), &network).await;
    eventually("it has everything again", || {
        records.values() == nodes[0].1.values()
    })
    .await;
    first.propose("both").await.unwrap();
    second.shutdown().await;
}

/// A server that leads nobody rests, and sends heartbeats again as soon as there is somebody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_of_nobody_that_takes_others_in_is_heard_by_them() {
    let (network, nodes) = cluster(vec![quick(1, Storage::Memory)]).await;
    let first = &nodes[0].0;
    first.propose("alone").await.unwrap();
    let term = first.status().term;
    let (second, records) = start(quick(2, Storage::Memory), &network).await;
    let (third, _) = start(quick(3, Storage::Memory), &network).await;
    first.add_voter(2, peer(2)).await.unwrap();
    first.add_voter(3, peer(3)).await.unwrap();
    // Nothing is proposed, so what is heard are heartbeats.
    let (mut before, mut heard) = (None, 0);
    eventually("twenty heartbeats, more than the longest silence", || {
        let silence = second.status().last_contact;
        heard += usize::from(silence < before);
        before = silence;
        heard >= 20
    })
    .await;
    assert_eq!(first.status().term, term, "nobody stood for election");
    first.shutdown().await;
    network.unregister(1);
    let next = until(&third, |now| {
        now.leader.as_ref().is_some_and(|it| it.id != 1)
    })
    .await;
    let next = next.leader.unwrap().id;
    let new = if next == 2 { &second } else { &third };
    until(new, |now| now.is_leader).await;
    new.propose("without the first").await.unwrap();
    eventually("the other has it", || {
        records.values() == ["alone", "without the first"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go() {
    let (network, mut nodes) = cluster(three()).await;
    nodes.push(start(quick(4, Storage::Memory), &network).await);
    let at = leader(&nodes);
    let head = nodes[at].0.clone();
    // The first change of members must be over, else the next is refused.
    head.barrier().await.unwrap();
    head.add_learner(4, peer(4)).await.unwrap();
    assert_eq!(head.members().iter().filter(|m| m.voter).count(), 3);
    let mut moved = peer(4);
    moved.address = "10.0.0.44:4647".to_owned();
    head.add_voter(4, moved.clone()).await.unwrap();
    let four = head.members().into_iter().find(|m| m.id == 4).unwrap();
    assert!(four.voter && four.address == moved.address);
    head.demote(4).await.unwrap();
    head.remove(4).await.unwrap();
    let error = head.remove(4).await.unwrap_err();
    assert!(
        matches!(error, MembershipError::Unknown { id: 4 }),
        "{error}"
    );
    let others: Vec<u64> = head
        .members()
        .iter()
        .map(|m| m.id)
        .filter(|id| *id != head.node_id())
        .collect();
    for id in others {
        head.remove(id).await.unwrap();
    }
    let error = head.remove(head.node_id()).await.unwrap_err();
    assert!(matches!(error, MembershipError::LastVoter), "{error}");
    head.propose("alone").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over() {
    let (_network, nodes) = cluster(three()).await;
    let at = leader(&nodes);
    let old = nodes[at].0.clone();
    old.propose("x").await.unwrap();
    let wanted = nodes[(at + 1) % 3].0.node_id();
    assert_eq!(old.transfer_leadership(Some(wanted)).await.unwrap(), wanted);
    let new = &nodes[(at + 1) % 3].0;
    until(new, |now| now.is_leader).await;
    // Without delay: what a fresh leader is not ready for is waited for.
    new.propose("y").await.unwrap();
    new.barrier().await.unwrap();
    let error = old.transfer_leadership(None).await.unwrap_err();
    assert!(matches!(error, TransferError::NotLeader { .. }), "{error}");
    let error = new.transfer_leadership(Some(99)).await.unwrap_err();
    assert!(
        matches!(error, TransferError::Unknown { id: 99 }),
        "{error}"
    );
    assert_ne!(new.transfer_leadership(None).await.unwrap(), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_quorum_acknowledges_nothing() {
    let mut configs = three();
    for config in &mut configs {
        config.propose_timeout = Duration::from_secs(3);
        config.leader_wait = Duration::from_millis(500);
    }
    let (network, nodes) = cluster(configs).await;
    let at = leader(&nodes);
    let node = &nodes[at].0;
    node.propose("before").await.unwrap();
    let others: Vec<u64> = (1..=3).filter(|id| *id != node.node_id()).collect();
    network.partition(&[node.node_id()], &others);
    assert!(node.propose("lost").await.is_err());
    assert!(node.barrier().await.is_err());
    assert!(!nodes[at].1.values().contains(&"lost".to_owned()));
}
