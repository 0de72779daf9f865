//! All nodes ranked for one group, kept current while the plan grows.
//!
//! Kinds of nodes are judged once; then one pass over the columns of the node table scores every node that is
//! left. A placement changes one node, which alone is judged anew. So `p` placements on `n` nodes cost about
//! `n + p log n`, and every placement is on the best of all nodes.

use super::candidates::{Candidates, Room};
use super::judging::Judgement;
use super::lanes::{Entry, Lanes};
use super::metrics::{ReasonId, Tally};
use super::property::PropertyCounts;
use super::score::{FitMemo, best_first};
use super::spread::SpreadScore;
use crate::ask::{DistinctProperty, GroupAsk};
use crate::decision::ClassEligibility;
use crate::feasible::{Reason, drivers, network_place, refusal_of_kind};
use crate::planned::Planned;
use caravan_model::*;
use caravan_state::{Page, Slot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whose allocations are ranked.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) job: Arc<Job>,
    /// Runs everywhere: only packed.
    pub(crate) system: bool,
    /// The emptiest node first.
    pub(crate) spreads: bool,
}

/// What is thought of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No candidate, or of a kind that cannot take the group; these are counted by kind.
    Out,
    /// The node cannot take the group, or something of it is used up.
    Refused(ReasonId),
    Fits,
}

/// What is thought of nodes of one kind.
#[derive(Clone, Debug)]
pub(super) struct KindVerdict {
    /// Why none can take the group, but for what only nodes answer, and the place of the check among all.
    pub(super) refusal: Option<(usize, Reason)>,
    /// Whether the refusal holds for every node of the class, as long as it is of it.
    pub(super) for_good: bool,
    pub(super) affinity: f64,
}

/// All nodes ranked for one group.
pub(crate) struct Ranker {
    pub(crate) ask: GroupAsk,
    pub(super) subject: Subject,
    pub(super) kinds: Vec<Option<KindVerdict>>,
    /// Whether affinities look at what kinds leave out.
    pub(super) affinity_of_nodes: bool,
    /// Allocations of the same group on each node.
    pub(super) same_group: Vec<u32>,
    /// Allocations of the same job on each node.
    pub(super) same_job: Vec<u32>,
    pub(super) spreads: Vec<SpreadScore>,
    pub(super) distinct: Vec<(DistinctProperty, PropertyCounts)>,
    pub(super) verdicts: Vec<Verdict>,
    /// Of each node that fits, the sum of its scores and how many they are.
    pub(super) scores: Vec<(f64, u8)>,
    pub(super) device_scores: BTreeMap<Slot, f64>,
    pub(super) lanes: Lanes,
    pub(super) tally: Tally,
    pub(super) fit: FitMemo,
    pub(super) followed: usize,
    pub(super) changed: Vec<Slot>,
    pub(super) ranked: bool,
}

impl Ranker {
    pub(crate) fn new(
        ask: GroupAsk,
        subject: Subject,
        candidates: &Candidates<'_>,
        existing: &[Arc<Allocation>],
    ) -> Self {
        let nodes = candidates.table.len();
        let spreads = ask.spreads.iter().filter(|_| !subject.system);
        let mut ranker = Self {
            kinds: vec![None; candidates.table.kind_count()],
            affinity_of_nodes: ask
                .affinities
                .iter()
                .any(|(predicate, _)| predicate.escapes),
            same_group: vec![0; nodes],
            same_job: vec![0; nodes],
            spreads: spreads
                .map(|spread| SpreadScore::new(spread, &ask, candidates))
                .collect(),
            distinct: ask
                .distinct_properties
                .iter()
                .map(|rule| {
                    (
                        rule.clone(),
                        PropertyCounts::new(&rule.attribute, candidates),
                    )
                })
                .collect(),
            verdicts: Vec::new(),
            scores: Vec::new(),
            device_scores: BTreeMap::new(),
            lanes: Lanes::default(),
            tally: Tally::new(candidates),
            fit: FitMemo::new(subject.spreads),
            followed: 0,
            changed: Vec::new(),
            ranked: false,
            ask,
            subject,
        };
        for alloc in existing {
            let slot = candidates.slot(alloc.node_id);
            ranker.count(candidates, slot, alloc, 1);
        }
        ranker
    }

    /// Judges a kind, once.
    pub(super) fn kind(&mut self, candidates: &Candidates<'_>, kind: u32) -> Option<&KindVerdict> {
        let sample = &candidates.table.kind(kind)?.sample;
        let known = self.kinds.get(kind as usize)?.is_some();
        if !known {
            let refusal = refusal_of_kind(&self.ask, sample);
            // Classes say nothing about the health of drivers and about networks: these may change.
            let for_good = refusal.as_ref().is_none_or(|(place, reason)| {
                let ill = reason == drivers::MISSING
                    && !drivers::is_missing_for_good(sample, &self.ask.drivers);
                !ill && *place != network_place(&self.ask)
            });
            self.kinds[kind as usize] = Some(KindVerdict {
                refusal,
                for_good,
                affinity: self.affinity_of(sample),
            });
        }
        self.kinds[kind as usize].as_ref()
    }

    pub(super) fn affinity_of(&self, node: &Node) -> f64 {
        let affinities = &self.ask.affinities;
        let total: i64 = affinities.iter().map(|(_, weight)| weight.abs()).sum();
        if total == 0 {
            return 0.0;
        }
        let matched = affinities
            .iter()
            .filter(|(predicate, _)| predicate.holds(node));
        let matched: i64 = matched.map(|(_, weight)| weight).sum();
        matched as f64 / total as f64
    }

    /// Counts an allocation in or out, if it is of this job.
    fn count(
        &mut self,
        candidates: &Candidates<'_>,
        slot: Option<Slot>,
        alloc: &Allocation,
        by: i32,
    ) {
        let job = &self.subject.job;
        let Some(slot) = slot else { return };
        if alloc.job_id != job.id || alloc.namespace != job.namespace {
            return;
        }
        let same_group = alloc.task_group == self.ask.group;
        if !alloc.client_terminal() {
            let add = |count: &mut u32| *count = count.saturating_add_signed(by);
            add(&mut self.same_job[slot]);
            if same_group {
                add(&mut self.same_group[slot]);
            }
        }
        if alloc.terminal_status() || (self.spreads.is_empty() && self.distinct.is_empty()) {
            return;
        }
        let kind = candidates.kind_of(slot);
        if same_group {
            for spread in &mut self.spreads {
                spread.counts.change(slot, kind, by.into());
            }
        }
        for (rule, counts) in &mut self.distinct {
            if same_group || rule.job_wide {
                counts.change(slot, kind, by.into());
            }
        }
    }

    /// Takes in what the plan changed since the last time.
    pub(crate) fn follow(&mut self, candidates: &Candidates<'_>, planned: &Planned) {
        for change in planned.since(self.followed) {
            let by = if change.comes { 1 } else { -1 };
            let slot = candidates.slot(change.alloc.node_id);
            self.count(candidates, slot, &change.alloc, by);
            self.changed.extend(slot);
        }
        self.followed = planned.length();
    }

    /// Ranks all nodes, or those anew that the plan changed.
    pub(super) fn refresh(&mut self, candidates: &Candidates<'_>, planned: &Planned, name: &str) {
        self.follow(candidates, planned);
        if !self.ranked || self.ask.differs_by_allocation() {
            self.rank_all(candidates, planned, name);
            return;
        }
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        for slot in changed {
            self.judge_again(candidates, planned, slot, name);
        }
    }

    fn judge_again(
        &mut self,
        candidates: &Candidates<'_>,
        planned: &Planned,
        slot: Slot,
        name: &str,
    ) {
        if !candidates.is_ready(slot) {
            return;
        }
        let asks_nodes = self.ask.asks_nodes;
        let kind = candidates.kind_of(slot);
        if self
            .kind(candidates, kind)
            .is_none_or(|verdict| verdict.refusal.is_some() && !asks_nodes)
        {
            return;
        }
        let judgement = self.judge(candidates, planned, slot, name, false);
        self.set(candidates, slot, kind, judgement);
    }

    fn rank_all(&mut self, candidates: &Candidates<'_>, planned: &Planned, name: &str) {
        self.ranked = true;
        self.changed.clear();
        self.verdicts = vec![Verdict::Out; candidates.table.len()];
        self.scores = vec![(0.0, 0); candidates.table.len()];
        self.tally = Tally::new(candidates);
        let kinds = u32::try_from(candidates.ready.len()).unwrap_or(0);
        let accepting: Vec<bool> = (0..kinds)
            .map(|kind| self.accepts(candidates, kind))
            .collect();
        self.assign_lanes(candidates, &accepting);
        let plain = self.is_plain();
        for (number, page) in candidates.table.pages().enumerate() {
            for at in 0..Page::SLOTS {
                let kind = page.kinds[at];
                if !page.ready[at] || accepting.get(kind as usize) != Some(&true) {
                    continue;
                }
                let slot = number * Page::SLOTS + at;
                let judgement = if plain {
                    let room = Room::of(page, at);
                    self.judge_room(candidates, slot, kind, room, self.ask.amount, None)
                } else {
                    self.judge(candidates, planned, slot, name, false)
                };
                self.set_first(candidates, slot, kind, page.ids[at], judgement);
            }
        }
        // What the plan has changed so far is not in the table's columns.
        let changed: Vec<Slot> = candidates.changed().filter(|_| plain).collect();
        for slot in changed {
            self.judge_again(candidates, planned, slot, name);
        }
    }

    /// Judges a kind for the ranking; what refuses a kind is counted for each of its nodes.
    fn accepts(&mut self, candidates: &Candidates<'_>, kind: u32) -> bool {
        let ready = candidates.ready[kind as usize];
        if ready == 0 {
            return false;
        }
        let asks_nodes = self.ask.asks_nodes;
        let Some(verdict) = self.kind(candidates, kind) else {
            return false;
        };
        let Some((_, reason)) = verdict.refusal.clone().filter(|_| !asks_nodes) else {
            return true;
        };
        let reason = self.tally.reason(false, reason);
        self.tally.count(reason, kind, ready);
        false
    }

    /// Gives every slot its lane: one for each combination of spread and `distinct_property` values.
    fn assign_lanes(&mut self, candidates: &Candidates<'_>, accepting: &[bool]) {
        self.lanes = Lanes::default();
        let counts = self.spreads.iter().map(|spread| &spread.counts);
        let counts: Vec<_> = counts
            .chain(self.distinct.iter().map(|(_, counts)| counts))
            .collect();
        if counts.is_empty() {
            self.lanes.lane(Vec::new());
            return;
        }
        let by_slot = counts.iter().any(|counts| counts.by_slot);
        let mut of_kind: Vec<Option<u32>> = vec![None; accepting.len()];
        let mut of_slot = vec![0; candidates.table.len()];
        for (number, page) in candidates.table.pages().enumerate() {
            for at in 0..Page::SLOTS {
                let kind = page.kinds[at];
                if !page.ready[at] || accepting.get(kind as usize) != Some(&true) {
                    continue;
                }
                let slot = number * Page::SLOTS + at;
                let known = of_kind[kind as usize].filter(|_| !by_slot);
                let lane = known.unwrap_or_else(|| {
                    let values = counts.iter().map(|counts| counts.at(slot, kind)).collect();
                    self.lanes.lane(values)
                });
                of_kind[kind as usize] = Some(lane);
                of_slot[slot] = lane;
            }
        }
        self.lanes.assign(of_slot);
    }

    /// Whether nothing but room distinguishes nodes of one kind.
    fn is_plain(&self) -> bool {
        let ask = &self.ask;
        let hosts = ask.distinct_hosts_job || ask.distinct_hosts_group;
        !ask.asks_nodes
            && !self.affinity_of_nodes
            && !ask.depends_on_what_is_left()
            && ask.volumes.is_empty()
            && (!hosts || self.subject.system)
    }

    fn entry(&self, candidates: &Candidates<'_>, slot: Slot, id: NodeId) -> Entry {
        let slot_number = u32::try_from(slot).unwrap_or(u32::MAX);
        (
            best_first(self.scores[slot].0),
            candidates.tie(id),
            slot_number,
        )
    }

    fn set_first(
        &mut self,
        candidates: &Candidates<'_>,
        slot: Slot,
        kind: u32,
        id: NodeId,
        judgement: Judgement,
    ) {
        self.note(slot, kind, judgement);
        if self.verdicts[slot] == Verdict::Fits {
            let entry = self.entry(candidates, slot, id);
            self.lanes.queue(slot, self.scores[slot].1).fill(entry);
        }
    }

    pub(super) fn set(
        &mut self,
        candidates: &Candidates<'_>,
        slot: Slot,
        kind: u32,
        judgement: Judgement,
    ) {
        let id = candidates.id_of(slot);
        match self.verdicts[slot] {
            Verdict::Fits => {
                let entry = self.entry(candidates, slot, id);
                self.lanes.queue(slot, self.scores[slot].1).remove(&entry);
            }
            Verdict::Refused(reason) => self.tally.count(reason, kind, -1),
            Verdict::Out => {}
        }
        self.note(slot, kind, judgement);
        if self.verdicts[slot] == Verdict::Fits {
            let entry = self.entry(candidates, slot, id);
            self.lanes.queue(slot, self.scores[slot].1).insert(entry);
        }
    }

    fn note(&mut self, slot: Slot, kind: u32, judgement: Judgement) {
        let (exhausted, reason) = match judgement {
            Judgement::Fits(score) => {
                self.verdicts[slot] = Verdict::Fits;
                self.scores[slot] = score.sum();
                if let Some(devices) = score.devices {
                    self.device_scores.insert(slot, devices);
                }
                return;
            }
            Judgement::Filtered(reason) => (false, reason),
            Judgement::Exhausted(reason) => (true, reason),
        };
        let reason = self.tally.reason(exhausted, reason);
        self.tally.count(reason, kind, 1);
        self.verdicts[slot] = Verdict::Refused(reason);
    }

    /// Says of each class whether it can take the group.
    pub(crate) fn tell_eligibility(
        &self,
        candidates: &Candidates<'_>,
        merged: &mut ClassEligibility,
    ) {
        merged.escaped |= self.ask.escapes;
        for (number, verdict) in (0..).zip(&self.kinds) {
            let (Some(kind), Some(verdict)) = (candidates.table.kind(number), verdict) else {
                continue;
            };
            if kind.class().is_empty() {
                merged.escaped = true;
                continue;
            }
            let eligible = merged.classes.entry(kind.class().to_owned()).or_default();
            *eligible |= verdict.refusal.is_none() || !verdict.for_good;
        }
        let namespace = &self.subject.job.namespace;
        for volume in self.ask.volumes.values() {
            if volume.r#type == volume_type::CSI {
                let missing = format!("csi-volume:{namespace}:{}", volume.source);
                merged.missing_resources.push(missing);
            }
        }
    }
}
