//! Nodes that allocations cannot stay on as they are (scheduler sheet §§1, 7).

use crate::draft::Draft;
use crate::reconcile::Tainted;
use caravan_model::*;
use caravan_state::State;
use std::sync::Arc;

/// Those of the allocations' nodes that are gone, down, draining or disconnected.
pub(crate) fn nodes(state: &State, allocs: &[Arc<Allocation>]) -> Tainted {
    let table = state.node_table();
    let mut tainted = Tainted::new();
    for alloc in allocs
        .iter()
        .filter(|alloc| table.is_tainted(&alloc.node_id))
    {
        let node = || state.node(&alloc.node_id).cloned();
        tainted.entry(alloc.node_id).or_insert_with(node);
    }
    tainted
}

/// Notes allocations as lost that were to stop on a node that went down before they did.
pub(crate) fn note_lost(draft: &mut Draft, allocs: &[Arc<Allocation>], tainted: &Tainted) {
    for alloc in allocs.iter().filter(|alloc| alloc.server_terminal()) {
        let ended = match tainted.get(&alloc.node_id) {
            Some(None) => true,
            Some(Some(node)) => node.is_down(),
            None => false,
        };
        let open = matches!(
            alloc.client_status,
            ClientStatus::Pending | ClientStatus::Running
        );
        if ended && open {
            let lost = Some(ClientStatus::Lost);
            draft.stop(alloc, lost, desired_description::LOST, EvalId::NIL);
        }
    }
}
