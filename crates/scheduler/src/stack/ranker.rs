//! All nodes ranked for one group, kept current while the plan grows.
//!
//! Nodes that fit lie in buckets: one for each combination of spread and `distinct_property` values and number of
//! scores, for within a bucket what a placement adds is the same for all. So the best node of all is the best of
//! the buckets' first ones, and a placement moves one node.

use super::candidates::Candidates;
use super::metrics::{Tally, empty};
use super::property::PropertyCounts;
use super::score::{self, Extra, NodeScore, best_first};
use super::spread::SpreadScore;
use super::verdict::Verdict;
use super::{Choice, Wish, offer};
use crate::ask::{DistinctProperty, GroupAsk};
use crate::decision::ClassEligibility;
use crate::feasible::{devices, drivers, networks, volumes};
use crate::fit::{Amount, capacity};
use crate::planned::Planned;
use crate::preempt;
use crate::rng::Rng;
use caravan_model::*;
use caravan_state::State;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A node among those of its bucket: its score the best first, what decides between equals, and its slot.
type Entry = (u64, u32, u32);

#[derive(Debug, Default)]
struct Bucket {
    /// The values of spreads, then of `distinct_property` constraints.
    values: Vec<u32>,
    nodes: BTreeSet<Entry>,
}

/// Whose allocations are ranked.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) job: Arc<Job>,
    /// Runs everywhere: only packed.
    pub(crate) system: bool,
    /// The emptiest node first.
    pub(crate) spreads: bool,
}

/// All nodes ranked for one group.
#[derive(Debug)]
pub(crate) struct Ranker {
    pub(crate) ask: GroupAsk,
    subject: Subject,
    /// Why each class cannot take the group, when it cannot.
    class_reasons: Vec<Option<String>>,
    class_affinity: Vec<f64>,
    /// Allocations of the same group on each node.
    same_group: Vec<i64>,
    /// Allocations of the same job on each node.
    same_job: Vec<i64>,
    spreads: Vec<SpreadScore>,
    distinct: Vec<(DistinctProperty, PropertyCounts)>,
    verdicts: Vec<Verdict>,
    buckets: Vec<Bucket>,
    bucket_index: BTreeMap<Vec<u32>, usize>,
    tally: Tally,
    followed: usize,
    changed: Vec<usize>,
    ranked: bool,
}

impl Ranker {
    pub(crate) fn new(
        ask: GroupAsk,
        subject: Subject,
        state: &State,
        candidates: &Candidates,
        existing: &[Arc<Allocation>],
    ) -> Self {
        let nodes = &candidates.nodes;
        let spreads = if subject.system {
            Vec::new()
        } else {
            ask.spreads.clone()
        };
        let mut ranker = Self {
            class_reasons: Vec::new(),
            class_affinity: Vec::new(),
            same_group: vec![0; nodes.len()],
            same_job: vec![0; nodes.len()],
            spreads: spreads
                .iter()
                .map(|spread| SpreadScore::new(spread, &ask, nodes))
                .collect(),
            distinct: ask
                .distinct_properties
                .iter()
                .map(|rule| (rule.clone(), PropertyCounts::new(&rule.attribute, nodes)))
                .collect(),
            verdicts: Vec::new(),
            buckets: Vec::new(),
            bucket_index: BTreeMap::new(),
            tally: Tally::default(),
            followed: 0,
            changed: Vec::new(),
            ranked: false,
            ask,
            subject,
        };
        ranker.judge_classes(candidates);
        for alloc in existing {
            ranker.count(state, candidates, alloc, 1);
        }
        ranker
    }

    fn judge_classes(&mut self, candidates: &Candidates) {
        for class in &candidates.classes {
            let node = &candidates.nodes[class.sample];
            let reason = self.class_reason(node);
            if let Some(reason) = &reason {
                self.tally
                    .class_filtered(&node.node_class, reason, class.size);
            }
            self.class_reasons.push(reason);
            self.class_affinity.push(self.affinity_of(node));
        }
    }

    /// Why no node like this one can take the group.
    fn class_reason(&self, node: &Node) -> Option<String> {
        let ask = &self.ask;
        let refused = ask
            .class_constraints
            .iter()
            .find(|predicate| !predicate.holds(node));
        if let Some(predicate) = refused {
            return Some(predicate.reason.clone());
        }
        (!devices::has(node, &ask.devices)).then(|| devices::MISSING.to_owned())
    }

    fn affinity_of(&self, node: &Node) -> f64 {
        let total: i64 = self
            .ask
            .affinities
            .iter()
            .map(|(_, weight)| weight.abs())
            .sum();
        let matched: i64 = self
            .ask
            .affinities
            .iter()
            .filter(|(predicate, _)| predicate.holds(node))
            .map(|(_, weight)| weight)
            .sum();
        if total == 0 {
            0.0
        } else {
            matched as f64 / total as f64
        }
    }

    /// Counts an allocation in or out, if it is of this job.
    fn count(&mut self, state: &State, candidates: &Candidates, alloc: &Allocation, by: i64) {
        let job = &self.subject.job;
        if alloc.job_id != job.id || alloc.namespace != job.namespace {
            return;
        }
        let slot = candidates.slot(alloc.node_id);
        let same_group = alloc.task_group == self.ask.group;
        if let Some(slot) = slot
            && !alloc.client_terminal()
        {
            self.same_job[slot] += by;
            if same_group {
                self.same_group[slot] += by;
            }
        }
        if alloc.terminal_status() {
            return;
        }
        if same_group {
            for spread in &mut self.spreads {
                spread.counts.change(state, alloc.node_id, slot, by);
            }
        }
        for (rule, counts) in &mut self.distinct {
            if same_group || rule.job_wide {
                counts.change(state, alloc.node_id, slot, by);
            }
        }
    }

    /// Takes in what the plan changed since the last time.
    pub(crate) fn follow(&mut self, state: &State, candidates: &Candidates, planned: &Planned) {
        for change in planned.since(self.followed) {
            self.count(
                state,
                candidates,
                &change.alloc,
                if change.comes { 1 } else { -1 },
            );
            if let Some(slot) = candidates.slot(change.alloc.node_id) {
                self.changed.push(slot);
            }
        }
        self.followed = planned.length();
    }

    /// Ranks all nodes, or those anew that the plan changed.
    pub(crate) fn refresh(
        &mut self,
        state: &State,
        candidates: &mut Candidates,
        planned: &Planned,
    ) {
        self.follow(state, candidates, planned);
        if !self.ranked {
            self.rank_all(state, candidates, planned);
            return;
        }
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        for slot in changed {
            let verdict = self.verdict(state, candidates, planned, slot, "", false);
            self.set_verdict(candidates, slot, verdict);
        }
    }

    fn rank_all(&mut self, state: &State, candidates: &mut Candidates, planned: &Planned) {
        self.ranked = true;
        self.changed.clear();
        self.verdicts = vec![Verdict::ClassFiltered; candidates.nodes.len()];
        let mut fitting: BTreeMap<Vec<u32>, Vec<Entry>> = BTreeMap::new();
        for slot in 0..candidates.nodes.len() {
            let verdict = self.verdict(state, candidates, planned, slot, "", false);
            if let Verdict::Fits(score) = &verdict {
                let (key, entry) = self.entry(candidates, slot, score);
                fitting.entry(key).or_default().push(entry);
            } else {
                self.tally
                    .count(&candidates.nodes[slot].node_class, &verdict, 1);
            }
            self.verdicts[slot] = verdict;
        }
        for (key, mut entries) in fitting {
            entries.sort_unstable();
            let bucket = self.bucket(key);
            self.buckets[bucket].nodes = entries.into_iter().collect();
        }
    }

    fn entry(&self, candidates: &Candidates, slot: usize, score: &NodeScore) -> (Vec<u32>, Entry) {
        let (sum, count) = score.sum();
        let mut key = Vec::with_capacity(1 + self.spreads.len() + self.distinct.len());
        key.push(count);
        key.extend(self.spreads.iter().map(|spread| spread.counts.at(slot)));
        key.extend(self.distinct.iter().map(|(_, counts)| counts.at(slot)));
        let entry = (
            best_first(sum),
            candidates.tie(slot),
            u32::try_from(slot).unwrap_or(u32::MAX),
        );
        (key, entry)
    }

    fn bucket(&mut self, key: Vec<u32>) -> usize {
        if let Some(at) = self.bucket_index.get(&key) {
            return *at;
        }
        let at = self.buckets.len();
        self.buckets.push(Bucket {
            values: key[1..].to_vec(),
            nodes: BTreeSet::new(),
        });
        self.bucket_index.insert(key, at);
        at
    }

    fn set_verdict(&mut self, candidates: &Candidates, slot: usize, verdict: Verdict) {
        let class = &candidates.nodes[slot].node_class;
        self.detach(candidates, slot);
        self.tally.count(class, &self.verdicts[slot], -1);
        self.tally.count(class, &verdict, 1);
        self.verdicts[slot] = verdict;
        self.attach(candidates, slot);
    }

    /// Takes a node out of its bucket.
    fn detach(&mut self, candidates: &Candidates, slot: usize) {
        if let Verdict::Fits(score) = &self.verdicts[slot] {
            let (key, entry) = self.entry(candidates, slot, score);
            let bucket = self.bucket(key);
            self.buckets[bucket].nodes.remove(&entry);
        }
    }

    /// Puts a node into its bucket.
    fn attach(&mut self, candidates: &Candidates, slot: usize) {
        if let Verdict::Fits(score) = &self.verdicts[slot] {
            let (key, entry) = self.entry(candidates, slot, score);
            let bucket = self.bucket(key);
            self.buckets[bucket].nodes.insert(entry);
        }
    }

    /// What is thought of a node, but for `distinct_property`. In place, its ports, cores and devices stay.
    pub(crate) fn verdict(
        &self,
        state: &State,
        candidates: &mut Candidates,
        planned: &Planned,
        slot: usize,
        name: &str,
        in_place: bool,
    ) -> Verdict {
        let class = candidates.class_of[slot] as usize;
        if self.class_reasons[class].is_some() {
            return Verdict::ClassFiltered;
        }
        let node = Arc::clone(&candidates.nodes[slot]);
        if let Some(reason) = self.node_reason(state, &node, slot, name) {
            return Verdict::Filtered(reason);
        }
        let usage = candidates.usage(state, planned, slot);
        if node.node_max_allocs > 0 && usage.count >= node.node_max_allocs {
            return Verdict::Exhausted("max allocation exceeded".to_owned());
        }
        let (mut asked, mut device_score) = (self.ask.amount, None);
        if !in_place && !self.ask.is_plain() {
            match offer::make(&node, usage, &self.ask, &mut Rng::new(0, node.id.0)) {
                Ok((given, score)) => {
                    asked = Amount::of(&given.comparable());
                    device_score = score;
                }
                Err(dimension) => return Verdict::Exhausted(dimension),
            }
        }
        let room = capacity(&node);
        let mut used = usage.amount;
        used.add(asked);
        if let Some(dimension) = room.lacks(used) {
            return Verdict::Exhausted(dimension.to_owned());
        }
        Verdict::Fits(self.score(&node, class, slot, room, used, device_score))
    }

    fn score(
        &self,
        node: &Node,
        class: usize,
        slot: usize,
        room: Amount,
        used: Amount,
        devices: Option<f64>,
    ) -> NodeScore {
        let mut score = NodeScore {
            binpack: score::fit(room, used, self.subject.spreads),
            devices,
            ..NodeScore::default()
        };
        if self.subject.system {
            return score;
        }
        let same = self.same_group[slot];
        if same > 0 {
            score.anti_affinity = Some(-((same + 1) as f64) / self.ask.count.max(1) as f64);
        }
        if !self.ask.affinities.is_empty() {
            let escapes = self
                .ask
                .affinities
                .iter()
                .any(|(predicate, _)| predicate.escapes);
            score.affinity = Some(if escapes {
                self.affinity_of(node)
            } else {
                self.class_affinity[class]
            });
        }
        score
    }

    /// Why this very node cannot take the group.
    fn node_reason(&self, state: &State, node: &Node, slot: usize, name: &str) -> Option<String> {
        let ask = &self.ask;
        if !drivers::has(node, &ask.drivers) {
            return Some(drivers::MISSING.to_owned());
        }
        let refused = ask
            .node_constraints
            .iter()
            .find(|predicate| !predicate.holds(node));
        if let Some(predicate) = refused {
            return Some(predicate.reason.clone());
        }
        if let Some(reason) = ask
            .network
            .as_ref()
            .and_then(|ask| networks::lacks(node, ask))
        {
            return Some(reason);
        }
        if !ask.secret_providers.is_empty()
            && !drivers::has_secret_providers(node, &ask.secret_providers)
        {
            return Some(drivers::MISSING_SECRETS.to_owned());
        }
        if !ask.volumes.is_empty() {
            let namespace = self.subject.job.namespace.as_str();
            if let Some(reason) = volumes::lacks(state, namespace, node, &ask.volumes, name) {
                return Some(reason);
            }
        }
        let taken = (ask.distinct_hosts_job && self.same_job[slot] > 0)
            || (ask.distinct_hosts_group && self.same_group[slot] > 0);
        (taken && !self.subject.system).then(|| operand::DISTINCT_HOSTS.to_owned())
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
        state: &State,
        candidates: &mut Candidates,
        planned: &Planned,
        wish: &Wish<'_>,
        rng: &mut Rng,
    ) -> (Option<Choice>, AllocMetric) {
        for spread in &mut self.spreads {
            spread.refresh();
        }
        let penalised: Vec<usize> = wish
            .penalised
            .iter()
            .filter_map(|node| candidates.slot(*node))
            .collect();
        for slot in &penalised {
            self.detach(candidates, *slot);
        }
        let found = self.choose(state, candidates, planned, wish, &penalised, rng);
        for slot in &penalised {
            self.attach(candidates, *slot);
        }
        let (choice, shown) = found;
        let mut metric = self.tally.metric(candidates);
        if choice.is_none() {
            self.tell_distinct(candidates, &mut metric);
        }
        metric.score_meta_data = shown;
        (choice, metric)
    }

    fn choose(
        &mut self,
        state: &State,
        candidates: &mut Candidates,
        planned: &Planned,
        wish: &Wish<'_>,
        penalised: &[usize],
        rng: &mut Rng,
    ) -> (Option<Choice>, Vec<NodeScoreMeta>) {
        loop {
            let top = self.top(candidates, penalised);
            let Some((_, slot, _)) = top.first().copied() else {
                return (None, Vec::new());
            };
            let node = Arc::clone(&candidates.nodes[slot]);
            if self.ask.volumes.values().any(|volume| volume.per_alloc) {
                let reason = volumes::lacks(
                    state,
                    self.subject.job.namespace.as_str(),
                    &node,
                    &self.ask.volumes,
                    wish.name,
                );
                if let Some(reason) = reason {
                    self.set_verdict(candidates, slot, Verdict::Filtered(reason));
                    continue;
                }
            }
            let usage = candidates.usage(state, planned, slot);
            match offer::make(&node, usage, &self.ask, rng) {
                Ok((resources, _)) => {
                    let shown = self.shown(candidates, &top);
                    return (
                        Some(Choice {
                            node,
                            resources,
                            preempted: Vec::new(),
                        }),
                        shown,
                    );
                }
                Err(dimension) => self.set_verdict(candidates, slot, Verdict::Exhausted(dimension)),
            }
        }
    }

    fn shown(&self, candidates: &Candidates, top: &[(f64, usize, Extra)]) -> Vec<NodeScoreMeta> {
        top.iter()
            .filter_map(|(total, slot, extra)| match &self.verdicts[*slot] {
                Verdict::Fits(score) => {
                    Some(score.shown(candidates.nodes[*slot].id, *extra, *total))
                }
                _ => None,
            })
            .collect()
    }

    /// The best nodes, the best first: as many as are shown.
    fn top(&self, candidates: &Candidates, penalised: &[usize]) -> Vec<(f64, usize, Extra)> {
        let mut best: Vec<((u64, u32), f64, usize, Extra)> = Vec::new();
        let offer = |best: &mut Vec<((u64, u32), f64, usize, Extra)>, slot: usize, extra: Extra| {
            let Verdict::Fits(score) = &self.verdicts[slot] else {
                return false;
            };
            let total = score.total(extra);
            let key = (best_first(total), candidates.tie(slot));
            let at = best.partition_point(|(have, ..)| *have <= key);
            if at >= AllocMetric::TOP_SCORES {
                return false;
            }
            best.insert(at, (key, total, slot, extra));
            best.truncate(AllocMetric::TOP_SCORES);
            true
        };
        let spreads = self.spreads.len();
        for bucket in &self.buckets {
            if bucket.nodes.is_empty() || self.distinct_reason(&bucket.values[spreads..]).is_some()
            {
                continue;
            }
            let extra = Extra {
                spread: self.boost(&bucket.values),
                ..Extra::default()
            };
            for (_, _, slot) in bucket.nodes.iter().take(AllocMetric::TOP_SCORES) {
                if !offer(&mut best, *slot as usize, extra) {
                    break;
                }
            }
        }
        for slot in penalised {
            let Verdict::Fits(score) = &self.verdicts[*slot] else {
                continue;
            };
            let (key, _) = self.entry(candidates, *slot, score);
            if self.distinct_reason(&key[1 + spreads..]).is_none() {
                let extra = Extra {
                    penalised: true,
                    spread: self.boost(&key[1..]),
                    ..Extra::default()
                };
                offer(&mut best, *slot, extra);
            }
        }
        best.into_iter()
            .map(|(_, total, slot, extra)| (total, slot, extra))
            .collect()
    }

    /// Counts the nodes that only `distinct_property` rules out.
    fn tell_distinct(&self, candidates: &Candidates, metric: &mut AllocMetric) {
        let spreads = self.spreads.len();
        for bucket in &self.buckets {
            let Some(reason) = self.distinct_reason(&bucket.values[spreads..]) else {
                continue;
            };
            for (_, _, slot) in &bucket.nodes {
                metric.filter_node(&candidates.nodes[*slot as usize].node_class, &reason);
            }
        }
    }

    /// Whether one node can take the group, and what was seen of it.
    pub(crate) fn on(
        &mut self,
        state: &State,
        candidates: &mut Candidates,
        planned: &Planned,
        node: NodeId,
        wish: &Wish<'_>,
        rng: &mut Rng,
    ) -> (Option<Choice>, AllocMetric) {
        let mut metric = empty(candidates);
        let Some(slot) = candidates.slot(node) else {
            return (None, metric);
        };
        metric.nodes_evaluated = 1;
        let node = Arc::clone(&candidates.nodes[slot]);
        let class = candidates.class_of[slot] as usize;
        let values: Vec<u32> = self
            .distinct
            .iter()
            .map(|(_, counts)| counts.at(slot))
            .collect();
        let mut verdict = self.verdict(state, candidates, planned, slot, wish.name, false);
        if let (Verdict::Fits(_) | Verdict::Exhausted(_), Some(reason)) =
            (&verdict, self.distinct_reason(&values))
        {
            verdict = Verdict::Filtered(reason);
        }
        match verdict {
            Verdict::ClassFiltered => {
                let reason = self.class_reasons[class].as_deref().unwrap_or("");
                metric.filter_node(&node.node_class, reason);
            }
            Verdict::Filtered(reason) => metric.filter_node(&node.node_class, &reason),
            Verdict::Exhausted(dimension) => {
                let chosen = if wish.preempt {
                    self.preempting(state, candidates, planned, slot, rng)
                } else {
                    None
                };
                if let Some((choice, score, extra)) = chosen {
                    metric.score_meta_data = vec![score.shown(node.id, extra, score.total(extra))];
                    return (Some(choice), metric);
                }
                metric.exhaust_node(&node.node_class, &dimension);
            }
            Verdict::Fits(score) => {
                let extra = Extra {
                    system: self.subject.system,
                    ..Extra::default()
                };
                let usage = candidates.usage(state, planned, slot);
                match offer::make(&node, usage, &self.ask, rng) {
                    Ok((resources, _)) => {
                        metric.score_meta_data =
                            vec![score.shown(node.id, extra, score.total(extra))];
                        return (
                            Some(Choice {
                                node,
                                resources,
                                preempted: Vec::new(),
                            }),
                            metric,
                        );
                    }
                    Err(dimension) => metric.exhaust_node(&node.node_class, &dimension),
                }
            }
        }
        (None, metric)
    }

    fn preempting(
        &self,
        state: &State,
        candidates: &Candidates,
        planned: &Planned,
        slot: usize,
        rng: &mut Rng,
    ) -> Option<(Choice, NodeScore, Extra)> {
        let node = Arc::clone(&candidates.nodes[slot]);
        let found = preempt::on_node(state, planned, &node, &self.subject.job, &self.ask, rng)?;
        let class = candidates.class_of[slot] as usize;
        let score = self.score(
            &node,
            class,
            slot,
            capacity(&node),
            found.used,
            found.device_score,
        );
        let extra = Extra {
            preemption: Some(preempt::score(&found.preempted)),
            system: self.subject.system,
            ..Extra::default()
        };
        let choice = Choice {
            node,
            resources: found.resources,
            preempted: found.preempted,
        };
        Some((choice, score, extra))
    }

    /// The best node for an allocation that others make room for.
    pub(crate) fn best_by_preemption(
        &mut self,
        state: &State,
        candidates: &Candidates,
        planned: &Planned,
        wish: &Wish<'_>,
        rng: &mut Rng,
        metric: &mut AllocMetric,
    ) -> Option<Choice> {
        let spreads = self.spreads.len();
        let mut best: Option<(f64, Choice)> = None;
        let mut shown = Vec::new();
        for slot in 0..candidates.nodes.len() {
            if !matches!(self.verdicts[slot], Verdict::Exhausted(_)) {
                continue;
            }
            let (key, _) = self.entry(candidates, slot, &NodeScore::default());
            if self.distinct_reason(&key[1 + spreads..]).is_some() {
                continue;
            }
            let Some((choice, score, mut extra)) =
                self.preempting(state, candidates, planned, slot, rng)
            else {
                continue;
            };
            extra.spread = self.boost(&key[1..]);
            extra.penalised = wish.penalised.contains(&choice.node.id);
            let total = score.total(extra);
            shown.push(score.shown(choice.node.id, extra, total));
            if best.as_ref().is_none_or(|(have, _)| total > *have) {
                best = Some((total, choice));
            }
        }
        shown.sort_by_key(|node| best_first(node.norm_score));
        shown.truncate(AllocMetric::TOP_SCORES);
        metric.score_meta_data = shown;
        best.map(|(_, choice)| choice)
    }

    /// Says of each class whether it can take the group.
    pub(crate) fn tell_eligibility(&self, candidates: &Candidates, merged: &mut ClassEligibility) {
        merged.escaped |= self.ask.escapes;
        for (class, reason) in candidates.classes.iter().zip(&self.class_reasons) {
            if class.name.is_empty() {
                merged.escaped = true;
                continue;
            }
            let eligible = merged.classes.entry(class.name.clone()).or_default();
            *eligible |= reason.is_none();
        }
    }
}
