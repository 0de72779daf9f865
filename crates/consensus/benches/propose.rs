//! Proposals: one after the other, and 256 clients at once; in memory and on disk.

use std::{sync::Arc, time::Instant};

use caravan_consensus::{
    Capture, Committed, Config, Consensus, MemoryNetwork, PeerInfo, RestoreError, StateMachine,
    Storage,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;

struct Sink;

impl StateMachine for Sink {
    type Reply = u64;

    fn apply(&mut self, batch: Vec<Committed>) -> Vec<u64> {
        batch.iter().map(|entry| entry.index).collect()
    }

    fn advance(&mut self, _index: u64) {}

    fn snapshot(&self) -> Capture {
        Box::new(|_| Ok(()))
    }

    fn restore(&mut self, _index: u64, _data: &[u8]) -> Result<(), RestoreError> {
        Ok(())
    }
}

fn node(runtime: &Runtime, storage: Storage) -> Consensus<Sink> {
    runtime.block_on(async {
        let transport = MemoryNetwork::new().transport(1);
        let node = Consensus::start(Config::new(1, storage), Sink, transport)
            .await
            .expect("the node starts");
        let members = [(1, PeerInfo::new("127.0.0.1:4647", "bench"))];
        node.bootstrap(members.into())
            .await
            .expect("the cluster forms");
        node
    })
}

fn propose(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let directory = tempfile::TempDir::new_in(".").expect("a directory on disk");
    let stores = [
        ("memory", Storage::Memory),
        ("disk", Storage::Disk(directory.path().join("raft"))),
    ];
    for (name, storage) in stores {
        let node = node(&runtime, storage);
        let command = Arc::new(bytes::Bytes::from(vec![7; 400]));
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(1)).sample_size(10);
        for clients in [1, 256] {
            group.bench_function(format!("{clients} clients"), |bencher| {
                bencher.iter_custom(|count| {
                    let (node, command) = (node.clone(), Arc::clone(&command));
                    runtime.block_on(drive(node, command, clients, count))
                });
            });
        }
        group.finish();
        runtime.block_on(node.shutdown());
    }
}

/// `count` proposals by so many clients, each waiting for its own.
async fn drive(
    node: Consensus<Sink>,
    command: Arc<bytes::Bytes>,
    clients: u64,
    count: u64,
) -> std::time::Duration {
    let started = Instant::now();
    let tasks = (0..clients).map(|client| {
        let share = count / clients + u64::from(client < count % clients);
        let (node, command) = (node.clone(), bytes::Bytes::clone(&command));
        tokio::spawn(async move {
            for _ in 0..share {
                node.propose(command.clone()).await.expect("acknowledged");
            }
        })
    });
    for result in futures::future::join_all(tasks).await {
        result.expect("no client panics");
    }
    started.elapsed()
}

criterion_group!(benches, propose);
criterion_main!(benches);
