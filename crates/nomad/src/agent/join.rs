//! How servers find each other: each tells the addresses that it was given, and whoever it hears of, who it is.
//! Once as many as expected know each other they form a cluster; the leader takes in whoever comes later.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use caravan_consensus::PeerInfo;
use caravan_rpc::{Lane, Pool, Target, call_msgpack};
use caravan_server::Server;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// Where servers tell who they are.
pub(super) const PATH: &str = "/rpc/server/join";
/// Pauses: while the cluster is not formed, and after.
const FORMING: Duration = Duration::from_millis(300);
const FORMED: Duration = Duration::from_secs(3);
/// A call takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);
/// A server that was not heard of for so long has failed.
const SILENCE: Duration = Duration::from_secs(10);

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) node: u64,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) address: String,
    pub(super) region: String,
    pub(super) datacenter: String,
    pub(super) version: String,
    /// How many servers form its cluster; 0: it waits to be taken in.
    pub(super) expect: usize,
    /// It belongs to a cluster.
    pub(super) formed: bool,
}

/// The message and its answer: who speaks, and whom it knows.
#[derive(Serialize, Deserialize)]
pub(super) struct Meeting {
    me: Hello,
    others: Vec<Hello>,
}

/// A server that is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) hello: Hello,
    heard: Instant,
}

impl Known {
    pub(super) fn alive(&self) -> bool {
        self.heard.elapsed() < SILENCE
    }
}

/// The servers that this one knows.
pub(super) struct Circle {
    me: Hello,
    known: Mutex<BTreeMap<u64, Known>>,
    /// It was told that servers expect different numbers.
    warned: AtomicBool,
}

impl Circle {
    pub(super) fn new(me: Hello) -> Self {
        Self {
            me,
            known: Mutex::default(),
            warned: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This server, as it stands.
    pub(super) fn me(&self, server: &Server) -> Hello {
        Hello {
            formed: server.consensus().is_bootstrapped(),
            ..self.me.clone()
        }
    }

    /// Every other server that was heard of.
    pub(super) fn others(&self) -> Vec<Known> {
        self.lock().values().cloned().collect()
    }

    /// Takes in a server that spoke itself.
    fn met(&self, hello: Hello) {
        if hello.node != self.me.node {
            self.lock().insert(
                hello.node,
                Known {
                    hello,
                    heard: Instant::now(),
                },
            );
        }
    }

    /// Takes in a server that another spoke of; it is asked itself later.
    fn heard_of(&self, hello: Hello) {
        if hello.node == self.me.node {
            return;
        }
        if let Some(long_ago) = Instant::now().checked_sub(SILENCE) {
            self.lock().entry(hello.node).or_insert(Known {
                hello,
                heard: long_ago,
            });
        }
    }

    /// Answers a server that tells who it is.
    pub(super) fn answer(&self, server: &Server, meeting: Meeting) -> Meeting {
        self.met(meeting.me);
        meeting
            .others
            .into_iter()
            .for_each(|other| self.heard_of(other));
        self.meeting(server)
    }

    fn meeting(&self, server: &Server) -> Meeting {
        Meeting {
            me: self.me(server),
            others: self.others().into_iter().map(|known| known.hello).collect(),
        }
    }

    async fn greet(&self, server: &Server, pool: &Pool, address: &str) {
        let channel = pool.channel(&Target::new(address, self.me.region.as_str()), Lane::Calls);
        let meeting = self.meeting(server);
        let call = call_msgpack::<_, Meeting>(&channel, PATH, &meeting);
        match tokio::time::timeout(PATIENCE, call).await {
            Ok(Ok(answer)) => {
                self.met(answer.me);
                answer
                    .others
                    .into_iter()
                    .for_each(|other| self.heard_of(other));
            }
            Ok(Err(error)) => tracing::debug!(address, %error, "a server could not be greeted"),
            Err(_) => tracing::debug!(address, "a server did not answer a greeting"),
        }
    }

    /// The voters of a new cluster, when this server is the one to form it: all that are expected know of it,
    /// none belongs to a cluster, and its number is the lowest.
    fn founders(&self) -> Option<BTreeMap<u64, PeerInfo>> {
        let me = &self.me;
        if me.expect < 2 {
            return None;
        }
        let known = self.lock();
        let region: Vec<&Hello> = known
            .values()
            .map(|known| &known.hello)
            .filter(|hello| hello.region == me.region)
            .collect();
        if let Some(other) = region
            .iter()
            .find(|hello| hello.expect != 0 && hello.expect != me.expect)
        {
            if !self.warned.swap(true, Ordering::Relaxed) {
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
}

fn info(hello: &Hello) -> PeerInfo {
    PeerInfo::new(hello.address.as_str(), hello.name.as_str())
}

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
        let mut targets: Vec<String> = addresses.to_vec();
        targets.extend(circle.others().into_iter().map(|known| known.hello.address));
        targets.extend(
            server
                .consensus()
                .members()
                .into_iter()
                .map(|member| member.address),
        );
        targets.sort();
        targets.dedup();
        targets.retain(|address| *address != circle.me.address);
        join_all(
            targets
                .iter()
                .map(|address| circle.greet(server, pool, address)),
        )
        .await;
        let formed = server.consensus().is_bootstrapped();
        if !formed && let Some(founders) = circle.founders() {
            tracing::info!(
                servers = founders.len(),
                "all expected servers are here: the cluster is formed"
            );
            if let Err(error) = server.consensus().bootstrap(founders).await {
                tracing::error!(%error, "the cluster could not be formed");
            }
        }
        if server.consensus().is_leader() {
            take_in(circle, server).await;
        }
        tokio::time::sleep(if formed { FORMED } else { FORMING }).await;
    }
}

/// Makes voters of the servers of this region that are there, but no members yet or under another address.
async fn take_in(circle: &Circle, server: &Server) {
    let members = server.consensus().members();
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
