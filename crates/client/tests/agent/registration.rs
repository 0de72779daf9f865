//! When a node registers: before what is slow is known, and soon after its servers are there.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::support::{Servers, client, client_with};

#[tokio::test]
async fn a_slow_program_does_not_keep_a_node_from_registering() {
    let (dir, plugins) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (plugin, gate) = (plugins.path().join("bridge"), plugins.path().join("gate"));
    let script = format!(
        "#!/bin/sh\nwhile [ ! -e {} ]; do /bin/sleep 0.02; done\necho CNI bridge plugin v1.5.1 >&2\n",
        gate.display()
    );
    std::fs::write(&plugin, script).unwrap();
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).unwrap();
    let servers = Servers::new();
    let folder = plugins.path().to_owned();
    let client = client_with(&servers, dir.path(), |config| {
        config.cni_paths = vec![folder];
    })
    .await;
    let name = "plugins.cni.version.bridge";
    let known = servers.until("the node", |known| known.ready).await;
    let node = known.node.unwrap();
    assert!(!node.attributes.contains_key(name));
    assert!(node.drivers["raw_exec"].healthy, "what is quick is there");
    std::fs::write(&gate, "").unwrap();
    let known = servers
        .until("what came later", |known| {
            let node = known.node.as_ref();
            node.is_some_and(|node| node.attributes.contains_key(name))
        })
        .await;
    let later = known.node.unwrap();
    assert_eq!(later.attributes[name], "1.5.1");
    assert_ne!(later.computed_class, node.computed_class);
    client.shutdown().await;
}

#[tokio::test]
async fn a_node_that_was_there_first_registers_soon_after_its_servers_are() {
    let dir = tempfile::tempdir().unwrap();
    let servers = Servers::new();
    servers.set(|known| known.unreachable = true);
    let client = client(&servers, dir.path(), false).await;
    // Long enough for the first attempts to fail.
    servers
        .until("two attempts", |known| known.refused >= 2)
        .await;
    servers.set(|known| known.unreachable = false);
    let since = Instant::now();
    servers.until("the node", |known| known.ready).await;
    // The third pause is a second, give or take a half.
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    client.shutdown().await;
}
