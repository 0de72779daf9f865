//! Blocked evaluations (scheduler sheet §5): who waits for capacity, and which event may give it.
//!
//! An evaluation that could not place everything says which computed classes of nodes it found unfit. It is woken
//! by capacity on a class that it did not rule out; one that escaped the classes is woken by any capacity.
//! Nothing is forgotten: an event that came while the evaluation was being scheduled counts as well, by its index.

use caravan_model::*;
use caravan_state::JobKey;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long an event is remembered for evaluations that were scheduled on an older state.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

/// Counters of the blocked evaluations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockedStats {
    /// All of them.
    pub blocked: usize,
    /// Those that any capacity may wake.
    pub escaped: usize,
}

/// Capacity that may have become available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capacity {
    /// On a node of this computed class.
    Class {
        /// The class.
        class: String,
        /// The node itself, for evaluations that wait for just it.
        node: NodeId,
    },
    /// Of something that is no node's, such as a volume.
    Resource(String),
}

#[derive(Debug)]
struct Remembered {
    index: u64,
    at: UnixNanos,
}

/// Evaluations that wait for capacity. Empty and off until [`Blocked::set_enabled`].
#[derive(Debug, Default)]
pub struct Blocked {
    enabled: bool,
    evals: BTreeMap<EvalId, Arc<Evaluation>>,
    /// One a job for service and batch; one a job and node for system jobs.
    by_job: BTreeMap<(JobKey, NodeId), EvalId>,
    unblocks: BTreeMap<String, Remembered>,
    duplicates: Vec<Arc<Evaluation>>,
}

fn place_of(eval: &Evaluation) -> (JobKey, NodeId) {
    let system = eval.r#type == job_type::SYSTEM || eval.r#type == job_type::SYSBATCH;
    let node = if system { eval.node_id } else { NodeId::NIL };
    (
        JobKey::new(eval.namespace.clone(), eval.job_id.clone()),
        node,
    )
}

fn freshness(eval: &Evaluation) -> u64 {
    eval.create_index.max(eval.snapshot_index)
}

fn resource_key(name: &str) -> String {
    format!("resource:{name}")
}

fn class_key(class: &str) -> String {
    format!("class:{class}")
}

fn escaped(eval: &Evaluation) -> bool {
    eval.escaped_computed_class || eval.class_eligibility.is_empty()
}

fn may_use_class(eval: &Evaluation, class: &str) -> bool {
    escaped(eval) || eval.class_eligibility.get(class).copied().unwrap_or(true)
}

impl Blocked {
    /// Turns tracking on, or off and empty.
    pub fn set_enabled(&mut self, enabled: bool) {
        if !enabled {
            *self = Self::default();
        }
        self.enabled = enabled;
    }

    /// Tracks a blocked evaluation. Returns it when an event that it has not seen may already have unblocked it.
    pub fn block(&mut self, eval: Arc<Evaluation>) -> Option<Arc<Evaluation>> {
        if !self.enabled {
            return None;
        }
        let place = place_of(&eval);
        if let Some(other) = self
            .by_job
            .get(&place)
            .and_then(|id| self.evals.get(id))
            .cloned()
        {
            if other.id != eval.id && freshness(&other) > freshness(&eval) {
                self.duplicates.push(eval);
                return None;
            }
            self.evals.remove(&other.id);
            if other.id != eval.id {
                self.duplicates.push(other);
            }
        }
        if self.missed_unblock(&eval) {
            self.by_job.remove(&place);
            return Some(eval);
        }
        self.by_job.insert(place, eval.id);
        self.evals.insert(eval.id, eval);
        None
    }

    fn missed_unblock(&self, eval: &Evaluation) -> bool {
        let seen = freshness(eval);
        self.unblocks.iter().any(|(key, unblock)| {
            unblock.index > seen
                && match key.split_once(':') {
                    Some(("class", class)) => may_use_class(eval, class),
                    Some((_, name)) => eval
                        .missing_non_node_resources
                        .iter()
                        .any(|missing| missing == name),
                    None => false,
                }
        })
    }

    /// Takes out the evaluations that this capacity may serve.
    pub fn unblock(
        &mut self,
        capacity: &Capacity,
        index: u64,
        now: UnixNanos,
    ) -> Vec<Arc<Evaluation>> {
        if !self.enabled {
            return Vec::new();
        }
        let key = match capacity {
            Capacity::Class { class, .. } => class_key(class),
            Capacity::Resource(name) => resource_key(name),
        };
        self.unblocks.insert(key, Remembered { index, at: now });
        self.unblocks
            .retain(|_, unblock| now.since(unblock.at) <= REMEMBERED);
        let woken: Vec<EvalId> = self
            .evals
            .values()
            .filter(|eval| match capacity {
                Capacity::Class { class, node } => {
                    (eval.node_id.is_nil() || eval.node_id == *node || place_of(eval).1.is_nil())
                        && eval.quota_limit_reached.is_empty()
                        && may_use_class(eval, class)
                }
                Capacity::Resource(name) => eval.missing_non_node_resources.contains(name),
            })
            .map(|eval| eval.id)
            .collect();
        self.take(&woken)
    }

    /// Takes out the evaluations that lost too many races for capacity: they are tried again from time to time.
    pub fn unblock_failed(&mut self) -> Vec<Arc<Evaluation>> {
        let woken: Vec<EvalId> = self
            .evals
            .values()
            .filter(|eval| eval.triggered_by == trigger::MAX_PLANS)
            .map(|eval| eval.id)
            .collect();
        self.take(&woken)
    }

    fn take(&mut self, ids: &[EvalId]) -> Vec<Arc<Evaluation>> {
        let mut taken = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(eval) = self.evals.remove(id) {
                self.by_job.remove(&place_of(&eval));
                taken.push(eval);
            }
        }
        taken
    }

    /// Forgets the evaluations of a job: it was placed, or is gone.
    pub fn untrack(&mut self, job: &JobKey) {
        let ids: BTreeSet<EvalId> = self
            .by_job
            .range((job.clone(), NodeId::NIL)..)
            .take_while(|((key, _), _)| key == job)
            .map(|(_, id)| *id)
            .collect();
        self.take(&ids.into_iter().collect::<Vec<_>>());
    }

    /// Takes the evaluations that newer ones of their job made superfluous: they are to be canceled.
    pub fn take_duplicates(&mut self) -> Vec<Arc<Evaluation>> {
        std::mem::take(&mut self.duplicates)
    }

    /// Counters for metrics.
    #[must_use]
    pub fn stats(&self) -> BlockedStats {
        BlockedStats {
            blocked: self.evals.len(),
            escaped: self.evals.values().filter(|eval| escaped(eval)).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(number: u128, job: &str, snapshot: u64) -> Evaluation {
        Evaluation {
            id: EvalId::from_u128(number),
            job_id: job.into(),
            r#type: job_type::SERVICE.to_owned(),
            status: EvalStatus::Blocked,
            snapshot_index: snapshot,
            class_eligibility: [("v1:fit".to_owned(), true), ("v1:unfit".to_owned(), false)].into(),
            ..Evaluation::default()
        }
    }

    fn blocked() -> Blocked {
        let mut blocked = Blocked::default();
        blocked.set_enabled(true);
        blocked
    }

    fn class(name: &str) -> Capacity {
        Capacity::Class {
            class: name.to_owned(),
            node: NodeId::from_u128(1),
        }
    }

    #[test]
    fn capacity_wakes_fit_and_unknown_classes_only() {
        for (name, wakes) in [("v1:fit", true), ("v1:unknown", true), ("v1:unfit", false)] {
            let mut tracker = blocked();
            tracker.block(Arc::new(eval(1, "a", 5)));
            assert_eq!(
                tracker.unblock(&class(name), 6, UnixNanos(1)).len(),
                usize::from(wakes),
                "{name}"
            );
        }
    }

    #[test]
    fn an_event_during_scheduling_is_not_missed() {
        let mut tracker = blocked();
        tracker.unblock(&class("v1:fit"), 9, UnixNanos(1));
        assert!(
            tracker.block(Arc::new(eval(1, "a", 5))).is_some(),
            "the event at 9 is newer than the snapshot"
        );
        assert!(tracker.block(Arc::new(eval(2, "b", 10))).is_none());
    }

    #[test]
    fn of_two_of_a_job_the_older_is_a_duplicate() {
        let mut tracker = blocked();
        tracker.block(Arc::new(eval(1, "a", 5)));
        tracker.block(Arc::new(eval(2, "a", 7)));
        assert_eq!(
            tracker
                .take_duplicates()
                .iter()
                .map(|eval| eval.id)
                .collect::<Vec<_>>(),
            [EvalId::from_u128(1)]
        );
        assert_eq!(tracker.stats().blocked, 1);
    }

    #[test]
    fn untracking_a_job_forgets_it() {
        let mut tracker = blocked();
        let waiting = eval(1, "a", 5);
        let job = place_of(&waiting).0;
        tracker.block(Arc::new(waiting));
        tracker.untrack(&job);
        assert!(
            tracker
                .unblock(&class("v1:fit"), 6, UnixNanos(1))
                .is_empty()
        );
    }
}
