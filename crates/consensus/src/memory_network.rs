//! Peers in one process, for tests: calls are direct, and links can be cut.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{PeerCall, PeerHandler, PeerTransport, TransportError};

/// A network of nodes in this process. Clones are the same network.
#[derive(Clone, Default)]
pub struct MemoryNetwork {
    links: Arc<Mutex<Links>>,
}

#[derive(Default)]
struct Links {
    nodes: BTreeMap<u64, Arc<dyn PeerHandler>>,
    cut: BTreeSet<(u64, u64)>,
}

impl MemoryNetwork {
    pub fn new() -> MemoryNetwork {
        MemoryNetwork::default()
    }

    /// What node `from` calls others with.
    pub fn transport(&self, from: u64) -> Arc<dyn PeerTransport> {
        Arc::new(MemoryTransport {
            from,
            network: self.clone(),
        })
    }

    /// Makes a node reachable; a node that restarts registers again.
    pub fn register(&self, id: u64, node: Arc<dyn PeerHandler>) {
        self.links().nodes.insert(id, node);
    }

    pub fn unregister(&self, id: u64) {
        self.links().nodes.remove(&id);
    }

    /// Cuts every link between the two sets, both ways.
    pub fn partition(&self, left: &[u64], right: &[u64]) {
        let mut links = self.links();
        for &a in left {
            for &b in right {
                links.cut.insert((a, b));
                links.cut.insert((b, a));
            }
        }
    }

    pub fn heal(&self) {
        self.links().cut.clear();
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reach(&self, from: u64, to: u64) -> Option<Arc<dyn PeerHandler>> {
        let links = self.links();
        if links.cut.contains(&(from, to)) {
            return None;
        }
        links.nodes.get(&to).cloned()
    }
}

struct MemoryTransport {
    from: u64,
    network: MemoryNetwork,
}

#[async_trait]
impl PeerTransport for MemoryTransport {
    async fn call(
        &self,
        target: u64,
        address: &str,
        call: PeerCall,
        body: Bytes,
    ) -> Result<Bytes, TransportError> {
        let unreachable = || TransportError::Unreachable(format!("{address}: no route"));
        let node = self
            .network
            .reach(self.from, target)
            .ok_or_else(unreachable)?;
        let answer = node.handle(call, body).await;
        // A link that was cut meanwhile loses the answer too.
        self.network
            .reach(self.from, target)
            .ok_or_else(unreachable)?;
        Ok(answer)
    }
}
