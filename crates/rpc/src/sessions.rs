//! The nodes that keep a connection to us open, so that we can call them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::channel::Channel;

/// Channels to nodes, by node id. Clones share the registry.
#[derive(Clone, Default)]
pub struct NodeSessions(Arc<Inner>);

#[derive(Default)]
struct Inner {
    sessions: Mutex<HashMap<String, Session>>,
    generations: AtomicU64,
    changed: watch::Sender<()>,
}

struct Session {
    generation: u64,
    channel: Channel,
}

impl NodeSessions {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The channel to a node, if it is connected to this server.
    #[must_use]
    pub fn get(&self, node_id: &str) -> Option<Channel> {
        let sessions = self.sessions();
        let session = sessions.get(node_id)?;
        (!session.channel.is_closed()).then(|| session.channel.clone())
    }

    /// Waits for a node to connect; bound it with a time-out.
    pub async fn wait_for(&self, node_id: &str) -> Channel {
        let mut changed = self.changed();
        loop {
            if let Some(channel) = self.get(node_id) {
                return channel;
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    /// Fires whenever a node came or went.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Ids of the connected nodes, in no order.
    #[must_use]
    pub fn node_ids(&self) -> Vec<String> {
        self.sessions().keys().cloned().collect()
    }

    /// Registers a channel until the guard is dropped; the newest of a node wins. Used by the
    /// listener, and directly for the node of an all-in-one agent.
    pub fn insert(&self, node_id: impl Into<String>, channel: Channel) -> SessionGuard {
        let node_id = node_id.into();
        let generation = self.0.generations.fetch_add(1, Ordering::Relaxed);
        let session = Session {
            generation,
            channel,
        };
        let before = self.sessions().insert(node_id.clone(), session);
        if before.is_some_and(|before| !before.channel.is_closed()) {
            tracing::debug!(node_id, "a newer connection replaces the one of this node");
        }
        self.0.changed.send_replace(());
        SessionGuard {
            sessions: self.clone(),
            node_id,
            generation,
        }
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<String, Session>> {
        let sessions = self.0.sessions.lock();
        sessions.unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for NodeSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeSessions({} nodes)", self.sessions().len())
    }
}

/// Keeps a session registered; a newer one of the same node is left alone when it goes.
#[derive(Debug)]
#[must_use = "the session is removed when its guard is dropped"]
pub struct SessionGuard {
    sessions: NodeSessions,
    node_id: String,
    generation: u64,
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        let mut sessions = self.sessions.sessions();
        if sessions
            .get(&self.node_id)
            .is_some_and(|s| s.generation == self.generation)
        {
            sessions.remove(&self.node_id);
        }
        drop(sessions);
        self.sessions.0.changed.send_replace(());
    }
}
