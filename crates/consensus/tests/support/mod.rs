//! A state machine that remembers everything, and nodes that carry it.
#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "each test file uses its own part"
)]

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use caravan_consensus::{
    Capture, Committed, Config, Consensus, Leadership, MemoryNetwork, PeerInfo, RestoreError,
    StateMachine, Storage,
};

/// A command that makes the journal panic.
pub const POISON: &str = "poison";

pub type Node = Consensus<Journal>;

/// Everything that was applied, by index; shared with the test.
#[derive(Clone, Default)]
pub struct Records(Arc<Mutex<Seen>>);

#[derive(Clone, Default)]
pub struct Seen {
    pub rows: BTreeMap<u64, Vec<u8>>,
    pub last: Option<u64>,
    pub restores: usize,
    pub batches: usize,
}

impl Records {
    pub fn seen(&self) -> Seen {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    pub fn values(&self) -> Vec<String> {
        let rows = self.seen().rows.into_values();
        rows.map(|row| String::from_utf8(row).unwrap()).collect()
    }

    fn step(seen: &mut Seen, index: u64) {
        assert_eq!(
            index,
            seen.last.map_or(0, |last| last + 1),
            "an index was skipped or repeated"
        );
        seen.last = Some(index);
    }
}

pub struct Journal(pub Records);

impl StateMachine for Journal {
    /// Rows so far.
    type Reply = usize;

    fn apply(&mut self, batch: Vec<Committed>) -> Vec<usize> {
        let mut seen = self.0.0.lock().unwrap();
        seen.batches += 1;
        let mut replies = Vec::with_capacity(batch.len());
        for entry in batch {
            Records::step(&mut seen, entry.index);
            assert_ne!(entry.command, POISON, "as the test wants it");
            seen.rows.insert(entry.index, entry.command.to_vec());
            replies.push(seen.rows.len());
        }
        replies
    }

    fn advance(&mut self, index: u64) {
        Records::step(&mut self.0.0.lock().unwrap(), index);
    }

    fn snapshot(&self) -> Capture {
        let seen = self.0.seen();
        Box::new(move |out| {
            for (index, row) in &seen.rows {
                out.write_all(&index.to_be_bytes())?;
                out.write_all(&(row.len() as u32).to_be_bytes())?;
                out.write_all(row)?;
            }
            Ok(())
        })
    }

    fn restore(&mut self, index: u64, mut data: &[u8]) -> Result<(), RestoreError> {
        let mut rows = BTreeMap::new();
        while let Some((head, rest)) = data.split_first_chunk::<12>() {
            let at = u64::from_be_bytes(head[..8].try_into().unwrap());
            let length = u32::from_be_bytes(head[8..].try_into().unwrap()) as usize;
            rows.insert(at, rest[..length].to_vec());
            data = &rest[length..];
        }
        let mut seen = self.0.0.lock().unwrap();
        seen.rows = rows;
        seen.last = Some(index);
        seen.restores += 1;
        Ok(())
    }
}

pub fn disk(path: &Path) -> Storage {
    Storage::Disk(path.join("raft"))
}

/// Short timeouts: the nodes share a process.
pub fn quick(id: u64, storage: Storage) -> Config {
    Config {
        heartbeat: Duration::from_millis(100),
        election_min: Duration::from_millis(600),
        election_max: Duration::from_millis(1200),
        leader_wait: Duration::from_secs(20),
        ..Config::new(id, storage)
    }
}

pub async fn start(config: Config, network: &MemoryNetwork) -> (Node, Records) {
    let records = Records::default();
    let id = config.node_id;
    let node = Consensus::start(config, Journal(records.clone()), network.transport(id))
        .await
        .expect("the node starts");
    network.register(id, Arc::new(node.clone()));
    (node, records)
}

pub async fn single(config: Config) -> (Node, Records) {
    let (node, records) = start(config, &MemoryNetwork::new()).await;
    if !node.is_bootstrapped() {
        node.bootstrap(peers(&[node.node_id()])).await.unwrap();
    }
    (node, records)
}

pub fn peers(ids: &[u64]) -> BTreeMap<u64, PeerInfo> {
    ids.iter().map(|id| (*id, peer(*id))).collect()
}

pub fn peer(id: u64) -> PeerInfo {
    PeerInfo::new(format!("10.0.0.{id}:4647"), format!("server-{id}.global"))
}

/// A started, bootstrapped cluster.
pub async fn cluster(configs: Vec<Config>) -> (MemoryNetwork, Vec<(Node, Records)>) {
    let network = MemoryNetwork::new();
    let ids: Vec<u64> = configs.iter().map(|config| config.node_id).collect();
    let mut nodes = Vec::new();
    for config in configs {
        nodes.push(start(config, &network).await);
    }
    nodes[0].0.bootstrap(peers(&ids)).await.unwrap();
    for (node, _) in &nodes {
        until(node, |now| now.leader.is_some()).await;
    }
    (network, nodes)
}

pub async fn until(node: &Node, condition: impl FnMut(&Leadership) -> bool) -> Leadership {
    let mut changes = node.leadership_changes();
    let reached = changes.wait_for(condition);
    let reached = tokio::time::timeout(Duration::from_secs(30), reached).await;
    reached.expect("within 30 s").expect("raft runs").clone()
}

pub fn leader(nodes: &[(Node, Records)]) -> usize {
    nodes
        .iter()
        .position(|(node, _)| node.is_leader())
        .expect("a leader")
}

/// Polls what has no signal to wait on.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 30 s: {what}");
}

pub async fn propose_many(node: &Node, prefix: &str, count: usize) -> Vec<u64> {
    let proposals = (0..count).map(|n| node.propose(format!("{prefix}{n}")));
    let results = futures::future::join_all(proposals).await;
    results
        .into_iter()
        .map(|result| result.expect("acknowledged").index)
        .collect()
}
