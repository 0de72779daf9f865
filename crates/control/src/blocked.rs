//! Blocked evaluations (scheduler sheet §5): who waits for capacity, and which event may give it.
//!
//! An evaluation that could not place everything says which computed classes of nodes it found unfit, and its groups
//! say how much they need at least. It is woken by room on a node of a class that it did not rule out, if that much
//! is free there. Nothing is forgotten: an event that came while the evaluation was being scheduled counts as well,
//! by its index. Nobody is woken in vain by the hundred: see [`offers`].

mod offers;
mod room;
#[cfg(test)]
mod tests;

pub use room::{Room, least_asked, room_on};

use crate::follow_up::key_of_eval;
use caravan_model::*;
use caravan_state::{JobKey, State};
use offers::{Offers, TRIAL};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most evaluations that room on one node wakes at once.
const MOST_AT_ONCE: usize = 64;

/// Counters of the blocked evaluations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockedStats {
    /// All of them.
    pub blocked: usize,
    /// Those that any capacity may wake.
    pub escaped: usize,
    /// How many were woken since the leadership began.
    pub woken: u64,
}

/// Who goes first: higher priority, then older.
type Turn = (Reverse<i64>, u64, EvalId);

/// What evaluations that wait for the same have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Wish {
    /// The least room for each group, with how many are wanted.
    asks: Vec<(Room, i64)>,
    /// What is known of classes; nothing when any may serve.
    classes: BTreeMap<String, bool>,
    /// The only node that may serve, if any.
    node: NodeId,
}

impl Wish {
    fn of(eval: &Evaluation, asks: Vec<(Room, i64)>) -> Self {
        let classes = if eval.escaped_computed_class {
            BTreeMap::new()
        } else {
            eval.class_eligibility.clone()
        };
        Self {
            asks,
            classes,
            node: only_node(eval),
        }
    }

    /// The first ask that a node with this room may serve.
    fn served_by(&self, node: &Node, room: Room) -> Option<(Room, i64)> {
        let here = self.node.is_nil() || self.node == node.id;
        let class = self.classes.get(&node.computed_class);
        if !here || class == Some(&false) {
            return None;
        }
        self.asks.iter().find(|(ask, _)| room.holds(*ask)).copied()
    }
}

#[derive(Debug)]
struct Waiting {
    eval: Arc<Evaluation>,
    wish: Arc<Wish>,
}

/// Evaluations that wait for capacity. Empty and off until [`Blocked::set_enabled`].
#[derive(Debug, Default)]
pub struct Blocked {
    enabled: bool,
    evals: BTreeMap<EvalId, Waiting>,
    by_wish: BTreeMap<Arc<Wish>, BTreeSet<Turn>>,
    /// One a job for service and batch; one a job and node for system jobs.
    by_job: BTreeMap<(JobKey, NodeId), EvalId>,
    offers: Offers,
    duplicates: Vec<Arc<Evaluation>>,
    woken: u64,
}

/// The only node that may serve an evaluation: that of a system job waits for room on one.
pub(crate) fn only_node(eval: &Evaluation) -> NodeId {
    let system = eval.r#type == job_type::SYSTEM || eval.r#type == job_type::SYSBATCH;
    if system { eval.node_id } else { NodeId::NIL }
}

fn place_of(eval: &Evaluation) -> (JobKey, NodeId) {
    (key_of_eval(eval), only_node(eval))
}

fn turn_of(eval: &Evaluation) -> Turn {
    (Reverse(eval.priority), eval.create_index, eval.id)
}

/// Which of two evaluations of a job is the newer one. Of two that are as new it is always the same one: they may be
/// compared again when the log is heard late, and each that lost is canceled.
fn freshness(eval: &Evaluation) -> (u64, EvalId) {
    (eval.create_index.max(eval.snapshot_index), eval.id)
}

/// The newest state that an evaluation has seen. It is written later than it was judged: what came free between
/// was not seen.
pub(crate) fn seen(eval: &Evaluation) -> u64 {
    if eval.snapshot_index == 0 {
        eval.create_index
    } else {
        eval.snapshot_index
    }
}

impl Blocked {
    /// Turns tracking on, or off and empty.
    pub fn set_enabled(&mut self, enabled: bool) {
        if !enabled {
            *self = Self::default();
        }
        self.enabled = enabled;
    }

    /// Tracks a blocked evaluation, with what [`least_asked`] says of it. Room that came free since the state that
    /// it has seen is offered to it at the next [`Blocked::wake`].
    pub fn block(&mut self, eval: Arc<Evaluation>, asks: Vec<(Room, i64)>) {
        if !self.enabled {
            return;
        }
        self.offers.done(eval.id);
        let place = place_of(&eval);
        if let Some(known) = self.by_job.get(&place).copied() {
            let fresher = self
                .evals
                .get(&known)
                .is_some_and(|other| freshness(&other.eval) > freshness(&eval));
            if known != eval.id && fresher {
                self.duplicates.push(eval);
                return;
            }
            if let Some(other) = self.remove(known).filter(|other| other.id != eval.id) {
                self.duplicates.push(other);
            }
        }
        self.offers.open_after(seen(&eval));
        let wish = Arc::new(Wish::of(&eval, asks));
        let turns = self.by_wish.entry(Arc::clone(&wish)).or_default();
        turns.insert(turn_of(&eval));
        self.by_job.insert(place, eval.id);
        self.evals.insert(eval.id, Waiting { eval, wish });
    }

    fn remove(&mut self, id: EvalId) -> Option<Arc<Evaluation>> {
        let Waiting { eval, wish } = self.evals.remove(&id)?;
        if let Some(turns) = self.by_wish.get_mut(&wish) {
            turns.remove(&turn_of(&eval));
            if turns.is_empty() {
                self.by_wish.remove(&wish);
            }
        }
        self.by_job.remove(&place_of(&eval));
        Some(eval)
    }

    fn take(&mut self, ids: &[EvalId]) -> Vec<Arc<Evaluation>> {
        let taken: Vec<Arc<Evaluation>> = ids.iter().filter_map(|id| self.remove(*id)).collect();
        self.woken += u64::try_from(taken.len()).unwrap_or(0);
        taken
    }

    /// Room came free on a node, or the node changed, at an index of the log.
    pub fn freed(&mut self, node: NodeId, index: u64, now: UnixNanos) {
        if self.enabled {
            self.offers.open(node, index, now);
        }
    }

    /// An evaluation is done, whatever came of it: others may have their turn at what it left.
    pub fn done(&mut self, id: EvalId) {
        self.offers.done(id);
    }

    /// Takes out those who may be served by what is free now. `state` is not older than the events told before.
    pub fn wake(&mut self, state: &State, now: UnixNanos) -> Vec<Arc<Evaluation>> {
        let mut woken = Vec::new();
        for id in self.offers.due(now) {
            let node = if self.evals.is_empty() {
                None
            } else {
                state.node(&id)
            };
            let room = node.and_then(|node| Some((node, room_on(state, node)?)));
            let Some((node, room)) = room else {
                self.offers.close(id);
                continue;
            };
            let chosen = self.choose(node, room);
            if chosen.is_empty() {
                self.offers.close(id);
                continue;
            }
            self.offers.on_trial(id, &chosen, now);
            woken.extend(self.take(&chosen));
        }
        woken
    }

    /// Who gets a try at this room: in turn, as long as some is left, and at least one.
    fn choose(&self, node: &Node, room: Room) -> Vec<EvalId> {
        let since = self.offers.index(node.id).unwrap_or(0);
        let mut queues: Vec<_> = self
            .by_wish
            .iter()
            .filter_map(|(wish, turns)| {
                wish.served_by(node, room)?;
                let untried = turns.iter().filter(move |(_, _, id)| {
                    let waiting = self.evals.get(id);
                    waiting.is_some_and(|waiting| seen(&waiting.eval) < since)
                });
                Some((wish, untried.peekable()))
            })
            .collect();
        let mut left = room;
        let mut chosen = Vec::new();
        while chosen.len() < MOST_AT_ONCE {
            let next = queues
                .iter_mut()
                .filter_map(|(wish, turns)| {
                    let ask = wish.served_by(node, left)?;
                    Some((*turns.peek()?, ask, turns))
                })
                .min_by_key(|(turn, _, _)| *turn);
            let Some((turn, (ask, wanted), turns)) = next else {
                break;
            };
            turns.next();
            chosen.push(turn.2);
            left = left.minus(ask, wanted);
        }
        chosen
    }

    /// An allocation of this job is gone: what the job's other allocations forbade may be allowed now.
    pub fn unblock_job(&mut self, job: &JobKey) -> Vec<Arc<Evaluation>> {
        let ids = self.ids_of(job);
        self.take(&ids)
    }

    /// Takes out the evaluations that wait for room on this node alone.
    pub fn unblock_node(&mut self, node: NodeId) -> Vec<Arc<Evaluation>> {
        self.unblock_where(|eval| only_node(eval) == node)
    }

    /// Takes out the evaluations that wait for something that is no node's, such as a volume.
    pub fn unblock_resource(&mut self, name: &str) -> Vec<Arc<Evaluation>> {
        self.unblock_where(|eval| {
            eval.missing_non_node_resources
                .iter()
                .any(|missing| missing == name)
        })
    }

    /// Takes out the evaluations that lost too many races for capacity: they are tried again from time to time.
    pub fn unblock_failed(&mut self) -> Vec<Arc<Evaluation>> {
        self.unblock_where(|eval| eval.triggered_by == trigger::MAX_PLANS)
    }

    /// Takes out everything: the rules by which all are judged have changed.
    pub fn unblock_all(&mut self) -> Vec<Arc<Evaluation>> {
        self.unblock_where(|_| true)
    }

    fn unblock_where(&mut self, wanted: impl Fn(&Evaluation) -> bool) -> Vec<Arc<Evaluation>> {
        let ids: Vec<EvalId> = self
            .evals
            .values()
            .filter(|waiting| wanted(&waiting.eval))
            .map(|waiting| waiting.eval.id)
            .collect();
        self.take(&ids)
    }

    fn ids_of(&self, job: &JobKey) -> Vec<EvalId> {
        self.by_job
            .range((job.clone(), NodeId::NIL)..)
            .take_while(|((key, _), _)| key == job)
            .map(|(_, id)| *id)
            .collect()
    }

    /// Forgets the evaluations of a job: it was placed, or is gone.
    pub fn untrack(&mut self, job: &JobKey) {
        for id in self.ids_of(job) {
            self.remove(id);
        }
    }

    /// Forgets one evaluation, which is over or gone.
    pub fn forget(&mut self, id: EvalId) {
        self.offers.done(id);
        self.remove(id);
    }

    /// Forgets events that are long over. Returns when [`Blocked::wake`] should be called even if nothing happens.
    pub fn tick(&mut self, now: UnixNanos) -> Option<UnixNanos> {
        self.offers.tick(now)
    }

    /// When whoever is woken now for offered room has had their time; none while none is offered.
    pub(crate) fn trial_end(&self, now: UnixNanos) -> Option<UnixNanos> {
        self.offers.is_open().then(|| now + TRIAL)
    }

    /// Whether there are evaluations to be canceled.
    #[must_use]
    pub fn has_duplicates(&self) -> bool {
        !self.duplicates.is_empty()
    }

    /// Takes up to `limit` evaluations that newer ones of their job made superfluous: they are to be canceled.
    pub fn take_duplicates(&mut self, limit: usize) -> Vec<Arc<Evaluation>> {
        let count = self.duplicates.len().min(limit);
        self.duplicates.drain(..count).collect()
    }

    /// Whether an evaluation waits here, or is about to be canceled for another one of its job.
    #[must_use]
    pub fn knows(&self, id: EvalId) -> bool {
        self.evals.contains_key(&id) || self.duplicates.iter().any(|eval| eval.id == id)
    }

    /// The oldest state that some evaluation here was judged on; none when nobody waits.
    #[must_use]
    pub fn oldest_seen(&self) -> Option<u64> {
        self.evals.values().map(|waiting| seen(&waiting.eval)).min()
    }

    /// Counters for metrics.
    #[must_use]
    pub fn stats(&self) -> BlockedStats {
        let any = |waiting: &&Waiting| waiting.wish.classes.is_empty();
        BlockedStats {
            blocked: self.evals.len(),
            escaped: self.evals.values().filter(any).count(),
            woken: self.woken,
        }
    }
}
