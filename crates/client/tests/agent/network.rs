//! Groups with a network of their own: a namespace, a bridge, ports mapped from the host.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use caravan_model::{
    AllocatedPort, AllocatedResources, Allocation, ClientStatus, DnsConfig, NetworkResource,
};

use crate::support::{
    Servers, alloc, alloc_dir, client_with, folder, id, logs, messages, own, shell, skipped, until,
    until_logs,
};

const PLUGINS: &str = "/usr/lib/cni";

fn cannot(name: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    let plugins = ["bridge", "portmap", "host-local", "loopback", "firewall"];
    let has_plugins = plugins
        .iter()
        .all(|plugin| Path::new(PLUGINS).join(plugin).exists());
    let iptables = Command::new("iptables")
        .args(["-t", "nat", "-L", "-n"])
        .output()
        .is_ok_and(|output| output.status.success());
    let reason = if !root {
        "needs root"
    } else if !has_plugins {
        "needs the CNI plugins in /usr/lib/cni (containernetworking-plugins)"
    } else if !iptables {
        "needs iptables"
    } else {
        return false;
    };
    skipped(name, reason);
    true
}

fn networked(alloc: Allocation, network: NetworkResource, ports: Vec<AllocatedPort>) -> Allocation {
    let mut alloc = alloc;
    let mut given = AllocatedResources::clone(alloc.allocated_resources.as_ref().unwrap());
    given.shared.networks = vec![network];
    given.shared.ports = ports;
    alloc.allocated_resources = Some(Arc::new(given));
    alloc
}

fn mode(mode: &str) -> NetworkResource {
    NetworkResource {
        mode: mode.into(),
        ..NetworkResource::default()
    }
}

fn namespace() -> PathBuf {
    Path::new("/var/run/netns").join(id().to_string())
}

async fn until_no_namespace() {
    until("the end of its namespace", || {
        (!namespace().exists()).then_some(())
    })
    .await;
}

fn free_port() -> i64 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    i64::from(listener.local_addr().unwrap().port())
}

/// What answers at a port of the host.
fn ask(port: i64) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", u16::try_from(port).ok()?)).ok()?;
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(2)))
        .ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_with_a_mapped_port() {
    if cannot("a_bridge_with_a_mapped_port") {
        return;
    }
    let (servers, dir) = (Servers::new(), folder());
    let bridge = |config: &mut caravan_client::ClientConfig| {
        config.dev = true;
        config.bridge_network_name = "caravantest0".into();
        config.bridge_network_subnet = "172.26.254.0/24".into();
    };
    let client = client_with(&servers, dir.path(), bridge).await;
    let port = free_port();
    let mapped = AllocatedPort {
        label: "http".into(),
        value: port,
        to: 8080,
        host_ip: "127.0.0.1".into(),
        ..AllocatedPort::default()
    };
    let script = "echo $NOMAD_PORT_http $NOMAD_HOST_PORT_http $NOMAD_ALLOC_ADDR_http $NOMAD_ALLOC_INTERFACE_http; hostname;
        echo inside > index.html; exec python3 -m http.server 8080";
    let mut network = mode("bridge");
    network.dns = Some(DnsConfig {
        servers: vec!["10.9.8.7".into()],
        ..DnsConfig::default()
    });
    servers.want(networked(
        alloc(own(), "service", shell(script)),
        network,
        vec![mapped],
    ));
    let known = servers
        .until("its address", |known| {
            known.told.get(&id()).is_some_and(|alloc| {
                alloc
                    .network_status
                    .as_ref()
                    .is_some_and(|status| !status.address.is_empty())
            })
        })
        .await;
    let status = known.told[&id()].network_status.clone().unwrap();
    assert!(status.address.starts_with("172.26.254."), "{status:?}");
    assert_eq!(status.interface_name, "eth0");
    assert_eq!(status.dns.unwrap().servers, ["10.9.8.7"]);
    servers.until_it_is(ClientStatus::Running).await;
    let answer = until("an answer through the mapped port", || ask(port)).await;
    assert!(answer.contains("inside"), "{answer}");
    let said = logs(&client).await;
    assert_eq!(
        said.lines().next().unwrap(),
        format!("8080 {port} {}:8080 eth0", status.address)
    );
    assert!(namespace().exists());
    servers.stop(id());
    servers.until_it_is(ClientStatus::Complete).await;
    until_no_namespace().await;
    let rules = Command::new("iptables")
        .args(["-t", "nat", "-S"])
        .output()
        .unwrap();
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    assert!(
        !rules.contains(&id().to_string()),
        "no rule is left: {rules}"
    );
    client.shutdown().await;
    let _ = Command::new("ip")
        .args(["link", "del", "caravantest0"])
        .output();
    let _ = Command::new("iptables")
        .args([
            "-D",
            "NOMAD-ADMIN",
            "-o",
            "caravantest0",
            "-d",
            "172.26.254.0/24",
            "-j",
            "ACCEPT",
        ])
        .output();
}

#[tokio::test(flavor = "multi_thread")]
async fn none_is_a_network_of_nothing_and_outlives_the_agent() {
    if cannot("none_is_a_network_of_nothing_and_outlives_the_agent") {
        return;
    }
    let (servers, dir) = (Servers::new(), folder());
    let first = client_with(&servers, dir.path(), |_| {}).await;
    let script = "tail -n +3 /proc/net/dev | cut -d: -f1; while [ -e local/again ]; do sleep 0.05; done; while [ ! -e local/end ]; do sleep 0.05; done; touch local/again; exit 1";
    servers.want(networked(
        alloc(own(), "service", shell(script)),
        mode("none"),
        Vec::new(),
    ));
    servers.until_it_is(ClientStatus::Running).await;
    until_logs(&first, |written| !written.is_empty()).await;
    let inode =
        |path: &Path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
    let before = inode(&namespace());
    first.shutdown().await;
    drop(first);
    let second = client_with(&servers, dir.path(), |_| {}).await;
    std::fs::write(alloc_dir(dir.path()).join("t/local/end"), "").unwrap();
    // It starts again, in the namespace that is there.
    until_logs(&second, |written| written.lines().count() >= 2).await;
    assert!(
        logs(&second).await.lines().all(|line| line.trim() == "lo"),
        "{}",
        logs(&second).await
    );
    assert_eq!(inode(&namespace()), before);
    servers.stop(id());
    until_no_namespace().await;
    second.shutdown().await;
}

/// A network of a plugin that notes what it is asked, and fails once where a file says so. It connects when none says that
/// it hangs.
fn noting(dir: &Path) -> impl FnOnce(&mut caravan_client::ClientConfig) {
    use std::os::unix::fs::PermissionsExt;
    let cni = dir.join("cni");
    std::fs::create_dir(&cni).unwrap();
    let list = r#"{"cniVersion": "1.0.0", "name": "own", "plugins": [{"type": "notes"}]}"#;
    std::fs::write(cni.join("own.conflist"), list).unwrap();
    let at = cni.display();
    let script = format!(
        "#!/bin/sh\n[ \"$CNI_COMMAND\" ] || exit 0\necho $CNI_COMMAND >> {at}/asked\nrm {at}/fails && exit 1\n\
         while [ $CNI_COMMAND = ADD ] && [ -e {at}/hangs ]; do sleep 0.05; done\n\
         [ $CNI_COMMAND = DEL ] && sleep 0.2\necho done >> {at}/asked\necho '{{\"cniVersion\": \"1.0.0\"}}'\n"
    );
    std::fs::write(cni.join("notes"), script).unwrap();
    std::fs::set_permissions(cni.join("notes"), PermissionsExt::from_mode(0o755)).unwrap();
    move |config| {
        config.dev = true;
        config.cni_config_dir.clone_from(&cni);
        config.cni_paths = vec![cni];
    }
}

/// A task that stays, in the network of [`noting`].
fn in_own_network() -> Allocation {
    networked(
        alloc(own(), "service", shell("exec sleep 3600")),
        mode("cni/own"),
        Vec::new(),
    )
}

fn asked(dir: &Path) -> String {
    let asked = std::fs::read_to_string(dir.join("cni/asked"));
    asked.unwrap_or_default().replace('\n', " ")
}

async fn until_asked(dir: &Path, expected: &str) {
    until(&format!("the plugin is asked {expected}"), || {
        (asked(dir) == expected).then_some(())
    })
    .await;
}

/// Its agent was killed when the namespace was made, and nothing in it.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_half_made_is_made_anew_and_removed_in_the_end() {
    if cannot("a_network_that_is_half_made_is_made_anew_and_removed_in_the_end") {
        return;
    }
    let (servers, dir) = (Servers::new(), folder());
    let configured = noting(dir.path());
    let made = Command::new("ip")
        .args(["netns", "add", &id().to_string()])
        .status();
    assert!(made.unwrap().success());
    let record = alloc_dir(dir.path()).join(".network");
    std::fs::create_dir_all(&record).unwrap();
    let half = serde_json::json!({"isolation": {"path": namespace()}});
    std::fs::write(record.join("network.json"), half.to_string()).unwrap();
    let client = client_with(&servers, dir.path(), configured).await;
    servers.want(in_own_network());
    servers.until_it_is(ClientStatus::Running).await;
    assert_eq!(asked(dir.path()), "DEL done ADD done ");
    // What cannot be removed at once is removed later.
    std::fs::write(dir.path().join("cni/fails"), "").unwrap();
    servers.stop(id());
    until_asked(dir.path(), "DEL done ADD done DEL DEL done ").await;
    until_no_namespace().await;
    client.shutdown().await;
}

/// In dev mode tasks end with it, and so does what was made for them.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_ends_leaves_no_network() {
    if cannot("an_agent_that_ends_leaves_no_network") {
        return;
    }
    let (servers, dir) = (Servers::new(), folder());
    let configured = noting(dir.path());
    let client = client_with(&servers, dir.path(), configured).await;
    servers.want(in_own_network());
    servers.until_it_is(ClientStatus::Running).await;
    client.shutdown().await;
    assert_eq!(asked(dir.path()), "ADD done DEL done ");
    assert!(!namespace().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_being_made_when_its_allocation_ends_is_removed() {
    if cannot("a_network_that_is_being_made_when_its_allocation_ends_is_removed") {
        return;
    }
    for forgotten in [false, true] {
        ends_while_it_is_connected(forgotten).await;
    }
}

async fn ends_while_it_is_connected(forgotten: bool) {
    let (servers, dir) = (Servers::new(), folder());
    let configured = noting(dir.path());
    let hangs = dir.path().join("cni/hangs");
    std::fs::write(&hangs, "").unwrap();
    let client = client_with(&servers, dir.path(), configured).await;
    servers.want(in_own_network());
    until_asked(dir.path(), "ADD ").await;
    servers.stop(id());
    servers.until_it_is(ClientStatus::Complete).await;
    if forgotten {
        servers.forget(id());
        until("its directory is gone", || {
            (!alloc_dir(dir.path()).exists()).then_some(())
        })
        .await;
    }
    std::fs::remove_file(hangs).unwrap();
    until_asked(dir.path(), "ADD done DEL done ").await;
    until_no_namespace().await;
    client.shutdown().await;
}

/// The operator took its configuration away meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_not_known_any_more_leaves_no_namespace() {
    if cannot("a_network_that_is_not_known_any_more_leaves_no_namespace") {
        return;
    }
    let (servers, dir) = (Servers::new(), folder());
    let configured = dir.path().join("cni/own.conflist");
    std::fs::create_dir(dir.path().join("cni")).unwrap();
    let list = r#"{"cniVersion": "1.0.0", "name": "own", "plugins": [{"type": "loopback"}]}"#;
    std::fs::write(&configured, list).unwrap();
    let client = client_with(&servers, dir.path(), |config| {
        config.dev = true;
        config.cni_config_dir = dir.path().join("cni");
    })
    .await;
    servers.want(in_own_network());
    servers.until_it_is(ClientStatus::Running).await;
    assert!(namespace().exists());
    std::fs::remove_file(&configured).unwrap();
    servers.stop(id());
    until_no_namespace().await;
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_is_not_there_fails_the_allocation() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client_with(&servers, dir.path(), |config| {
        config.dev = true;
        config.cni_config_dir = dir.path().join("cni");
    })
    .await;
    servers.want(networked(
        alloc(own(), "batch", shell("true")),
        mode("cni/nope"),
        Vec::new(),
    ));
    let known = servers.until_it_is(ClientStatus::Failed).await;
    let said = messages(&known.told[&id()], "t");
    let text = said.last().unwrap();
    assert!(text.starts_with("failed to setup alloc: pre-run hook \"network\" failed: there is no CNI network \"nope\""), "{text}");
    client.shutdown().await;
}
