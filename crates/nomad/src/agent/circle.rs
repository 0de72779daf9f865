//! The servers that this one knows: each tells the addresses that it was given, and whoever it hears of, who it is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use caravan_rpc::{Lane, Pool, Target, call_msgpack};
use caravan_server::Server;
use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// Where servers tell who they are.
pub(super) const PATH: &str = "/rpc/server/join";
/// A call takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);
/// A server that was not heard of for so long has failed.
const SILENCE: Duration = Duration::from_secs(10);

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) node: u64,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) address: String,
    /// Where it says that members are met; it is shown, and answered like `address`.
    pub(crate) gossip: String,
    pub(crate) region: String,
    pub(crate) datacenter: String,
    pub(crate) version: String,
    /// How many servers form its cluster; 0: it waits to be taken in.
    pub(crate) expect: usize,
    /// It belongs to a cluster.
    pub(crate) formed: bool,
}

/// The message and its answer: who speaks, and whom it knows.
#[derive(Serialize, Deserialize)]
pub(super) struct Meeting {
    me: Hello,
    others: Vec<Hello>,
    /// Numbers of the servers that were told to leave.
    left: Vec<u64>,
}

/// A server that is known.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) hello: Hello,
    heard: Instant,
    /// It was told to leave, and was not heard of since.
    pub(super) left: bool,
}

impl Known {
    pub(crate) fn alive(&self) -> bool {
        !self.left && self.heard.elapsed() < SILENCE
    }

    /// In the words of `nomad server members`.
    pub(crate) fn status(&self) -> &'static str {
        match (self.left, self.alive()) {
            (true, _) => "left",
            (false, true) => "alive",
            (false, false) => "failed",
        }
    }
}

/// The servers that this one knows.
pub(crate) struct Circle {
    pub(super) me: Hello,
    known: Mutex<BTreeMap<u64, Known>>,
    /// It was told that servers expect different numbers.
    pub(super) warned: AtomicBool,
    /// This server leaves.
    leaving: AtomicBool,
    /// Somebody came or left.
    pub(super) news: Notify,
}

impl Circle {
    pub(super) fn new(me: Hello) -> Self {
        Self {
            me,
            known: Mutex::default(),
            warned: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            news: Notify::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This server, as it stands.
    pub(crate) fn me(&self, server: &Server) -> Hello {
        Hello {
            formed: server.consensus().is_bootstrapped(),
            ..self.me.clone()
        }
    }

    /// Every other server that was heard of.
    pub(crate) fn others(&self) -> Vec<Known> {
        self.lock().values().cloned().collect()
    }

    /// Takes in a server that spoke itself.
    fn met(&self, hello: Hello) {
        if hello.node == self.me.node {
            return;
        }
        let fresh = Known {
            hello,
            heard: Instant::now(),
            left: false,
        };
        let before = self.lock().insert(fresh.hello.node, fresh);
        if !before.is_some_and(|before| before.alive()) {
            self.news.notify_one();
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
                left: false,
            });
        }
    }

    /// A server was told to leave: it is a member no more, until it speaks again.
    fn mark_left(&self, node: u64) {
        if let Some(known) = self.lock().get_mut(&node) {
            known.left = true;
            self.news.notify_one();
        }
    }

    /// Takes a server out by its name; whether it is known. It stays out while it is silent.
    pub(crate) fn force_leave(&self, name: &str) -> bool {
        let mut known = self.lock();
        let named = known.values_mut().find(|known| known.hello.name == name);
        named.is_some_and(|found| {
            found.left = true;
            self.news.notify_one();
            true
        })
    }

    /// Forgets a server that is gone, by its name.
    pub(crate) fn prune(&self, name: &str) {
        self.lock()
            .retain(|_, known| known.hello.name != name || !known.left);
    }

    /// Answers a server that tells who it is.
    pub(super) fn answer(&self, server: &Server, meeting: Meeting) -> Meeting {
        self.take(meeting);
        self.meeting(server)
    }

    fn take(&self, meeting: Meeting) {
        let leaves = meeting.left.contains(&meeting.me.node);
        let speaker = meeting.me.node;
        self.met(meeting.me);
        meeting
            .others
            .into_iter()
            .for_each(|other| self.heard_of(other));
        if leaves {
            self.mark_left(speaker);
        }
        // Who is heard here is there, whatever others think.
        let silent = |node: &u64| self.lock().get(node).is_some_and(|known| !known.alive());
        let gone: Vec<u64> = meeting.left.into_iter().filter(silent).collect();
        gone.into_iter().for_each(|node| self.mark_left(node));
    }

    fn meeting(&self, server: &Server) -> Meeting {
        let known = self.others();
        let leaving = self.leaving.load(Ordering::Relaxed);
        Meeting {
            me: self.me(server),
            left: known
                .iter()
                .filter(|known| known.left)
                .map(|known| known.hello.node)
                .chain(leaving.then_some(self.me.node))
                .collect(),
            others: known.into_iter().map(|known| known.hello).collect(),
        }
    }

    pub(super) async fn greet(&self, server: &Server, pool: &Pool, address: &str) {
        if let Err(why) = self.join(server, pool, address).await {
            tracing::debug!(address, why, "a server could not be greeted");
        }
    }

    /// Tells the server at an address of this one, and learns whom it knows.
    pub(crate) async fn join(
        &self,
        server: &Server,
        pool: &Pool,
        address: &str,
    ) -> Result<(), String> {
        let meeting = self.meeting(server);
        let channel = pool.channel(&Target::new(address, self.me.region.as_str()), Lane::Calls);
        let call = call_msgpack::<_, Meeting>(&channel, PATH, &meeting);
        match tokio::time::timeout(PATIENCE, call).await {
            Ok(Ok(answer)) => {
                self.take(answer);
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not answer".to_owned()),
        }
    }

    /// Tells every server that is there that this one leaves.
    pub(super) async fn leave(&self, server: &Server, pool: &Pool) {
        let there = self.others().into_iter().filter(Known::alive);
        let addresses: Vec<String> = there.map(|known| known.hello.address).collect();
        self.leaving.store(true, Ordering::Relaxed);
        let told = addresses
            .iter()
            .map(|address| self.join(server, pool, address));
        for (address, told) in addresses.iter().zip(join_all(told).await) {
            if let Err(why) = told {
                tracing::warn!(address, why, "a server could not be told of the leave");
            }
        }
    }
}
