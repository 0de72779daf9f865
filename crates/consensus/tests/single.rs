//! One server: the same path as five, without anybody to wait for.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::{
    fs,
    io::Write as _,
    time::{Duration, Instant},
};

use caravan_consensus::{
    BootstrapError, Config, Consensus, MemoryNetwork, ProposeError, Role, StartError, Storage,
};
use support::*;
use tempfile::TempDir;

#[tokio::test]
async fn a_proposal_is_applied_and_answered() {
    let (node, records) = single(Config::new(1, Storage::Memory)).await;
    let first = node.propose("one").await.unwrap();
    let second = node.propose("two").await.unwrap();
    assert_eq!((first.reply, second.reply), (1, 2));
    assert_eq!(second.index, first.index + 1);
    assert_eq!(node.barrier().await.unwrap(), second.index);
    assert_eq!(records.values(), ["one", "two"]);
    node.shutdown().await;
}

#[tokio::test]
async fn a_sole_voter_leads_without_waiting_for_an_election_timeout() {
    let directory = TempDir::new().unwrap();
    let config = Config::new(1, disk(directory.path()));
    let started = Instant::now();
    let (node, _) = single(config.clone()).await;
    node.propose("x").await.unwrap();
    node.shutdown().await;
    let (node, records) = single(config.clone()).await;
    assert!(node.is_leader(), "leads when start returns");
    node.barrier().await.unwrap();
    assert_eq!(records.values(), ["x"]);
    assert!(
        started.elapsed() < config.election_min,
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_restart_gives_back_everything_acknowledged() {
    let directory = TempDir::new().unwrap();
    let mut expected = Vec::new();
    for round in 0..3 {
        let (node, records) = single(Config::new(7, disk(directory.path()))).await;
        node.barrier().await.unwrap();
        assert_eq!(records.values(), expected, "round {round}");
        propose_many(&node, &format!("{round}."), 300).await;
        expected = records.values();
        assert_eq!(expected.len(), 300 * (round + 1));
        node.shutdown().await;
    }
}

#[test]
fn a_node_that_vanishes_gives_back_everything_acknowledged() {
    let directory = TempDir::new().unwrap();
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let config = Config::new(7, disk(directory.path()));
    let doomed = runtime();
    let (mut closed, acknowledged) = doomed.block_on(async {
        let (node, _) = single(config.clone()).await;
        let acknowledged = propose_many(&node, "kept ", 200).await;
        for n in 0..500 {
            let node = node.clone();
            tokio::spawn(async move { node.propose(format!("maybe {n}")).await });
        }
        (node.leadership_changes(), acknowledged)
    });
    // Tasks are dropped wherever they are; nothing is told to stop.
    doomed.shutdown_timeout(Duration::from_secs(10));
    drop(closed.borrow_and_update());
    runtime().block_on(async {
        let network = MemoryNetwork::new();
        let mut started = None;
        eventually("the log is released", || {
            let probe = redb_is_free(directory.path());
            started = probe.then_some(());
            probe
        })
        .await;
        let (node, records) = start(config, &network).await;
        node.barrier().await.unwrap();
        let rows = records.seen().rows;
        for (n, index) in acknowledged.iter().enumerate() {
            assert_eq!(rows[index], format!("kept {n}").as_bytes());
        }
        node.shutdown().await;
    });
}

/// The log thread lets go of the file only after its last transaction.
fn redb_is_free(directory: &std::path::Path) -> bool {
    redb::Database::open(directory.join("raft/raft.redb")).is_ok()
}

#[tokio::test]
async fn entries_outlive_many_fillings_of_the_write_ahead_file() {
    let directory = TempDir::new().unwrap();
    let config = Config::new(5, disk(directory.path()));
    let mut expected = Vec::new();
    for round in 0..3 {
        let (node, records) = single(config.clone()).await;
        node.barrier().await.unwrap();
        for n in 0..40 {
            // Some are longer than all of the file, some fill it by a third.
            let length = if n % 10 == 9 { 3 << 19 } else { 350_000 };
            let text = format!("{round} {n} ").repeat(length / 6);
            let applied = node.propose(text.clone()).await.unwrap();
            expected.push((applied.index, text));
        }
        let rows = records.seen().rows;
        for (index, text) in &expected {
            assert_eq!(rows[index], text.as_bytes());
        }
        node.shutdown().await;
    }
}

#[tokio::test]
async fn a_snapshot_compacts_the_log_and_restores() {
    let directory = TempDir::new().unwrap();
    let config = Config {
        snapshot_threshold: 100,
        trailing_logs: 10,
        ..Config::new(3, disk(directory.path()))
    };
    let (node, records) = single(config.clone()).await;
    for round in 0..5 {
        propose_many(&node, &format!("{round}."), 100).await;
    }
    let at = node.trigger_snapshot().await.unwrap();
    assert_eq!(Some(at), node.status().applied);
    eventually("the log is purged", || {
        node.status().purged.is_some_and(|purged| purged + 300 > at)
    })
    .await;
    propose_many(&node, "after ", 5).await;
    let before = records.values();
    node.shutdown().await;

    let (node, records) = single(config).await;
    node.barrier().await.unwrap();
    assert_eq!(records.values(), before);
    assert_eq!(records.seen().restores, 1);
    assert_eq!(node.status().snapshot, Some(at));
    node.propose("still works").await.unwrap();
    node.shutdown().await;
}

#[tokio::test]
async fn many_proposals_share_one_fsync() {
    let directory = TempDir::new().unwrap();
    let (node, _) = single(Config::new(1, disk(directory.path()))).await;
    node.propose("first").await.unwrap();
    let before = node.status();
    propose_many(&node, "x", 2000).await;
    let after = node.status();
    let transactions = after.log_transactions - before.log_transactions;
    assert_eq!(after.log_entries - before.log_entries, 2000);
    assert!(
        transactions <= 400,
        "{transactions} durable transactions for 2000 concurrent proposals"
    );
    // And one by one, each has its own: nothing is acknowledged before it is durable.
    let before = node.status().log_transactions;
    for _ in 0..20 {
        node.propose("y").await.unwrap();
    }
    assert!(node.status().log_transactions - before >= 20);
    node.shutdown().await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_refused_and_named() {
    let directory = TempDir::new().unwrap();
    let config = Config::new(3, disk(directory.path()));
    let (node, _) = single(config.clone()).await;
    propose_many(&node, "row ", 50).await;
    node.trigger_snapshot().await.unwrap();
    node.shutdown().await;

    let path = directory.path().join("raft/snapshot");
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut longer = good.clone();
    longer.push(0);
    for damaged in [
        &flipped[..],
        &good[..good.len() - 20],
        &good[..5],
        &longer[..],
        b"",
    ] {
        fs::write(&path, damaged).unwrap();
        match refused(config.clone()).await {
            StartError::CorruptSnapshot { path: named, .. } => assert_eq!(named, path),
            other => panic!("{other}"),
        }
    }
    fs::write(&path, &good).unwrap();
    let (node, records) = single(config).await;
    node.barrier().await.unwrap();
    assert_eq!(records.values().len(), 50);
    node.shutdown().await;
}

#[tokio::test]
async fn a_missing_snapshot_is_refused() {
    let directory = TempDir::new().unwrap();
    let config = Config {
        trailing_logs: 0,
        ..Config::new(3, disk(directory.path()))
    };
    let (node, _) = single(config.clone()).await;
    propose_many(&node, "row ", 600).await;
    node.trigger_snapshot().await.unwrap();
    eventually("the log is purged", || node.status().purged.is_some()).await;
    node.shutdown().await;
    fs::remove_file(directory.path().join("raft/snapshot")).unwrap();
    let error = refused(config).await;
    assert!(
        matches!(error, StartError::MissingSnapshot { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn leftovers_of_an_unfinished_snapshot_are_removed() {
    let directory = TempDir::new().unwrap();
    let config = Config::new(3, disk(directory.path()));
    fs::create_dir(directory.path().join("raft")).unwrap();
    let leftover = directory.path().join("raft/snapshot.tmp9");
    fs::File::create(&leftover)
        .unwrap()
        .write_all(b"half")
        .unwrap();
    let (node, _) = single(config).await;
    assert!(!leftover.exists());
    node.shutdown().await;
}

#[tokio::test]
async fn foreign_and_shared_directories_are_refused() {
    let directory = TempDir::new().unwrap();
    let (node, _) = single(Config::new(3, disk(directory.path()))).await;
    let error = refused(Config::new(3, disk(directory.path()))).await;
    assert!(matches!(error, StartError::InUse { .. }), "{error}");
    node.shutdown().await;
    let error = refused(Config::new(4, disk(directory.path()))).await;
    assert!(
        matches!(
            error,
            StartError::OtherNode {
                found: 3,
                expected: 4,
                ..
            }
        ),
        "{error}"
    );
    // What is newest may be in it alone.
    fs::remove_file(directory.path().join("raft/raft.wal")).unwrap();
    let error = refused(Config::new(3, disk(directory.path()))).await;
    assert!(error.to_string().contains("raft.wal"), "{error}");
    fs::write(
        directory.path().join("raft/raft.redb"),
        b"not a database at all",
    )
    .unwrap();
    let error = refused(Config::new(3, disk(directory.path()))).await;
    assert!(
        matches!(error, StartError::Log { .. } | StartError::Io { .. }),
        "{error}"
    );
}

async fn refused(config: Config) -> StartError {
    let network = MemoryNetwork::new();
    let transport = network.transport(config.node_id);
    match Consensus::start(config, Journal(Records::default()), transport).await {
        Ok(_) => panic!("the node started"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn bad_calls_are_refused() {
    let config = Config {
        command_limit: 10,
        leader_wait: Duration::from_millis(50),
        ..Config::new(1, Storage::Memory)
    };
    let (node, _) = start(config, &MemoryNetwork::new()).await;
    let error = node.propose("early").await.unwrap_err();
    assert!(
        matches!(error, ProposeError::NotLeader { leader: None }),
        "{error}"
    );
    let error = node.bootstrap(peers(&[2, 3])).await.unwrap_err();
    assert!(
        matches!(error, BootstrapError::NotMember { id: 1 }),
        "{error}"
    );
    node.bootstrap(peers(&[1])).await.unwrap();
    let error = node.bootstrap(peers(&[1])).await.unwrap_err();
    assert!(matches!(error, BootstrapError::AlreadyDone), "{error}");
    let error = node.propose("eleven bytes").await.unwrap_err();
    assert!(
        matches!(
            error,
            ProposeError::TooLarge {
                size: 12,
                limit: 10
            }
        ),
        "{error}"
    );
    node.shutdown().await;
    let error = node.propose("late").await.unwrap_err();
    assert!(matches!(error, ProposeError::Stopped(_)), "{error}");
    assert_eq!(node.status().role, Role::Stopped);
    let stopped = until(&node, |now| now.stopped.is_some()).await;
    assert!(!stopped.is_leader);
}

#[tokio::test]
async fn a_panicking_state_machine_stops_the_node_with_a_reason() {
    let (node, _) = single(Config::new(1, Storage::Memory)).await;
    node.propose("fine").await.unwrap();
    let error = node.propose(POISON).await.unwrap_err();
    assert!(matches!(error, ProposeError::Stopped(_)), "{error}");
    let stopped = until(&node, |now| now.stopped.is_some()).await;
    let reason = stopped.stopped.unwrap();
    assert!(reason.contains("panicked"), "{reason}");
    let error = node.propose("never").await.unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_written_does_not_stop_the_node() {
    let directory = TempDir::new().unwrap();
    let config = Config {
        snapshot_threshold: 50,
        ..Config::new(3, disk(directory.path()))
    };
    let (node, _) = single(config.clone()).await;
    // A directory in its place: the rename fails.
    let place = directory.path().join("raft/snapshot");
    fs::create_dir_all(place.join("x")).unwrap();
    propose_many(&node, "row ", 200).await;
    node.barrier().await.unwrap();
    node.propose("goes on").await.unwrap();
    assert_eq!(node.status().snapshot, None);
    node.shutdown().await;
    fs::remove_dir_all(place).unwrap();
    let (node, records) = single(config).await;
    node.barrier().await.unwrap();
    assert_eq!(records.values().len(), 201);
    node.shutdown().await;
}
