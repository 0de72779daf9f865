//! The best of all nodes, or whether one node will do; and what was seen on the way.

use super::candidates::Candidates;
use super::judging::Judgement;
use super::lanes::Entry;
use super::metrics::empty;
use super::ranker::{Ranker, Verdict};
use super::score::{Extra, best_first};
use super::{Choice, Wish, offer};
use crate::feasible::Reason;
use crate::planned::Planned;
use crate::rng::Rng;
use caravan_model::*;
use caravan_state::{Amount, Slot};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Ranker {
    /// The best node of all, and what was seen.
    pub(super) fn best(
        &mut self,
        candidates: &Candidates<'_>,
        planned: &Planned,
        wish: &Wish<'_>,
        rng: &mut Rng,
    ) -> (Option<Choice>, AllocMetric) {
        self.refresh(candidates, planned, wish.name);
        for spread in &mut self.spreads {
            spread.refresh();
        }
        let (choice, shown) = self.choose(candidates, wish, rng);
        let mut metric = self.tally.metric(candidates);
        if choice.is_none() {
            self.tell_distinct(candidates, &mut metric);
        }
        metric.score_meta_data = shown;
        (choice, metric)
    }

    /// Ports are only chosen on the best node; where that fails, the next best is tried.
    fn choose(
        &mut self,
        candidates: &Candidates<'_>,
        wish: &Wish<'_>,
        rng: &mut Rng,
    ) -> (Option<Choice>, Vec<Arc<NodeScoreMeta>>) {
        loop {
            let top = self.top(candidates, wish);
            let Some(first) = top.first() else {
                return (None, Vec::new());
            };
            let (slot, kind) = (first.slot, candidates.kind_of(first.slot));
            let Some(node) = candidates.state.node(&candidates.id_of(slot)) else {
                return (None, Vec::new());
            };
            match offer::make(node, candidates.room(slot).held, &self.ask, rng) {
                Ok((resources, _)) => {
                    let choice = Choice {
                        node: Arc::clone(node),
                        resources,
                        preempted: Vec::new(),
                    };
                    let shown = top
                        .iter()
                        .map(|scored| self.shown(candidates, scored))
                        .collect();
                    return (Some(choice), shown);
                }
                Err(dimension) => {
                    let full = Judgement::Exhausted(Reason::Owned(dimension));
                    self.set(candidates, slot, kind, full);
                }
            }
        }
    }

    /// A node's scores as they are shown.
    fn shown(&mut self, candidates: &Candidates<'_>, scored: &Scored) -> Arc<NodeScoreMeta> {
        let slot = scored.slot;
        let room = candidates.room(slot);
        let id = candidates.id_of(slot);
        let mut asked = self.ask.amount;
        if !self.ask.cores.is_empty()
            && let Some(node) = candidates.state.node(&id)
            && let Ok((given, _)) = offer::make(node, room.held, &self.ask, &mut Rng::new(0, id.0))
        {
            asked = Amount::of(&given);
        }
        let devices = self.device_scores.get(&slot).copied();
        let used = room.used_with(asked);
        let kind = candidates.kind_of(slot);
        let score = self.score(candidates, slot, kind, room.capacity, used, devices);
        score.shown(id, scored.extra, scored.total)
    }

    /// The best nodes, the best first: as many as are shown.
    fn top(&mut self, candidates: &Candidates<'_>, wish: &Wish<'_>) -> Vec<Scored> {
        let mut best = Best::default();
        let spreads = self.spreads.len();
        let mut lanes = std::mem::take(&mut self.lanes);
        let penalised = wish
            .penalised
            .iter()
            .filter_map(|node| candidates.slot(*node));
        let penalised: Vec<Slot> = penalised
            .filter(|slot| self.verdicts[*slot] == Verdict::Fits)
            .collect();
        for lane in &mut lanes.all {
            if self.distinct_reason(&lane.values[spreads..]).is_some() {
                continue;
            }
            let extra = Extra {
                spread: self.boost(&lane.values),
                ..Extra::default()
            };
            for (count, queue) in lane.queues.iter_mut().enumerate() {
                let holds = |entry: &Entry| {
                    let slot = entry.2 as usize;
                    let (sum, scores) = self.scores[slot];
                    self.verdicts[slot] == Verdict::Fits
                        && usize::from(scores) == count
                        && best_first(sum) == entry.0
                };
                let wanted = AllocMetric::TOP_SCORES + penalised.len();
                for entry in queue.peek(wanted, holds) {
                    let slot = entry.2 as usize;
                    if penalised.contains(&slot) {
                        continue;
                    }
                    if !best.offer(self.scores[slot], extra, entry.1, slot) {
                        break;
                    }
                }
            }
        }
        for slot in penalised {
            let values = &lanes.all[lanes.of(slot)].values;
            if self.distinct_reason(&values[spreads..]).is_none() {
                let extra = Extra {
                    penalised: true,
                    spread: self.boost(values),
                    ..Extra::default()
                };
                let tie = candidates.tie(candidates.id_of(slot));
                best.offer(self.scores[slot], extra, tie, slot);
            }
        }
        self.lanes = lanes;
        best.nodes
    }

    /// Counts the nodes that only `distinct_property` rules out. Beyond a number of values, the others are counted
    /// together: what is told of a placement stays small.
    fn tell_distinct(&self, candidates: &Candidates<'_>, metric: &mut AllocMetric) {
        const MOST_TOLD: usize = 32;
        if self.distinct.is_empty() {
            return;
        }
        let spreads = self.spreads.len();
        let mut told = BTreeSet::new();
        for slot in (0..self.verdicts.len()).filter(|slot| self.verdicts[*slot] == Verdict::Fits) {
            let values = &self.lanes.all[self.lanes.of(slot)].values;
            let Some(reason) = self.distinct_reason(&values[spreads..]) else {
                continue;
            };
            let kind = candidates.table.kind(candidates.kind_of(slot));
            let class = kind.map_or("", |kind| kind.node_class());
            if told.len() < MOST_TOLD || told.contains(&reason) {
                metric.filter_node(class, &reason);
                told.insert(reason);
            } else {
                metric.filter_node(class, "distinct_property: other values");
            }
        }
    }

    /// Whether one node can take the group, and what was seen of it.
    pub(super) fn on(
        &mut self,
        candidates: &Candidates<'_>,
        planned: &Planned,
        node: NodeId,
        wish: &Wish<'_>,
        rng: &mut Rng,
    ) -> (Option<Choice>, AllocMetric) {
        self.follow(candidates, planned);
        let mut metric = empty(candidates);
        let found = candidates
            .slot(node)
            .filter(|slot| candidates.is_ready(*slot));
        let (Some(slot), Some(node)) = (found, candidates.state.node(&node)) else {
            return (None, metric);
        };
        metric.nodes_evaluated = 1;
        let kind = candidates.kind_of(slot);
        let mut judgement = self.judge(candidates, planned, slot, wish.name, false);
        if !matches!(judgement, Judgement::Filtered(_))
            && let Some(reason) = self.distinct_on(slot, kind)
        {
            judgement = Judgement::Filtered(Reason::Owned(reason));
        }
        let score = match judgement {
            Judgement::Filtered(reason) => {
                metric.filter_node(&node.node_class, &reason);
                return (None, metric);
            }
            Judgement::Exhausted(dimension) => Err(dimension),
            Judgement::Fits(score) => {
                match offer::make(node, candidates.room(slot).held, &self.ask, rng) {
                    Ok((resources, _)) => Ok((score, resources)),
                    Err(dimension) => Err(Reason::Owned(dimension)),
                }
            }
        };
        let extra = Extra {
            system: self.subject.system,
            ..Extra::default()
        };
        match score {
            Ok((score, resources)) => {
                metric.score_meta_data = vec![score.shown(node.id, extra, score.total(extra))];
                let choice = Choice {
                    node: Arc::clone(node),
                    resources,
                    preempted: Vec::new(),
                };
                (Some(choice), metric)
            }
            Err(dimension) => {
                let evicting = Some(()).filter(|()| wish.preempt);
                let evicting =
                    evicting.and_then(|()| self.preempting(candidates, planned, slot, rng));
                if let Some((choice, score, extra)) = evicting {
                    metric.score_meta_data = vec![score.shown(node.id, extra, score.total(extra))];
                    return (Some(choice), metric);
                }
                metric.exhaust_node(&node.node_class, &dimension);
                (None, metric)
            }
        }
    }
}

/// A node with its final score.
#[derive(Clone, Debug)]
struct Scored {
    total: f64,
    slot: Slot,
    extra: Extra,
}

/// The best nodes seen so far, the best first.
#[derive(Default)]
struct Best {
    keys: Vec<(u64, u64)>,
    nodes: Vec<Scored>,
}

impl Best {
    /// Whether the node is among the best.
    fn offer(&mut self, (sum, count): (f64, u8), extra: Extra, tie: u64, slot: Slot) -> bool {
        let total = extra.total(sum, count);
        let key = (best_first(total), tie);
        let at = self.keys.partition_point(|have| *have <= key);
        if at >= AllocMetric::TOP_SCORES {
            return false;
        }
        self.keys.insert(at, key);
        self.nodes.insert(at, Scored { total, slot, extra });
        self.keys.truncate(AllocMetric::TOP_SCORES);
        self.nodes.truncate(AllocMetric::TOP_SCORES);
        true
    }
}
