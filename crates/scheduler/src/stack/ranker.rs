//! All nodes ranked for one group, kept current while the plan grows.
//!
//! Kinds of nodes are judged once; then one pass over the columns of the node table scores every node that is
//! left. A placement changes one node, which alone is judged anew. So `p` placements on `n` nodes cost about
//! `n + p log n`, and every placement is on the best of all nodes.

use super::candidates::{Candidates, Room};
use super::lanes::{Entry, Lanes};
use super::metrics::{ReasonId, Tally, empty};
use super::property::PropertyCounts;
use super::score::{Extra, FitMemo, NodeScore, best_first};
use super::spread::SpreadScore;
use super::{Choice, Wish, offer};
use crate::ask::{DistinctProperty, GroupAsk};
use crate::decision::ClassEligibility;
use crate::feasible::{Reason, drivers, refusal, volumes};
use crate::planned::Planned;
use crate::rng::Rng;
use caravan_model::*;
use caravan_state::{Amount, Page, Slot};
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

/// What is thought of one node, and how it is scored when it fits.
pub(crate) enum Judgement {
    Filtered(Reason),
    Exhausted(Reason),
    Fits(NodeScore),
}

/// What is thought of nodes of one kind.
#[derive(Clone, Debug)]
struct KindVerdict {
    refusal: Option<Reason>,
    /// Whether the refusal holds for every node of the class, as long as it is of it.
    for_good: bool,
    affinity: f64,
}

/// All nodes ranked for one group.
pub(crate) struct Ranker {
    pub(crate) ask: GroupAsk,
    pub(super) subject: Subject,
    kinds: Vec<Option<KindVerdict>>,
    /// Whether affinities look at what kinds leave out.
    affinity_of_nodes: bool,
    /// Allocations of the same group on each node.
    same_group: Vec<u32>,
    /// Allocations of the same job on each node.
    same_job: Vec<u32>,
    spreads: Vec<SpreadScore>,
    distinct: Vec<(DistinctProperty, PropertyCounts)>,
    pub(super) verdicts: Vec<Verdict>,
    /// Of each node that fits, the sum of its scores and how many they are.
    scores: Vec<(f64, u8)>,
    device_scores: BTreeMap<Slot, f64>,
    lanes: Lanes,
    pub(super) tally: Tally,
    fit: FitMemo,
    followed: usize,
    changed: Vec<Slot>,
    ranked: bool,
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
            affinity_of_nodes: ask.affinities.iter().any(|(predicate, _)| predicate.escapes),
            same_group: vec![0; nodes],
            same_job: vec![0; nodes],
            spreads: spreads
                .map(|spread| SpreadScore::new(spread, &ask, candidates))
                .collect(),
            distinct: ask
                .distinct_properties
                .iter()
                .map(|rule| (rule.clone(), PropertyCounts::new(&rule.attribute, candidates)))
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
            ranker.count(candidates, alloc, 1);
        }
        ranker
    }

    /// Judges a kind, once.
    fn kind(&mut self, candidates: &Candidates<'_>, kind: u32) -> Option<&KindVerdict> {
        let sample = &candidates.table.kind(kind)?.sample;
        let known = self.kinds.get(kind as usize)?.is_some();
        if !known {
            let refusal = if self.ask.asks_nodes {
                None
            } else {
                refusal(&self.ask, sample)
            };
            let ill = refusal.as_deref() == Some(drivers::MISSING)
                && !drivers::is_missing_for_good(sample, &self.ask.drivers);
            self.kinds[kind as usize] = Some(KindVerdict {
                refusal,
                for_good: !ill,
                affinity: self.affinity_of(sample),
            });
        }
        self.kinds[kind as usize].as_ref()
    }

    fn affinity_of(&self, node: &Node) -> f64 {
        let affinities = &self.ask.affinities;
        let total: i64 = affinities.iter().map(|(_, weight)| weight.abs()).sum();
        if total == 0 {
            return 0.0;
        }
        let matched = affinities.iter().filter(|(predicate, _)| predicate.holds(node));
        let matched: i64 = matched.map(|(_, weight)| weight).sum();
        matched as f64 / total as f64
    }

    /// Counts an allocation in or out, if it is of this job.
    fn count(&mut self, candidates: &Candidates<'_>, alloc: &Allocation, by: i32) {
        let job = &self.subject.job;
        if alloc.job_id != job.id || alloc.namespace != job.namespace {
            return;
        }
        let same_group = alloc.task_group == self.ask.group;
        if !alloc.client_terminal()
            && let Some(slot) = candidates.slot(alloc.node_id)
        {
            let add = |count: &mut u32| *count = count.saturating_add_signed(by);
            add(&mut self.same_job[slot]);
            if same_group {
                add(&mut self.same_group[slot]);
            }
        }
        if alloc.terminal_status() {
            return;
        }
        if same_group {
            for spread in &mut self.spreads {
                spread.counts.change(candidates, alloc.node_id, by.into());
            }
        }
        for (rule, counts) in &mut self.distinct {
            if same_group || rule.job_wide {
                counts.change(candidates, alloc.node_id, by.into());
            }
        }
    }

    /// Takes in what the plan changed since the last time.
    pub(crate) fn follow(&mut self, candidates: &Candidates<'_>, planned: &Planned) {
        for change in planned.since(self.followed) {
            let by = if change.comes { 1 } else { -1 };
            self.count(candidates, &change.alloc, by);
            if let Some(slot) = candidates.slot(change.alloc.node_id) {
                self.changed.push(slot);
            }
        }
        self.followed = planned.length();
    }

    /// Ranks all nodes, or those anew that the plan changed.
    fn refresh(&mut self, candidates: &Candidates<'_>, planned: &Planned, name: &str) {
        self.follow(candidates, planned);
        if !self.ranked || self.ask.depends_on_the_name() {
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
        let kind = candidates.kind_of(slot);
        if self.kind(candidates, kind).is_none_or(|kind| kind.refusal.is_some()) {
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
        let accepting: Vec<bool> = (0..kinds).map(|kind| self.accepts(candidates, kind)).collect();
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
        let Some(verdict) = self.kind(candidates, kind) else {
            return false;
        };
        let Some(reason) = verdict.refusal.clone() else {
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
        let counts: Vec<_> = counts.chain(self.distinct.iter().map(|(_, counts)| counts)).collect();
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
        (best_first(self.scores[slot].0), candidates.tie(id), slot_number)
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

    fn set(&mut self, candidates: &Candidates<'_>, slot: Slot, kind: u32, judgement: Judgement) {
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

    /// What is thought of a node, but for `distinct_property`. In place, its ports, cores and devices stay.
    pub(crate) fn judge(
        &mut self,
        candidates: &Candidates<'_>,
        planned: &Planned,
        slot: Slot,
        name: &str,
        in_place: bool,
    ) -> Judgement {
        let kind = candidates.kind_of(slot);
        let refused = self.kind(candidates, kind).and_then(|kind| kind.refusal.clone());
        if let Some(reason) = refused {
            return Judgement::Filtered(reason);
        }
        if let Some(reason) = self.node_reason(candidates, planned, slot, name) {
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
    fn judge_room(
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
    fn node_reason(
        &self,
        candidates: &Candidates<'_>,
        planned: &Planned,
        slot: Slot,
        name: &str,
    ) -> Option<Reason> {
        let ask = &self.ask;
        if ask.asks_nodes || !ask.volumes.is_empty() {
            let node = candidates.state.node(&candidates.id_of(slot))?;
            if ask.asks_nodes
                && let Some(reason) = refusal(ask, node)
            {
                return Some(reason);
            }
            if !ask.volumes.is_empty() {
                let job = &self.subject.job;
                let running = planned.proposed(candidates.state, node.id);
                let lacks = volumes::lacks(candidates.state, job, node, &ask.volumes, name, running);
                if let Some(reason) = lacks {
                    return Some(Reason::Owned(reason));
                }
            }
        }
        let taken = (ask.distinct_hosts_job && self.same_job[slot] > 0)
            || (ask.distinct_hosts_group && self.same_group[slot] > 0);
        (taken && !self.subject.system).then_some(Reason::Borrowed(operand::DISTINCT_HOSTS))
    }

    /// Why no more allocations may go where these values are.
    fn distinct_reason(&self, values: &[u32]) -> Option<String> {
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

    fn boost(&self, values: &[u32]) -> f64 {
        self.spreads
            .iter()
            .zip(values)
            .map(|(spread, value)| spread.boost(*value))
            .sum()
    }

    /// The best node of all, and what was seen.
    pub(crate) fn best(
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
    ) -> (Option<Choice>, Vec<NodeScoreMeta>) {
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
                    let shown = top.iter().map(|scored| self.shown(candidates, scored)).collect();
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
    fn shown(&mut self, candidates: &Candidates<'_>, scored: &Scored) -> NodeScoreMeta {
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
        let penalised = wish.penalised.iter().filter_map(|node| candidates.slot(*node));
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

    /// Counts the nodes that only `distinct_property` rules out.
    fn tell_distinct(&self, candidates: &Candidates<'_>, metric: &mut AllocMetric) {
        if self.distinct.is_empty() {
            return;
        }
        let spreads = self.spreads.len();
        for slot in (0..self.verdicts.len()).filter(|slot| self.verdicts[*slot] == Verdict::Fits) {
            let values = &self.lanes.all[self.lanes.of(slot)].values;
            if let Some(reason) = self.distinct_reason(&values[spreads..]) {
                let kind = candidates.table.kind(candidates.kind_of(slot));
                metric.filter_node(kind.map_or("", |kind| kind.node_class()), &reason);
            }
        }
    }

    /// What `distinct_property` says of one node.
    pub(super) fn distinct_on(&self, slot: Slot, kind: u32) -> Option<String> {
        let values = self.distinct.iter().map(|(_, counts)| counts.at(slot, kind));
        self.distinct_reason(&values.collect::<Vec<_>>())
    }

    /// What spreads say of one node.
    pub(super) fn spread_on(&self, slot: Slot, kind: u32) -> f64 {
        let values = self.spreads.iter().map(|spread| spread.counts.at(slot, kind));
        self.boost(&values.collect::<Vec<_>>())
    }

    /// Whether one node can take the group, and what was seen of it.
    pub(crate) fn on(
        &mut self,
        candidates: &Candidates<'_>,
        planned: &Planned,
        node: NodeId,
        wish: &Wish<'_>,
        rng: &mut Rng,
    ) -> (Option<Choice>, AllocMetric) {
        self.follow(candidates, planned);
        let mut metric = empty(candidates);
        let found = candidates.slot(node).filter(|slot| candidates.is_ready(*slot));
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
                let evicting = evicting.and_then(|()| self.preempting(candidates, planned, slot, rng));
                if let Some((choice, score, extra)) = evicting {
                    metric.score_meta_data = vec![score.shown(node.id, extra, score.total(extra))];
                    return (Some(choice), metric);
                }
                metric.exhaust_node(&node.node_class, &dimension);
                (None, metric)
            }
        }
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
