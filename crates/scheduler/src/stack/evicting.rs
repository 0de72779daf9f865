//! The best node for an allocation that others make room for (scheduler sheet §11).

use super::candidates::Candidates;
use super::ranker::{Ranker, Verdict};
use super::score::{Extra, NodeScore, best_first};
use super::{Choice, Wish};
use crate::planned::Planned;
use crate::preempt;
use crate::rng::Rng;
use caravan_model::*;
use caravan_state::{Slot, capacity};
use std::sync::Arc;

impl Ranker {
    /// Room made on one node, and how that is scored.
    pub(super) fn preempting(
        &mut self,
        candidates: &Candidates<'_>,
        planned: &Planned,
        slot: Slot,
        rng: &mut Rng,
    ) -> Option<(Choice, NodeScore, Extra)> {
        let state = candidates.state;
        let node = state.node(&candidates.id_of(slot))?;
        let found = preempt::on_node(state, planned, node, &self.subject.job, &self.ask, rng)?;
        let kind = candidates.kind_of(slot);
        let score = self.score(
            candidates,
            slot,
            kind,
            capacity(node),
            found.used,
            found.device_score,
        );
        let extra = Extra {
            preemption: Some(preempt::score(&found.preempted)),
            system: self.subject.system,
            ..Extra::default()
        };
        let choice = Choice {
            node: Arc::clone(node),
            resources: found.resources,
            preempted: found.preempted,
        };
        Some((choice, score, extra))
    }

    /// The best of all nodes on which something is used up that others could give back.
    pub(super) fn best_by_preemption(
        &mut self,
        candidates: &Candidates<'_>,
        planned: &Planned,
        wish: &Wish<'_>,
        rng: &mut Rng,
        metric: &mut AllocMetric,
    ) -> Option<Choice> {
        let mut best: Option<((u64, u64), Choice)> = None;
        let mut shown = Vec::new();
        for slot in 0..self.verdicts.len() {
            let Verdict::Refused(reason) = self.verdicts[slot] else {
                continue;
            };
            let kind = candidates.kind_of(slot);
            if !self.tally.is_exhaustion(reason) || self.distinct_on(slot, kind).is_some() {
                continue;
            }
            let Some((choice, score, mut extra)) = self.preempting(candidates, planned, slot, rng)
            else {
                continue;
            };
            extra.spread = self.spread_on(slot, kind);
            extra.penalised = wish.penalised.contains(&choice.node.id);
            let total = score.total(extra);
            let key = (best_first(total), candidates.tie(choice.node.id));
            shown.push((key, score.shown(choice.node.id, extra, total)));
            if best.as_ref().is_none_or(|(have, _)| key < *have) {
                best = Some((key, choice));
            }
        }
        shown.sort_by_key(|(key, _)| *key);
        shown.truncate(AllocMetric::TOP_SCORES);
        metric.score_meta_data = shown.into_iter().map(|(_, node)| node).collect();
        best.map(|(_, choice)| choice)
    }
}
