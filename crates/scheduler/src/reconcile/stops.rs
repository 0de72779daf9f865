//! Allocations that are too many (scheduler sheet §§12.3, 12.11).

use super::classify::classify;
use super::names::NameIndex;
use super::{AllocSet, Reconciler, names_of, without};
use caravan_model::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is looked at to find those that are too many.
pub(super) struct Surplus<'a> {
    pub(super) count: usize,
    pub(super) canarying: bool,
    pub(super) canaries: &'a AllocSet,
    pub(super) lost: &'a AllocSet,
    /// The evaluations that will look at lost ones again.
    pub(super) lost_later: &'a BTreeMap<AllocId, EvalId>,
}

impl Reconciler<'_> {
    /// Stops everything of a group that is gone.
    pub(super) fn stop_all(&mut self, allocs: &AllocSet) -> DesiredUpdates {
        let classes = classify(allocs, self.input.tainted, self.input.now);
        let unneeded = [
            &classes.untainted,
            &classes.migrate,
            &classes.disconnecting,
            &classes.reconnecting,
        ];
        for alloc in unneeded.into_iter().flat_map(|set| set.values()) {
            self.stop(alloc, None, desired_description::NOT_NEEDED);
        }
        for alloc in classes.lost.values() {
            self.stop(alloc, Some(ClientStatus::Lost), desired_description::LOST);
        }
        for alloc in classes.ignored.values().chain(classes.expiring.values()) {
            if alloc.client_status == ClientStatus::Unknown {
                self.stop(alloc, None, desired_description::NOT_NEEDED);
            }
        }
        DesiredUpdates {
            stop: allocs.len() as u64,
            ..DesiredUpdates::default()
        }
    }

    /// Stops lost allocations and those beyond the count. Returns the stopped ones.
    pub(super) fn stop_surplus(
        &mut self,
        surplus: &Surplus<'_>,
        untainted: &AllocSet,
        migrate: &mut AllocSet,
        names: &mut NameIndex,
    ) -> AllocSet {
        let mut stopped = AllocSet::new();
        for alloc in surplus.lost.values() {
            let later = surplus
                .lost_later
                .get(&alloc.id)
                .copied()
                .unwrap_or_default();
            let lost = Some(ClientStatus::Lost);
            self.stop_following_up(alloc, lost, desired_description::LOST, later);
            stopped.insert(alloc.id, Arc::clone(alloc));
        }
        let mut working = if surplus.canarying {
            without(untainted, surplus.canaries)
        } else {
            untainted.clone()
        };
        let known = working
            .values()
            .filter(|a| a.client_status != ClientStatus::Unknown)
            .count();
        let mut remove = (known + migrate.len()).saturating_sub(surplus.count);
        working.retain(|_, alloc| !alloc.server_terminal());
        if !surplus.canarying && !surplus.canaries.is_empty() {
            // One that has failed stands in for nobody; what replaced it may have another name.
            let mut alive = surplus.canaries.clone();
            alive.retain(|_, alloc| !alloc.terminal_status());
            let replaced = names_of(&alive);
            let old = without(&working, surplus.canaries);
            let old = old
                .values()
                .filter(|alloc| replaced.contains(alloc.name.as_str()));
            // However many there are to be: two of one name would stay two for ever.
            for alloc in old {
                working.remove(&alloc.id);
                stopped.insert(alloc.id, Arc::clone(alloc));
                self.stop(alloc, None, desired_description::NOT_NEEDED);
                remove = remove.saturating_sub(1);
            }
        }
        if remove == 0 {
            return stopped;
        }
        if !migrate.is_empty() {
            let mut of_migrating = NameIndex::new("", "", 0, migrate.values());
            let highest = of_migrating.highest(remove);
            let moving: Vec<_> = migrate.values().cloned().collect();
            for alloc in moving {
                let suffix = alloc.name.rfind('[').map_or("", |at| &alloc.name[at..]);
                if highest.iter().any(|name| name.ends_with(suffix)) {
                    migrate.remove(&alloc.id);
                    if let Some(number) = alloc.index() {
                        names.unset(number);
                    }
                    self.take(&alloc, &mut remove, &mut working, &mut stopped);
                }
            }
        }
        for alloc in sharing_names(&working) {
            self.take(&alloc, &mut remove, &mut working, &mut stopped);
        }
        let highest = names.highest(remove);
        let named: Vec<_> = working
            .values()
            .filter(|alloc| highest.contains(&alloc.name))
            .cloned()
            .collect();
        for alloc in named {
            self.take(&alloc, &mut remove, &mut working, &mut stopped);
        }
        let rest: Vec<_> = working.values().cloned().collect();
        for alloc in rest {
            self.take(&alloc, &mut remove, &mut working, &mut stopped);
        }
        stopped
    }

    fn take(
        &mut self,
        alloc: &Arc<Allocation>,
        remove: &mut usize,
        working: &mut AllocSet,
        stopped: &mut AllocSet,
    ) {
        if *remove == 0 {
            return;
        }
        *remove -= 1;
        working.remove(&alloc.id);
        stopped.insert(alloc.id, Arc::clone(alloc));
        self.stop(alloc, None, desired_description::NOT_NEEDED);
    }
}

/// Of allocations with the same name all but the newest, the oldest first: whoever is too many had better be one of
/// them than one whose name nobody else has.
fn sharing_names(working: &AllocSet) -> Vec<Arc<Allocation>> {
    let mut newest_first: Vec<Arc<Allocation>> = working.values().cloned().collect();
    newest_first.sort_by_key(|alloc| Reverse((alloc.job_version(), alloc.create_index, alloc.id)));
    let mut names = BTreeSet::new();
    newest_first.retain(|alloc| !names.insert(alloc.name.to_string()));
    newest_first.reverse();
    newest_first
}
