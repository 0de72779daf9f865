//! Data of an allocation that was on another node.

use std::path::Path;
use std::sync::Arc;

use caravan_model::{AllocId, Allocation, ClientStatus, EphemeralDisk};

use crate::support::{
    Known, Servers, alloc, alloc_dir, client, folder, id, logs, messages, own, shell, until_logs,
    with_group,
};

/// An allocation that takes the place of one elsewhere.
fn successor(script: &str) -> Allocation {
    let mut alloc = with_group(alloc(own(), "batch", shell(script)), |group| {
        group.ephemeral_disk = EphemeralDisk {
            migrate: true,
            ..EphemeralDisk::default()
        };
    });
    alloc.previous_allocation = AllocId::from_u128(77);
    alloc
}

/// What another node sends, whose tasks may have put anything in their directories.
fn archive() -> Vec<u8> {
    let from = tempfile::tempdir().unwrap();
    let put = |path: &str, content: &str| {
        let path = from.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    put("alloc/data/kept", "kept\n");
    put("t/local/deep/mine", "mine\n");
    put("t/secrets/planted", "planted\n");
    put("alloc/logs/planted", "planted\n");
    std::os::unix::fs::symlink("/etc", from.path().join("t/local/out")).unwrap();
    let paths = ["alloc/data", "t/local", "t/secrets", "alloc/logs"].map(Path::new);
    let mut bytes = Vec::new();
    caravan_host::tree::pack(from.path(), &paths, &mut bytes).unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn data_comes_before_the_tasks_and_nothing_else_does() {
    let (servers, dir) = (Servers::new(), folder());
    servers.set(|known| known.data = Some(archive()));
    let client = client(&servers, dir.path(), true).await;
    servers.want(successor("cat $NOMAD_ALLOC_DIR/data/kept local/deep/mine; ls secrets $NOMAD_ALLOC_DIR/logs | grep -c planted || true"));
    servers.until_it_is(ClientStatus::Complete).await;
    assert_eq!(logs(&client).await, "kept\nmine\n0\n");
    let out = alloc_dir(dir.path()).join("t/local/out");
    assert_eq!(std::fs::read_link(out).unwrap(), Path::new("/etc"));
    assert!(!alloc_dir(dir.path()).join(".incoming").exists());
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_data_it_starts_and_says_so() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    for damaged in [None, Some(archive()[..3000].to_vec())] {
        servers.set(|known| known.data = damaged);
        servers.want(successor(
            "ls $NOMAD_ALLOC_DIR/data local | grep -c . || true",
        ));
        let known = servers.until_it_is(ClientStatus::Complete).await;
        let said = messages(&known.told[&id()], "t");
        let wanted = "the data of allocation 00000000-0000-0000-0000-00000000004d cannot be fetched, and is not there: ";
        assert!(said.iter().any(|text| text.starts_with(wanted)), "{said:?}");
        servers.forget(id());
        crate::support::until("its directory is gone", || {
            (!alloc_dir(dir.path()).exists()).then_some(())
        })
        .await;
        servers.set(|known| drop(known.told.remove(&id())));
    }
    client.shutdown().await;
}

const WAITS: &str = "while [ ! -e $NOMAD_TASK_DIR/end ]; do sleep 0.02; done";

/// An allocation of a disk that follows the job, on the same node or from another one.
fn follower(script: &str, previous: AllocId) -> Allocation {
    let mut alloc = with_group(alloc(own(), "batch", shell(script)), |group| {
        group.ephemeral_disk = EphemeralDisk {
            sticky: true,
            migrate: true,
            ..EphemeralDisk::default()
        };
    });
    alloc.previous_allocation = previous;
    alloc
}

/// Restarts the agent while the successor runs, and looks that its task's data stays.
async fn keeps_data_over_a_restart(servers: &Arc<Servers>, dir: &Path, previous: AllocId) {
    let first = client(servers, dir, false).await;
    let script = format!(
        "cat local/deep/mine; echo own > local/deep/mine; echo ready; {WAITS}; cat local/deep/mine"
    );
    servers.want(follower(&script, previous));
    servers.until_it_is(ClientStatus::Running).await;
    until_logs(&first, |written| written.ends_with("ready\n")).await;
    first.shutdown().await;
    drop(first);
    let second = client(servers, dir, false).await;
    servers
        .until("the node's return", |known| known.ready)
        .await;
    let local = alloc_dir(dir).join("t/local");
    assert_eq!(
        std::fs::read_to_string(local.join("deep/mine")).unwrap(),
        "own\n"
    );
    std::fs::write(local.join("end"), "").unwrap();
    servers.until_it_is(ClientStatus::Complete).await;
    assert_eq!(logs(&second).await, "mine\nready\nown\n");
    servers.forget(id());
    crate::support::until("its directory is gone", || {
        (!alloc_dir(dir).exists()).then_some(())
    })
    .await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tasks_made_of_moved_data_outlives_the_agent() {
    let (servers, dir) = (Servers::new(), folder());
    let previous = AllocId::from_u128(own() ^ 1);
    let writes = shell("mkdir local/deep; echo mine > local/deep/mine");
    servers.want(alloc(own() ^ 1, "batch", writes));
    let node = client(&servers, dir.path(), false).await;
    let ended = |known: &Known| {
        let told = known.told.get(&previous);
        told.is_some_and(|alloc| alloc.client_status == ClientStatus::Complete)
    };
    servers.until("the end of the one before", ended).await;
    node.shutdown().await;
    drop(node);
    keeps_data_over_a_restart(&servers, dir.path(), previous).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_tasks_made_of_fetched_data_outlives_the_agent() {
    let (servers, dir) = (Servers::new(), folder());
    let from = tempfile::tempdir().unwrap();
    let deep = from.path().join("t/local/deep");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("mine"), "mine\n").unwrap();
    let mut bytes = Vec::new();
    caravan_host::tree::pack(from.path(), &[Path::new("t/local")], &mut bytes).unwrap();
    servers.set(|known| known.data = Some(bytes));
    keeps_data_over_a_restart(&servers, dir.path(), AllocId::from_u128(77)).await;
}
