//! The nodes that a job may run on, and what the plan in the making leaves of them.

use crate::planned::Planned;
use crate::rng::mix;
use caravan_model::*;
use caravan_state::{Amount, Held, NodeTable, Page, Slot, State, Usage};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The candidates: a view of the state's node table, with the plan's changes on top.
pub(crate) struct Candidates<'a> {
    pub(crate) state: &'a State,
    pub(crate) table: &'a NodeTable,
    /// Of each kind, whether it is in the job's pool and datacenters.
    targeted: Vec<bool>,
    /// Of each targeted kind, how many nodes are ready.
    pub(crate) ready: Vec<i64>,
    pub(crate) available: Arc<Counts>,
    pub(crate) in_pool: i64,
    pub(crate) pool: Arc<str>,
    /// Decides between equally good nodes.
    tie: u64,
    /// The nodes that the plan changes.
    changed: BTreeMap<Slot, Usage>,
    followed: usize,
}

/// What is left of a node.
#[derive(Clone, Copy)]
pub(crate) struct Room<'a> {
    pub(crate) capacity: Amount,
    pub(crate) free: Amount,
    pub(crate) allocs: u32,
    /// How many allocations it takes at most; 0 is without limit.
    pub(crate) most: u32,
    pub(crate) held: Option<&'a Held>,
}

impl<'a> Room<'a> {
    pub(crate) fn of(page: &'a Page, at: usize) -> Self {
        Self {
            capacity: page.capacity[at],
            free: page.free[at],
            allocs: page.allocs[at],
            most: page.most[at],
            held: page.held[at].as_deref(),
        }
    }

    /// What is taken once `asked` is, too.
    pub(crate) fn used_with(&self, asked: Amount) -> Amount {
        let mut used = self.capacity;
        used.subtract(self.free);
        used.add(asked);
        used
    }
}

impl<'a> Candidates<'a> {
    /// Every node that is ready and in the job's pool and datacenters.
    pub(crate) fn list(state: &'a State, job: &Job, tie: u64) -> Self {
        let table = state.node_table();
        let kinds = u32::try_from(table.kind_count()).unwrap_or(u32::MAX);
        let is_target = |kind| {
            let sample = table.kind(kind).map(|kind| &kind.sample);
            sample.is_some_and(|node| in_pool(job, node) && in_datacenters(job, node))
        };
        let mut listed = Self {
            state,
            table,
            targeted: (0..kinds).map(is_target).collect(),
            ready: vec![0; kinds as usize],
            available: Arc::default(),
            in_pool: 0,
            pool: job.node_pool.as_str().into(),
            tie,
            changed: BTreeMap::new(),
            followed: 0,
        };
        for page in table.pages() {
            for (kind, ready) in page.kinds.iter().zip(&page.ready) {
                if *ready && let Some(count) = listed.ready.get_mut(*kind as usize) {
                    *count += 1;
                }
            }
        }
        let mut available = Counts::default();
        for kind in 0..kinds {
            let at = kind as usize;
            if !listed.targeted[at] {
                listed.ready[at] = 0;
            }
            if let Some(row) = table.kind(kind).filter(|_| listed.ready[at] > 0) {
                listed.in_pool += listed.ready[at];
                *available.or_default(row.datacenter().to_owned()) += listed.ready[at];
            }
        }
        listed.available = Arc::new(available);
        listed
    }

    /// The candidates in the order of their ids.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = NodeId> + '_ {
        let all = self.table.slots();
        all.filter(|(_, slot)| self.is_ready(*slot))
            .map(|(id, _)| id)
    }

    pub(crate) fn slot(&self, node: NodeId) -> Option<Slot> {
        self.table.slot(&node)
    }

    pub(crate) fn kind_of(&self, slot: Slot) -> u32 {
        let (page, at) = self.table.at(slot);
        page.kinds[at]
    }

    pub(crate) fn id_of(&self, slot: Slot) -> NodeId {
        let (page, at) = self.table.at(slot);
        page.ids[at]
    }

    /// Whether a node takes new allocations of the job.
    pub(crate) fn is_ready(&self, slot: Slot) -> bool {
        let (page, at) = self.table.at(slot);
        page.ready[at] && self.targeted.get(page.kinds[at] as usize) == Some(&true)
    }

    /// A number that spreads equally good nodes; the same whatever slots they are in.
    pub(crate) fn tie(&self, id: NodeId) -> u64 {
        let (high, low) = id.0.as_u64_pair();
        mix(self.tie ^ high ^ low.rotate_left(32))
    }

    /// Takes in what the plan changed since the last time.
    pub(crate) fn follow(&mut self, planned: &Planned) {
        for change in planned.since(self.followed) {
            let Some(slot) = self.slot(change.alloc.node_id) else {
                continue;
            };
            let usage = self.changed.entry(slot).or_insert_with(|| {
                let (page, at) = self.table.at(slot);
                page.usage(at)
            });
            if change.comes {
                usage.add(&change.alloc);
            } else {
                usage.remove(&change.alloc);
            }
        }
        self.followed = planned.length();
    }

    /// The nodes that the plan has changed so far.
    pub(crate) fn changed(&self) -> impl Iterator<Item = Slot> + '_ {
        self.changed.keys().copied()
    }

    /// What is left of a node; only while the plan has been followed.
    pub(crate) fn room(&self, slot: Slot) -> Room<'_> {
        let (page, at) = self.table.at(slot);
        let mut room = Room::of(page, at);
        if let Some(usage) = self.changed.get(&slot) {
            room.free = room.capacity;
            room.free.subtract(usage.amount);
            room.allocs = usage.allocs;
            room.held = usage.held.as_deref();
        }
        room
    }
}

/// Whether the node is in the pool that the job runs in.
pub(crate) fn in_pool(job: &Job, node: &Node) -> bool {
    job.node_pool.is_empty()
        || job.node_pool == caravan_model::node_pool::ALL
        || job.node_pool == node.node_pool
}

/// Whether the node is in one of the datacenters that the job runs in.
pub(crate) fn in_datacenters(job: &Job, node: &Node) -> bool {
    job.datacenters
        .iter()
        .any(|pattern| glob(pattern, &node.datacenter))
}

/// Whether a text is what a pattern with `*` describes.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or("");
    for part in parts {
        let Some(at) = text.find(part) else {
            return false;
        };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn datacenters_may_be_patterns() {
        for (pattern, text, expected) in [
            ("*", "dc1", true),
            ("dc1", "dc1", true),
            ("dc1", "dc10", false),
            ("us-*", "us-west", true),
            ("us-*-2", "us-west-2", true),
            ("us-*-2", "us-west-1", false),
            ("*a*b*", "xaxbx", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
