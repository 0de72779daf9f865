//! Follows the allocations that servers want on this node and brings the node's own in line.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use caravan_model::{AllocId, Allocation};

use crate::alloc::machine::Event;
use crate::clock;
use crate::link::Pull;
use crate::runner;
use crate::shared::Shared;
use crate::view::View;

const WAIT: Duration = Duration::from_secs(300);
const RETRY: Duration = Duration::from_secs(30);

/// Pulls until the agent stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut contacted = shared.contacted.subscribe();
    if contacted.wait_for(|contacted| *contacted).await.is_err() {
        return;
    }
    let mut index = 0;
    loop {
        let request = Pull {
            caller: shared.caller(),
            min_index: index,
            wait: WAIT,
        };
        let answer = tokio::select! {
            answer = shared.link.pull(request) => answer,
            () = shared.shutdown.cancelled() => return,
        };
        match answer {
            Ok(pulled) => {
                // An index that went back means that the servers were set up anew.
                let restart = pulled.index < index;
                // Nothing newer: the wait was over, and so may be the server.
                let news = pulled.index > index;
                index = if restart { 0 } else { pulled.index };
                for alloc in pulled.changed.0 {
                    take(&shared, alloc);
                }
                if let Some(present) = pulled.present.filter(|_| news) {
                    drop_forgotten(&shared, &present.into_iter().collect());
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot ask for allocations");
                let wait = if shared.config.dev {
                    RETRY / 30
                } else {
                    Duration::from_secs(1) + clock::jitter(RETRY / 3)
                };
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = shared.shutdown.cancelled() => return,
                }
            }
        }
    }
}

/// Adds, updates or ignores one allocation.
pub(crate) fn take(shared: &Arc<Shared>, alloc: Arc<Allocation>) {
    match shared.runner(alloc.id) {
        Some(runner) => {
            let known = runner.view();
            if alloc.alloc_modify_index <= known.alloc.alloc_modify_index {
                return;
            }
            let back = was_missed(&known.alloc, &alloc) && !known.is_terminal();
            runner.send(Event::Update(alloc));
            if back {
                runner.send(Event::Reconnected);
            }
        }
        None if alloc.terminal_status() => {}
        None => add(shared, alloc),
    }
}

/// Whether the servers took it for lost, because they could not hear us, after what we know of it. Our own word may have
/// reached them before this did, so its status says nothing.
fn was_missed(known: &Allocation, told: &Allocation) -> bool {
    told.last_unknown() > known.last_unknown()
}

fn add(shared: &Arc<Shared>, alloc: Arc<Allocation>) {
    if let Err(error) = runner::start(shared, Arc::clone(&alloc), None) {
        tracing::error!(alloc = %alloc.id, %error, "an allocation cannot be run");
        let why = format!("Unable to add allocation due to error: {error}");
        shared.updates.push(Arc::new(View::failed(alloc, why)));
    }
}

fn drop_forgotten(shared: &Arc<Shared>, present: &BTreeSet<AllocId>) {
    for runner in shared.runners() {
        if !present.contains(&runner.id) {
            let shared = Arc::clone(shared);
            tokio::spawn(async move { crate::gc::destroy(&shared, runner.id).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_model::{ClientStatus, Timestamp};

    #[test]
    fn an_allocation_that_was_missed_is_told_once_whoever_was_heard_first() {
        let known = Allocation::default();
        let mut told = known.clone();
        assert!(!was_missed(&known, &told));
        told.push_client_state(ClientStatus::Unknown, Timestamp(10));
        told.client_status = ClientStatus::Running;
        assert!(was_missed(&known, &told), "our update was faster");
        let again = told.clone();
        assert!(!was_missed(&told, &again));
    }
}
