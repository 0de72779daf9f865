//! What is written comes back, and a damaged file does not stop the node.

use caravan_model::Job;
use redb::ReadableDatabase;

use super::rows::create;
use super::writer::commit;
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

fn new(stored: &StoredHandle) -> NewHandle<'_> {
    NewHandle {
        handle: &stored.handle,
        network: &stored.network,
    }
}

fn handle(task: &str) -> StoredHandle {
    let handle = TaskHandle {
        version: 1,
        driver: "mock".into(),
        config: Arc::new(caravan_driver::TaskConfig {
            name: task.into(),
            ..Default::default()
        }),
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
    let progress = NewProgress {
        states: &TaskStates::new(),
        deployment_status: None,
        network_status: &None,
        began: None,
    };
    for bits in [1, 2] {
        let alloc = alloc(bits);
        store.put_alloc(&alloc);
        store.put_progress(alloc.id, &progress);
        store.put_handle(alloc.id, "a", &new(&handle("a"))).await;
    }
    store.forget(AllocId::from_u128(2));
    store.put_node("meta", &5_u8);
    store.close().await;
    let meta: Option<u8> = read_node(dir.path(), "meta");
    let (_store, found) = Store::open(dir.path()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(*found[0].alloc, alloc(1));
    assert_eq!(found[0].handles[0].0, "a");
    assert!(found[0].progress.is_some());
    assert_eq!(meta, Some(5));
}

fn stored_jobs(dir: &Path) -> u64 {
    let database = create(&dir.join("state.db")).unwrap();
    let read = database.begin_read().unwrap();
    redb::ReadableTableMetadata::len(&read.open_table(JOBS).unwrap()).unwrap()
}

#[tokio::test]
async fn a_job_is_stored_once_for_all_of_its_allocations() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    for bits in [1, 2, 3] {
        store.put_alloc(&alloc(bits));
    }
    store.close().await;
    assert_eq!(stored_jobs(dir.path()), 1);
    let (store, found) = Store::open(dir.path()).unwrap();
    let job = |at: usize| found[at].alloc.job.clone().unwrap();
    assert!(Arc::ptr_eq(&job(0), &job(2)));
    for bits in [1, 2] {
        store.forget(AllocId::from_u128(bits));
    }
    store.close().await;
    assert_eq!(stored_jobs(dir.path()), 1);
    let (store, found) = Store::open(dir.path()).unwrap();
    assert_eq!(*found[0].alloc, alloc(3));
    store.forget(AllocId::from_u128(3));
    store.close().await;
    assert_eq!(stored_jobs(dir.path()), 0);
}

#[tokio::test]
async fn what_is_left_of_jobs_goes_and_what_earlier_agents_stored_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut bare = alloc(1);
    let job = bare.job.take();
    let rows = [
        Change::Put(ALLOCS, alloc_key(bare.id), encode(&(bare, job.as_deref()))),
        Change::Put(JOBS, b"left".to_vec(), encode(&Job::default())),
    ];
    let database = create(&dir.path().join("state.db")).unwrap();
    commit(&database, &rows).unwrap();
    drop(database);
    let (store, found) = Store::open(dir.path()).unwrap();
    assert_eq!(*found[0].alloc, alloc(1));
    store.close().await;
    assert_eq!(stored_jobs(dir.path()), 0);
}

#[tokio::test]
async fn a_damaged_file_is_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("state.db"), vec![7; 9000]).unwrap();
    let (store, found) = Store::open(dir.path()).unwrap();
    assert!(found.is_empty());
    store.put_alloc(&alloc(1));
    store.close().await;
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

#[test]
fn a_later_word_on_a_row_takes_the_place_of_an_earlier_one() {
    let put = |bits: u128| Change::Put(ALLOCS, alloc_key(AllocId::from_u128(bits)), Vec::new());
    let handle = Change::Put(HANDLES, task_key(AllocId::from_u128(1), "t"), Vec::new());
    assert!(put(1).replaces(&put(1)) && !put(1).replaces(&put(2)) && !put(1).replaces(&handle));
    let forget = Change::Forget(AllocId::from_u128(1));
    assert!(forget.replaces(&put(1)) && forget.replaces(&handle) && !forget.replaces(&put(2)));
}

#[tokio::test]
async fn what_a_full_disk_does_not_take_is_written_once_it_does() {
    let dir = tempfile::tempdir().unwrap();
    let none: Option<&str> = None;
    let mounted = nix::mount::mount(
        none,
        dir.path(),
        Some("tmpfs"),
        nix::mount::MsFlags::empty(),
        Some("size=16m"),
    );
    if mounted.is_err() {
        println!(
            "SKIPPED: what_a_full_disk_does_not_take_is_written_once_it_does: needs the right to mount"
        );
        return;
    }
    let (store, _) = Store::open(dir.path()).unwrap();
    store
        .put_handle(AllocId::from_u128(1), "t", &new(&handle("t")))
        .await;
    store.put_alloc(&alloc(1));
    let hog = dir.path().join("hog");
    let mut file = std::fs::File::create(&hog).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    // Enough that the database has to grow.
    let large = "x".repeat(64 << 10);
    for bits in 2..200 {
        let mut one = alloc(bits);
        one.name.clone_from(&large);
        store.put_alloc(&one);
    }
    store
        .put_handle(AllocId::from_u128(2), "t", &new(&handle("t")))
        .await;
    drop(file);
    std::fs::remove_file(&hog).unwrap();
    store.put_alloc(&alloc(2));
    store.put_alloc(&alloc(3));
    for bits in 4..200 {
        store.forget(AllocId::from_u128(bits));
    }
    store.close().await;
    let (_store, found) = Store::open(dir.path()).unwrap();
    assert_eq!(found.len(), 3);
    assert_eq!(
        found.iter().filter(|one| !one.handles.is_empty()).count(),
        2
    );
    let _ = nix::mount::umount2(dir.path(), nix::mount::MntFlags::MNT_DETACH);
}
