//! What is kept on disk may be damaged, missing or unwritable: the node works, and says so.

use caravan_model::{ClientStatus, TaskPhase};

use crate::support::{
    Servers, alloc, alloc_dir, client, client_with, folder, id, logs, own, shell,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_database_is_put_aside() {
    let (servers, dir) = (Servers::new(), folder());
    let state = dir.path().join("client");
    for (number, damage) in [&b"not a database at all, but quite long"[..], b""]
        .iter()
        .enumerate()
    {
        std::fs::create_dir_all(&state).unwrap();
        std::fs::write(state.join("state.db"), damage.repeat(1000)).unwrap();
        let client = client(&servers, dir.path(), false).await;
        servers.until("a ready node", |known| known.ready).await;
        let bits = own() + 10 + number as u128;
        servers.want(alloc(bits, "batch", shell("true")));
        let one = caravan_model::AllocId::from_u128(bits);
        servers
            .until("work as ever", |known| {
                known
                    .told
                    .get(&one)
                    .is_some_and(|alloc| alloc.client_status == ClientStatus::Complete)
            })
            .await;
        client.shutdown().await;
        drop(client);
        servers.set(|known| known.ready = false);
    }
    let aside = std::fs::read_dir(&state)
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains("broken"))
        .count();
    assert_eq!(aside, 1, "the damaged file is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_cut_off_is_put_aside() {
    let (servers, dir) = (Servers::new(), folder());
    let first = client(&servers, dir.path(), false).await;
    servers.want(alloc(own(), "batch", shell("true")));
    servers.until_it_is(ClientStatus::Complete).await;
    let node = first.node_id();
    first.shutdown().await;
    drop(first);
    let path = dir.path().join("client/state.db");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 3]).unwrap();
    let second = client(&servers, dir.path(), false).await;
    assert_eq!(second.node_id(), node, "the node keeps its name");
    servers.want(alloc(own() + 1, "batch", shell("true")));
    let other = caravan_model::AllocId::from_u128(own() + 1);
    servers
        .until("work as ever", |known| {
            known
                .told
                .get(&other)
                .is_some_and(|alloc| alloc.client_status == ClientStatus::Complete)
        })
        .await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_whose_directory_is_gone_ends() {
    let (servers, dir) = (Servers::new(), folder());
    let first = client(&servers, dir.path(), false).await;
    servers.want(alloc(
        own(),
        "batch",
        shell("while true; do sleep 0.05; done"),
    ));
    servers.until_it_is(ClientStatus::Running).await;
    first.shutdown().await;
    drop(first);
    let root = alloc_dir(dir.path());
    for task in ["t/secrets", "t/private"] {
        let _ = nix::mount::umount2(&root.join(task), nix::mount::MntFlags::MNT_DETACH);
    }
    std::fs::remove_dir_all(&root).unwrap();
    let second = client_with(&servers, dir.path(), |_| {}).await;
    servers.stop(id());
    servers
        .until("its end", |known| {
            known.told[&id()].task_states["t"].state == TaskPhase::Dead
        })
        .await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_tasks_and_not_the_node() {
    if !nix::unistd::geteuid().is_root() {
        return crate::support::skipped("a_full_disk_fails_tasks_and_not_the_node", "needs root");
    }
    let (servers, dir) = (Servers::new(), folder());
    let small = dir.path().join("alloc");
    std::fs::create_dir(&small).unwrap();
    let none: Option<&str> = None;
    nix::mount::mount(
        Some("tmpfs"),
        &small,
        Some("tmpfs"),
        nix::mount::MsFlags::empty(),
        Some("size=256k"),
    )
    .unwrap();
    let client = client_with(&servers, dir.path(), |config| {
        config.dev = true;
        config.gc.disk_usage_threshold = 100.0;
    })
    .await;
    servers.want(alloc(
        own(),
        "batch",
        shell("head -c 1000000 /dev/zero > local/hog; rm local/hog; echo done"),
    ));
    servers.until_it_is(ClientStatus::Complete).await;
    std::fs::write(small.join("hog"), vec![0; 1 << 20]).unwrap_err();
    servers.want(alloc(own() + 1, "batch", shell("true")));
    let other = caravan_model::AllocId::from_u128(own() + 1);
    servers
        .until("an end of the other", |known| {
            known.told.get(&other).is_some_and(|alloc| {
                matches!(
                    alloc.client_status,
                    ClientStatus::Failed | ClientStatus::Complete
                )
            })
        })
        .await;
    std::fs::remove_file(small.join("hog")).unwrap();
    servers.want(alloc(own() + 2, "batch", shell("true")));
    let third = caravan_model::AllocId::from_u128(own() + 2);
    servers
        .until("work as ever", |known| {
            known
                .told
                .get(&third)
                .is_some_and(|alloc| alloc.client_status == ClientStatus::Complete)
        })
        .await;
    assert_eq!(logs(&client).await, "done\n");
    client.shutdown().await;
    drop(client);
    let _ = none;
    let _ = nix::mount::umount2(&small, nix::mount::MntFlags::MNT_DETACH);
}
