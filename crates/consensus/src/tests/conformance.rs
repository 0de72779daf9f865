//! The Raft library's own suite for stores, on ours: in memory and on disk.

use std::sync::Arc;

use openraft::{
    StorageError,
    testing::log::{StoreBuilder, Suite},
};
use tempfile::TempDir;

use crate::{
    Capture, Committed, RestoreError, StateMachine,
    raft::Types,
    store::{apply::Applier, disk, log::LogStore, snapshot::SnapshotStore},
};

/// Forgets everything.
struct Blank;

impl StateMachine for Blank {
    type Reply = ();

    fn apply(&mut self, batch: Vec<Committed>) -> Vec<()> {
        vec![(); batch.len()]
    }

    fn advance(&mut self, _index: u64) {}

    fn snapshot(&self) -> Capture {
        Box::new(|out| out.write_all(b"blank"))
    }

    fn restore(&mut self, _index: u64, data: &[u8]) -> Result<(), RestoreError> {
        match data {
            b"blank" | b"" => Ok(()),
            _ => Err(RestoreError("not blank".to_owned())),
        }
    }
}

struct InMemory;

impl StoreBuilder<Types, LogStore, Applier<Blank>, ()> for InMemory {
    async fn build(&self) -> Result<((), LogStore, Applier<Blank>), StorageError<Types>> {
        let applier = Applier::new(Blank, SnapshotStore::memory());
        Ok(((), LogStore::memory(), applier))
    }
}

/// `cache` zero forces every read to the disk.
struct OnDisk {
    cache: usize,
}

impl StoreBuilder<Types, LogStore, Applier<Blank>, Arc<TempDir>> for OnDisk {
    async fn build(&self) -> Result<(Arc<TempDir>, LogStore, Applier<Blank>), StorageError<Types>> {
        let directory = Arc::new(TempDir::new().expect("a directory for the test"));
        let log = disk::open(&directory.path().join("log"), 0, self.cache).expect("a new log");
        let snapshots =
            SnapshotStore::open(&directory.path().join("snapshot")).expect("no snapshot yet");
        let store = LogStore::on_disk(log.tail, log.disk);
        Ok((directory, store, Applier::new(Blank, snapshots)))
    }
}

#[tokio::test]
async fn the_memory_store_conforms() {
    Suite::test_all(InMemory).await.expect("the whole suite");
}

#[tokio::test]
async fn the_disk_store_conforms() {
    Suite::test_all(OnDisk { cache: 4 << 20 })
        .await
        .expect("the whole suite");
}

#[tokio::test]
async fn the_disk_store_conforms_without_its_cache() {
    Suite::test_all(OnDisk { cache: 0 })
        .await
        .expect("the whole suite");
}
