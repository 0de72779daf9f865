//! The table agrees with the rows it is derived from, whatever happens to them.

use super::{NodeTable, Page, Usage};
use caravan_model::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn node(number: u128, cpu: i64, class: u8) -> Arc<Node> {
    Arc::new(Node {
        id: NodeId::from_u128(number + 1),
        computed_class: format!("v1:{class}"),
        status: NodeStatus::Ready,
        node_resources: Some(NodeResources {
            cpu: NodeCpuResources {
                cpu_shares: cpu,
                ..NodeCpuResources::default()
            },
            ..NodeResources::default()
        }),
        ..Node::default()
    })
}

fn alloc(number: u128, node: u128, cpu: i64, status: ClientStatus) -> Arc<Allocation> {
    let task = AllocatedTaskResources {
        cpu: AllocatedCpuResources {
            cpu_shares: cpu,
            ..AllocatedCpuResources::default()
        },
        ..AllocatedTaskResources::default()
    };
    let mut resources = AllocatedResources::default();
    resources.tasks.insert("t".into(), task);
    resources.shared.ports = vec![AllocatedPort {
        value: 20_000 + cpu % 3,
        host_ip: "10.0.0.1".into(),
        ..AllocatedPort::default()
    }];
    Arc::new(Allocation {
        id: AllocId::from_u128(number),
        node_id: NodeId::from_u128(node + 1),
        client_status: status,
        allocated_resources: Some(Arc::new(resources)),
        ..Allocation::default()
    })
}

#[derive(Default)]
struct Rows {
    table: NodeTable,
    nodes: BTreeMap<NodeId, Arc<Node>>,
    allocs: BTreeMap<AllocId, Arc<Allocation>>,
}

impl Rows {
    fn of_node(&self, node: NodeId) -> impl Iterator<Item = &Arc<Allocation>> {
        self.allocs
            .values()
            .filter(move |alloc| alloc.node_id == node)
    }

    fn happen(&mut self, (what, a, b, c): (u8, u128, u128, i64)) {
        match what {
            0 | 1 => {
                let node = node(a, 1000 + c, (c % 4) as u8);
                self.nodes.insert(node.id, Arc::clone(&node));
                let mut table = std::mem::take(&mut self.table);
                table.put(&node, self.of_node(node.id));
                self.table = table;
            }
            2 => {
                let id = NodeId::from_u128(a + 1);
                if self.nodes.remove(&id).is_some() {
                    let remain = self.of_node(id).next().is_some();
                    self.table.remove(id, remain);
                }
            }
            3 => {
                if let Some(old) = self.allocs.remove(&AllocId::from_u128(b)) {
                    self.table.change(Some(&old), None);
                    if self.of_node(old.node_id).next().is_none() {
                        self.table.forget(old.node_id);
                    }
                }
            }
            _ => {
                let status = if what == 4 {
                    ClientStatus::Failed
                } else {
                    ClientStatus::Running
                };
                let old = self.allocs.get(&AllocId::from_u128(b)).cloned();
                // An allocation never moves.
                let on = old.as_ref().map_or(a, |old| old.node_id.0.as_u128() - 1);
                let new = alloc(b, on, c, status);
                self.table.change(old.as_deref(), Some(&new));
                self.allocs.insert(new.id, new);
            }
        }
    }

    fn check(&self) {
        for (id, node) in &self.nodes {
            let slot = self.table.slot(id).expect("a node has a slot");
            let (page, at) = self.table.at(slot);
            let mut usage = Usage::default();
            for alloc in self.of_node(*id).filter(|alloc| !alloc.client_terminal()) {
                usage.add(alloc);
            }
            assert_eq!(page.usage(at), usage);
            let kind = self.table.kind(page.kinds[at]).expect("a node has a kind");
            assert_eq!(kind.class(), node.computed_class);
            assert_eq!(page.ready[at], node.is_ready());
        }
        for alloc in self.allocs.values() {
            let gone = !self.nodes.contains_key(&alloc.node_id);
            assert_eq!(self.table.is_tainted(&alloc.node_id), gone);
        }
        let ready: usize = self
            .table
            .pages()
            .map(|page| page.ready.iter().filter(|ready| **ready).count())
            .sum();
        assert_eq!(ready, self.nodes.len());
    }
}

proptest! {
    #[test]
    fn what_is_free_and_of_which_kind_is_as_the_rows_say(
        events in prop::collection::vec((0..8u8, 0..6u128, 0..12u128, 0..9i64), 1..80)
    ) {
        let mut rows = Rows::default();
        for event in events {
            rows.happen(event);
            rows.check();
        }
    }
}

#[test]
fn a_snapshot_does_not_see_what_comes_after_it() {
    let mut table = NodeTable::default();
    table.put(&node(1, 1000, 0), []);
    let snapshot = table.clone();
    table.change(None, Some(&alloc(1, 1, 400, ClientStatus::Running)));
    let free = |table: &NodeTable| {
        let (page, at) = table.at(table.slot(&NodeId::from_u128(2)).expect("it is there"));
        page.free[at].cpu
    };
    assert_eq!((free(&snapshot), free(&table)), (1000, 600));
    assert_eq!(table.len(), Page::SLOTS);
}
