//! What the servers are still to be told of allocations: the newest of each.
//!
//! That an allocation was received, and is being prepared, is soon overtaken by what comes of it. It waits a moment for
//! that, and longer while there is other news: with thousands of short tasks each allocation is then told of once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use caravan_model::{AllocId, ClientStatus};
use tokio::sync::Notify;

use crate::view::View;

/// No more than this in one message, so that a server is not asked to swallow a node at once.
const MOST: usize = 2048;
/// How long what has not begun waits when there is nothing else to tell.
const MOMENT: Duration = Duration::from_millis(100);
/// How long it gives way to other news.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is still to be told; the newest of each allocation.
#[derive(Default)]
pub(crate) struct Untold {
    untold: Mutex<Inner>,
    pub(crate) some: Notify,
}

#[derive(Default)]
struct Inner {
    waiting: BTreeMap<AllocId, Arc<View>>,
    early: Early,
    /// On their way: nobody knows yet whether they arrived.
    sending: BTreeSet<AllocId>,
}

/// Allocations that have not begun, and since when there is something to tell of each.
#[derive(Default)]
struct Early {
    views: BTreeMap<AllocId, (Instant, Arc<View>)>,
    /// In the order of time; what is no longer there is passed over.
    order: VecDeque<(Instant, AllocId)>,
}

impl Early {
    fn put(&mut self, view: Arc<View>, now: Instant) {
        let id = view.alloc.id;
        if let Some((_, older)) = self.views.get_mut(&id) {
            *older = view;
        } else {
            self.views.insert(id, (now, view));
            self.order.push_back((now, id));
        }
    }

    /// Since when the oldest waits.
    fn oldest(&mut self) -> Option<Instant> {
        while let Some((since, id)) = self.order.front() {
            if self.views.get(id).is_some_and(|(at, _)| at == since) {
                return Some(*since);
            }
            self.order.pop_front();
        }
        None
    }

    /// Takes some that have waited so long.
    fn take(&mut self, most: usize, waited: Duration, now: Instant) -> Vec<Arc<View>> {
        let mut taken = Vec::new();
        while taken.len() < most
            && self
                .oldest()
                .is_some_and(|since| now.saturating_duration_since(since) >= waited)
            && let Some((_, id)) = self.order.pop_front()
        {
            taken.extend(self.views.remove(&id).map(|(_, view)| view));
        }
        taken
    }
}

impl Untold {
    pub(crate) fn push(&self, view: Arc<View>) {
        self.push_at(view, Instant::now());
    }

    fn push_at(&self, view: Arc<View>, now: Instant) {
        self.lock().push(view, now);
        self.some.notify_one();
    }

    /// What the servers no longer know need not be told.
    pub(crate) fn drop(&self, id: AllocId) {
        let mut untold = self.lock();
        untold.waiting.remove(&id);
        untold.early.views.remove(&id);
    }

    /// Whether the servers know all that there is to know of it.
    pub(crate) fn told(&self, id: AllocId) -> bool {
        let untold = self.lock();
        let waits = untold.waiting.contains_key(&id) || untold.early.views.contains_key(&id);
        !waits && !untold.sending.contains(&id)
    }

    /// What is to be told now.
    pub(crate) fn take(&self) -> Vec<Arc<View>> {
        self.lock().take(Instant::now())
    }

    /// When there is something to tell even if nothing more comes up.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.lock().early.oldest().map(|since| since + MOMENT)
    }

    pub(crate) fn arrived(&self) {
        self.lock().sending.clear();
    }

    /// Puts what could not be told back, unless there is something newer.
    pub(crate) fn put_back(&self, views: Vec<Arc<View>>) {
        let untold = &mut *self.lock();
        untold.sending.clear();
        for view in views {
            let id = view.alloc.id;
            if !untold.early.views.contains_key(&id) {
                untold.waiting.entry(id).or_insert(view);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, view: Arc<View>, now: Instant) {
        let id = view.alloc.id;
        if view.status == ClientStatus::Pending && !self.waiting.contains_key(&id) {
            self.early.put(view, now);
        } else {
            self.early.views.remove(&id);
            self.waiting.insert(id, view);
        }
    }

    fn take(&mut self, now: Instant) -> Vec<Arc<View>> {
        let mut views: Vec<Arc<View>> = if self.waiting.len() <= MOST {
            std::mem::take(&mut self.waiting).into_values().collect()
        } else {
            let ids: Vec<AllocId> = self.waiting.keys().take(MOST).copied().collect();
            ids.iter()
                .filter_map(|id| self.waiting.remove(id))
                .collect()
        };
        let patience = if views.is_empty() { MOMENT } else { PATIENCE };
        views.extend(self.early.take(MOST - views.len(), patience, now));
        self.sending = views.iter().map(|view| view.alloc.id).collect();
        views
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_model::Allocation;

    fn view(id: u128, status: ClientStatus) -> Arc<View> {
        let alloc = Allocation {
            id: AllocId::from_u128(id),
            ..Allocation::default()
        };
        Arc::new(View {
            status,
            ..View::failed(Arc::new(alloc), String::new())
        })
    }

    fn taken(updates: &Untold, at: Instant) -> Vec<u128> {
        let views = updates.lock().take(at);
        views.iter().map(|view| view.alloc.id.0.as_u128()).collect()
    }

    #[test]
    fn what_is_on_its_way_is_not_told_yet() {
        let updates = Untold::default();
        let running = view(1, ClientStatus::Running);
        let id = running.alloc.id;
        assert!(updates.told(id), "there is nothing to tell");
        updates.push(Arc::clone(&running));
        assert!(!updates.told(id));
        let sent = updates.take();
        assert!(!updates.told(id));
        updates.put_back(sent);
        assert!(!updates.told(id));
        updates.take();
        updates.push(running);
        updates.arrived();
        assert!(!updates.told(id), "something newer came up meanwhile");
        updates.take();
        updates.arrived();
        assert!(updates.told(id));
    }

    #[test]
    fn what_has_not_begun_gives_way_for_a_while() {
        let (updates, start) = (Untold::default(), Instant::now());
        for id in [1, 2, 3] {
            updates.push_at(view(id, ClientStatus::Pending), start);
        }
        assert_eq!(taken(&updates, start), [0; 0]);
        assert_eq!(updates.due(), Some(start + MOMENT));
        updates.push_at(view(2, ClientStatus::Running), start);
        assert_eq!(taken(&updates, start + MOMENT), [2], "the others give way");
        updates.push_at(view(2, ClientStatus::Complete), start);
        updates.push_at(view(3, ClientStatus::Pending), start + MOMENT);
        assert_eq!(taken(&updates, start + PATIENCE), [2, 1, 3], "no longer");
        assert_eq!(updates.due(), None);
        updates.push_at(view(4, ClientStatus::Pending), start);
        updates.drop(AllocId::from_u128(4));
        assert_eq!(updates.due(), None);
        updates.push_at(view(1, ClientStatus::Pending), start);
        assert_eq!(
            taken(&updates, start + MOMENT),
            [1],
            "nothing else is to be told"
        );
    }

    #[test]
    fn the_newest_word_is_the_one_that_is_told() {
        let (updates, start) = (Untold::default(), Instant::now());
        updates.push_at(view(1, ClientStatus::Running), start);
        updates.push_at(view(1, ClientStatus::Pending), start);
        let views = updates.lock().take(start);
        assert_eq!(views[0].status, ClientStatus::Pending, "it begins again");
        updates.push_at(view(1, ClientStatus::Pending), start);
        updates.put_back(views);
        assert_eq!(taken(&updates, start), [0; 0]);
        assert_eq!(taken(&updates, start + MOMENT), [1]);
    }
}
