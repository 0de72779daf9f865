//! Kinds of nodes: those that no check of a class, a driver or a network could tell apart.

use super::page::Page;
use caravan_model::{Node, NodeId};
use imbl::{OrdMap, Vector};
use std::sync::Arc;

/// A kind of nodes: what holds for its sample holds for each of them, but for what is unique to a node.
#[derive(Debug)]
pub struct Kind {
    key: KindKey,
    /// A node of it as it was when it became of this kind.
    pub sample: Arc<Node>,
}

impl Kind {
    /// The computed class; empty when the node told none, and is then alone in its kind.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.key.class
    }

    /// The datacenter.
    #[must_use]
    pub fn datacenter(&self) -> &str {
        &self.key.datacenter
    }

    /// The node class that operators gave.
    #[must_use]
    pub fn node_class(&self) -> &str {
        &self.key.node_class
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct KindKey {
    class: String,
    /// The node itself, when it told no class.
    alone: NodeId,
    datacenter: String,
    pool: String,
    node_class: String,
    /// Drivers that work, kinds of networks, names of host networks: what classes leave out.
    offers: String,
}

impl KindKey {
    fn of(node: &Node) -> Self {
        let mut offers = String::new();
        let mut offer = |kind: char, text: &str| {
            offers.push(kind);
            offers.push_str(text);
            offers.push('\n');
        };
        for (name, info) in &node.drivers {
            offer(
                if info.detected && info.healthy {
                    '+'
                } else {
                    '-'
                },
                name,
            );
        }
        if let Some(resources) = &node.node_resources {
            for network in &resources.networks {
                offer('m', &network.mode);
            }
            for network in &resources.node_networks {
                offer('m', &network.mode);
                for address in &network.addresses {
                    offer('a', &address.alias);
                }
            }
        }
        let alone = node.computed_class.is_empty();
        Self {
            class: node.computed_class.clone(),
            alone: if alone { node.id } else { NodeId::NIL },
            datacenter: node.datacenter.clone(),
            pool: node.node_pool.clone(),
            node_class: node.node_class.clone(),
            offers,
        }
    }
}

/// The kinds by number; numbers of forgotten kinds are given again.
#[derive(Clone, Default)]
pub(super) struct Kinds {
    index: OrdMap<KindKey, u32>,
    rows: Vector<Option<Arc<Kind>>>,
    nodes: Vector<u32>,
    forgotten: Vector<u32>,
}

impl Kinds {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn get(&self, kind: u32) -> Option<&Arc<Kind>> {
        self.rows.get(kind as usize)?.as_ref()
    }

    /// The kind of a node, counted in for it.
    pub(super) fn of(&mut self, node: &Arc<Node>) -> u32 {
        let key = KindKey::of(node);
        if let Some(kind) = self.index.get(&key).copied() {
            self.nodes[kind as usize] += 1;
            return kind;
        }
        let row = Some(Arc::new(Kind {
            key: key.clone(),
            sample: Arc::clone(node),
        }));
        let kind = match self.forgotten.pop_front() {
            Some(kind) => {
                self.rows[kind as usize] = row;
                self.nodes[kind as usize] = 1;
                kind
            }
            None => {
                self.rows.push_back(row);
                self.nodes.push_back(1);
                u32::try_from(self.rows.len() - 1).unwrap_or(Page::NO_KIND)
            }
        };
        self.index.insert(key, kind);
        kind
    }

    /// Counts a node out of its kind.
    pub(super) fn release(&mut self, kind: u32) {
        let Some(nodes) = self.nodes.get_mut(kind as usize) else {
            return;
        };
        *nodes = nodes.saturating_sub(1);
        if *nodes > 0 {
            return;
        }
        if let Some(row) = self.rows.get_mut(kind as usize).and_then(Option::take) {
            self.index.remove(&row.key);
            self.forgotten.push_back(kind);
        }
    }
}
