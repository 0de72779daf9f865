//! How servers come to be a cluster: once as many as expected know each other they form one; the leader takes in whoever
//! comes later, and out who leaves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use caravan_consensus::{Member, PeerInfo};
use caravan_rpc::Pool;
use caravan_server::Server;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;

use super::circle::{Circle, Hello, Known};

/// Pauses: while the cluster is not formed, after that, and where no other server was ever heard of.
const FORMING: Duration = Duration::from_millis(300);
const FORMED: Duration = Duration::from_secs(3);
const ALONE: Duration = Duration::from_secs(60);

/// Keeps the circle until the agent stops: greets, forms the cluster, and takes servers in while leading.
pub(super) async fn run(
    circle: Arc<Circle>,
    server: Arc<Server>,
    pool: Pool,
    addresses: Vec<String>,
    closing: CancellationToken,
) {
    closing
        .run_until_cancelled(keep(&circle, &server, &pool, &addresses))
        .await;
}

async fn keep(circle: &Circle, server: &Server, pool: &Pool, addresses: &[String]) {
    loop {
        let targets = targets(circle, server, addresses);
        join_all(
            targets
                .iter()
                .map(|address| circle.greet(server, pool, address)),
        )
        .await;
        let formed = server.consensus().is_bootstrapped();
        if !formed && let Some(founders) = founders(circle) {
            tracing::info!(
                servers = founders.len(),
                "all expected servers are here: the cluster is formed"
            );
            if let Err(error) = server.consensus().bootstrap(founders).await {
                tracing::error!(%error, "the cluster could not be formed");
            }
        }
        if server.consensus().is_leader() {
            let members = server.consensus().members();
            take_out(circle, server, &members).await;
            take_in(circle, server, &members).await;
        }
        let pause = match (formed, targets.is_empty()) {
            (false, _) => FORMING,
            (true, false) => FORMED,
            (true, true) => ALONE,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = circle.news.notified() => {}
        }
    }
}

/// Wherever there is or may be another server.
fn targets(circle: &Circle, server: &Server, addresses: &[String]) -> Vec<String> {
    let known = circle.others().into_iter().map(|known| known.hello.address);
    let members = server.consensus().members().into_iter();
    let mut targets: Vec<String> = addresses.to_vec();
    targets.extend(known.chain(members.map(|member| member.address)));
    targets.sort();
    targets.dedup();
    targets.retain(|address| *address != circle.me.address);
    targets
}

/// The voters of a new cluster, when this server is the one to form it: all that are expected know of it,
/// none belongs to a cluster, and its number is the lowest.
fn founders(circle: &Circle) -> Option<BTreeMap<u64, PeerInfo>> {
    let me = &circle.me;
    if me.expect < 2 {
        return None;
    }
    let known = circle.lock();
    let region: Vec<&Hello> = known
        .values()
        .map(|known| &known.hello)
        .filter(|hello| hello.region == me.region)
        .collect();
    if let Some(other) = region
        .iter()
        .find(|hello| hello.expect != 0 && hello.expect != me.expect)
    {
        if !circle.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                server = other.name,
                expect = other.expect,
                "bootstrap_expect differs between servers; no cluster is formed"
            );
        }
        return None;
    }
    let mut founders: Vec<&Hello> = region
        .iter()
        .copied()
        .filter(|hello| hello.expect == me.expect)
        .collect();
    founders.push(me);
    let enough = founders.len() >= me.expect;
    let mine = founders.iter().all(|hello| hello.node >= me.node);
    let fresh = !region.iter().any(|hello| hello.formed);
    let met = founders
        .iter()
        .all(|hello| hello.node == me.node || known.get(&hello.node).is_some_and(Known::alive));
    (enough && mine && fresh && met).then(|| {
        founders
            .into_iter()
            .map(|hello| (hello.node, info(hello)))
            .collect()
    })
}

/// Takes out the members that have left.
async fn take_out(circle: &Circle, server: &Server, members: &[Member]) {
    for known in circle.others().into_iter().filter(|known| known.left) {
        let hello = known.hello;
        if !members.iter().any(|member| member.id == hello.node) {
            continue;
        }
        match server.consensus().remove(hello.node).await {
            Ok(()) => tracing::info!(server = hello.name, "server taken out"),
            Err(error) => {
                tracing::warn!(server = hello.name, %error, "a server that left could not be taken out")
            }
        }
    }
}

/// Makes voters of the servers of this region that are there, but no members yet or under another address.
async fn take_in(circle: &Circle, server: &Server, members: &[Member]) {
    for known in circle.others().into_iter().filter(Known::alive) {
        let hello = known.hello;
        let taken = members.iter().any(|member| {
            member.id == hello.node
                && member.voter
                && member.address == hello.address
                && member.name == hello.name
        });
        if taken || hello.region != circle.me.region {
            continue;
        }
        for gone in members
            .iter()
            .filter(|member| member.address == hello.address && member.id != hello.node)
        {
            if let Err(error) = server.consensus().remove(gone.id).await {
                tracing::warn!(server = gone.name, %error, "a server that was replaced could not be removed");
            }
        }
        match server.consensus().add_voter(hello.node, info(&hello)).await {
            Ok(()) => tracing::info!(
                server = hello.name,
                address = hello.address,
                "server taken in"
            ),
            Err(error) => {
                tracing::warn!(server = hello.name, %error, "a server could not be taken in")
            }
        }
    }
}

fn info(hello: &Hello) -> PeerInfo {
    PeerInfo::new(hello.address.as_str(), hello.name.as_str())
}
