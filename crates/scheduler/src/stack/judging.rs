//! What is thought of one node for the group, and its score (scheduler sheet §§9, 10).

use super::candidates::{Candidates, Room};
use super::offer;
use super::ranker::Ranker;
use super::score::NodeScore;
use crate::feasible::{Reason, refusal_of_node, volumes};
use crate::planned::Planned;
use crate::rng::Rng;
use caravan_model::*;
use caravan_state::{Amount, Slot};

/// What is thought of one node, and how it is scored when it fits.
pub(crate) enum Judgement {
    Filtered(Reason),
    Exhausted(Reason),
    Fits(NodeScore),
}

impl Ranker {
    /// What is thought of a node, but for `distinct_property`. In place, its ports, cores and devices stay.
    pub(super) fn judge(
        &mut self,
        candidates: &Candidates<'_>,
        planned: &Planned,
        slot: Slot,
        name: &str,
        in_place: bool,
    ) -> Judgement {
        let kind = candidates.kind_of(slot);
        let verdict = self.kind(candidates, kind);
        let of_kind = verdict.and_then(|verdict| verdict.refusal.clone());
        if self.ask.asks_nodes
            && let Some(node) = candidates.state.node(&candidates.id_of(slot))
        {
            let before = of_kind.as_ref().map_or(usize::MAX, |(place, _)| *place);
            if let Some(reason) = refusal_of_node(&self.ask, node, before) {
                return Judgement::Filtered(reason);
            }
        }
        if let Some((_, reason)) = of_kind {
            return Judgement::Filtered(reason);
        }
        if let Some(reason) = self.node_reason(candidates, planned, slot, name, in_place) {
            return Judgement::Filtered(reason);
        }
        let room = candidates.room(slot);
        if in_place || !self.ask.depends_on_what_is_left() {
            return self.judge_room(candidates, slot, kind, room, self.ask.amount, None);
        }
        let id = candidates.id_of(slot);
        let Some(node) = candidates.state.node(&id) else {
            return Judgement::Filtered(Reason::Borrowed(""));
        };
        match offer::make(node, room.held, &self.ask, &mut Rng::new(0, id.0)) {
            Ok((given, devices)) => {
                self.judge_room(candidates, slot, kind, room, Amount::of(&given), devices)
            }
            Err(dimension) => Judgement::Exhausted(Reason::Owned(dimension)),
        }
    }

    /// What is thought of a node by what is left of it.
    pub(super) fn judge_room(
        &mut self,
        candidates: &Candidates<'_>,
        slot: Slot,
        kind: u32,
        room: Room<'_>,
        asked: Amount,
        devices: Option<f64>,
    ) -> Judgement {
        if room.most > 0 && room.allocs >= room.most {
            return Judgement::Exhausted(Reason::Borrowed("max allocation exceeded"));
        }
        if let Some(dimension) = room.free.lacks(asked) {
            return Judgement::Exhausted(Reason::Borrowed(dimension));
        }
        let used = room.used_with(asked);
        Judgement::Fits(self.score(candidates, slot, kind, room.capacity, used, devices))
    }

    pub(super) fn score(
        &mut self,
        candidates: &Candidates<'_>,
        slot: Slot,
        kind: u32,
        capacity: Amount,
        used: Amount,
        devices: Option<f64>,
    ) -> NodeScore {
        let mut score = NodeScore {
            binpack: self.fit.of(capacity, used),
            devices,
            ..NodeScore::default()
        };
        if self.subject.system {
            return score;
        }
        let same = self.same_group[slot];
        if same > 0 {
            score.anti_affinity = Some(-f64::from(same + 1) / self.ask.count.max(1) as f64);
        }
        if !self.ask.affinities.is_empty() {
            score.affinity = if self.affinity_of_nodes {
                let node = candidates.state.node(&candidates.id_of(slot));
                node.map(|node| self.affinity_of(node))
            } else {
                let of_kind = self.kinds.get(kind as usize).and_then(Option::as_ref);
                of_kind.map(|kind| kind.affinity)
            };
        }
        score
    }

    /// Why this very node cannot take the group.
    pub(super) fn node_reason(
        &self,
        candidates: &Candidates<'_>,
        planned: &Planned,
        slot: Slot,
        name: &str,
        in_place: bool,
    ) -> Option<Reason> {
        let ask = &self.ask;
        if !ask.volumes.is_empty() {
            let node = candidates.state.node(&candidates.id_of(slot))?;
            let asker = volumes::Asker {
                job: &self.subject.job,
                group: &ask.group,
                alloc_name: name,
                in_place,
            };
            let lacks = volumes::lacks(candidates.state, planned, node, &ask.volumes, asker);
            if let Some(reason) = lacks {
                return Some(Reason::Owned(reason));
            }
        }
        let taken = (ask.distinct_hosts_job && self.same_job[slot] > 0)
            || (ask.distinct_hosts_group && self.same_group[slot] > 0);
        (taken && !self.subject.system).then_some(Reason::Borrowed(operand::DISTINCT_HOSTS))
    }

    /// Why no more allocations may go where these values are.
    pub(super) fn distinct_reason(&self, values: &[u32]) -> Option<String> {
        self.distinct
            .iter()
            .zip(values)
            .find_map(|((rule, counts), value)| {
                let attribute = &rule.attribute;
                if *value == super::property::MISSING {
                    return Some(format!("missing property \"{attribute}\""));
                }
                let used = counts.count(*value);
                (used >= rule.allowed).then(|| {
                    let name = counts.name(*value);
                    format!("distinct_property: {attribute}={name} used by {used} allocs")
                })
            })
    }

    pub(super) fn boost(&self, values: &[u32]) -> f64 {
        self.spreads
            .iter()
            .zip(values)
            .map(|(spread, value)| spread.boost(*value))
            .sum()
    }

    /// What `distinct_property` says of one node.
    pub(super) fn distinct_on(&self, slot: Slot, kind: u32) -> Option<String> {
        let values = self
            .distinct
            .iter()
            .map(|(_, counts)| counts.at(slot, kind));
        self.distinct_reason(&values.collect::<Vec<_>>())
    }

    /// What spreads say of one node.
    pub(super) fn spread_on(&self, slot: Slot, kind: u32) -> f64 {
        let values = self
            .spreads
            .iter()
            .map(|spread| spread.counts.at(slot, kind));
        self.boost(&values.collect::<Vec<_>>())
    }
}
