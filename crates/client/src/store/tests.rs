//! What is written comes back, and a damaged file does not stop the node.

use super::*;

fn alloc(bits: u128) -> Allocation {
    let job = Job {
        id: "web".into(),
        ..Job::default()
    };
    Allocation {
        id: AllocId::from_u128(bits),
        job: Some(Arc::new(job)),
        ..Allocation::default()
    }
}

fn handle(task: &str) -> StoredHandle {
    let handle = TaskHandle {
        version: 1,
        driver: "mock".into(),
        config: caravan_driver::TaskConfig {
            name: task.into(),
            ..Default::default()
        },
        state: serde_json::json!({"pid": 7}),
    };
    StoredHandle {
        handle,
        network: None,
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (store, found) = Store::open(dir.path()).unwrap();
    assert!(found.is_empty());
    for bits in [1, 2] {
        let alloc = alloc(bits);
        store.put_alloc(&alloc);
        store.put_progress(alloc.id, &Progress::default());
        store.put_handle(alloc.id, "a", &handle("a")).await;
    }
    store.forget(AllocId::from_u128(2));
    store.put_node("meta", &5_u8);
    store.flush().await;
    drop(store);
    let (found, meta) = reopen(dir.path()).await;
    assert_eq!(found.len(), 1);
    assert_eq!(*found[0].alloc, alloc(1));
    assert_eq!(found[0].handles[0].0, "a");
    assert!(found[0].progress.is_some());
    assert_eq!(meta, Some(5));
}

/// The writing thread lets go of the file a moment after the last store.
async fn reopen(dir: &Path) -> (Vec<Stored>, Option<u8>) {
    loop {
        if let Some(meta) = read_node(dir, "meta") {
            return (Store::open(dir).unwrap().1, Some(meta));
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_damaged_file_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("state.db"), vec![7; 9000]).unwrap();
    let (store, found) = Store::open(dir.path()).unwrap();
    assert!(found.is_empty());
    store.put_alloc(&alloc(1));
    store.flush().await;
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        names
            .iter()
            .any(|name| name.to_string_lossy().starts_with("state.db.broken-"))
    );
}
