//! How much a value of an attribute is wanted for the next allocation (scheduler sheet §9.2): one number a
//! value, not one a node.

use super::candidates::Candidates;
use super::property::{MISSING, PropertyCounts};
use crate::ask::{GroupAsk, weight};
use caravan_model::Spread;
use std::collections::BTreeMap;

/// One spread of a group.
#[derive(Debug)]
pub(crate) struct SpreadScore {
    pub(crate) counts: PropertyCounts,
    /// Explicit targets by value, in allocations.
    desired: BTreeMap<String, f64>,
    /// What is left for values without a target of their own.
    implicit: Option<f64>,
    even: bool,
    share: f64,
    /// The lowest boost that was given so far.
    lowest: f64,
    boosts: Vec<f64>,
}

impl SpreadScore {
    pub(crate) fn new(spread: &Spread, ask: &GroupAsk, candidates: &Candidates<'_>) -> Self {
        let count = ask.count as f64;
        let desired: BTreeMap<String, f64> = spread
            .spread_target
            .iter()
            .map(|target| (target.value.clone(), target.percent as f64 / 100.0 * count))
            .collect();
        let sum: f64 = desired.values().sum();
        Self {
            counts: PropertyCounts::new(&spread.attribute, candidates),
            implicit: (sum < count).then_some(count - sum),
            even: desired.is_empty(),
            desired,
            share: weight(spread) as f64 / (ask.sum_weights.max(1)) as f64,
            lowest: -1.0,
            boosts: Vec::new(),
        }
    }

    /// Works the boost of every value out anew, before a placement.
    pub(crate) fn refresh(&mut self) {
        self.boosts.clear();
        if self.even {
            self.refresh_even();
        } else {
            self.refresh_targets();
        }
    }

    fn refresh_even(&mut self) {
        let counts = self.counts.counts();
        let used = || counts.iter().copied().filter(|count| *count > 0);
        let (min, max) = (used().min(), used().max());
        let boosts = counts.iter().map(|count| even_boost(*count, min, max));
        self.boosts.extend(boosts);
    }

    fn refresh_targets(&mut self) {
        let others: i64 = self
            .counts
            .values()
            .filter(|(_, name, _)| !self.desired.contains_key(*name))
            .map(|(_, _, count)| count)
            .sum();
        let mut boosts = Vec::new();
        for (_, name, count) in self.counts.values() {
            let (desired, used) = match self.desired.get(name) {
                Some(desired) => (Some(*desired), count),
                None => (self.implicit, others),
            };
            boosts.push(match desired {
                None => -1.0,
                Some(0.0) => self.lowest,
                Some(desired) => (desired - (used + 1) as f64) / desired * self.share,
            });
        }
        for boost in &boosts {
            self.lowest = self.lowest.min(*boost);
        }
        self.boosts = boosts;
    }

    /// The boost of a value.
    pub(crate) fn boost(&self, value: u32) -> f64 {
        if value == MISSING {
            return if self.even && self.counts.counts().iter().all(|count| *count <= 0) {
                0.0
            } else {
                -1.0
            };
        }
        self.boosts.get(value as usize).copied().unwrap_or(-1.0)
    }
}

fn even_boost(current: i64, min: Option<i64>, max: Option<i64>) -> f64 {
    let (Some(min), Some(max)) = (min, max) else {
        return 0.0;
    };
    let current = current.max(0);
    if current != min {
        (min - current) as f64 / min as f64
    } else if min == max {
        -1.0
    } else {
        (max - min) as f64 / min as f64
    }
}

#[cfg(test)]
mod tests {
    use super::even_boost;

    #[test]
    fn an_unused_value_is_wanted_and_a_full_one_is_not() {
        assert_eq!(even_boost(0, None, None), 0.0);
        assert_eq!(even_boost(0, Some(2), Some(2)), 1.0);
        assert_eq!(even_boost(2, Some(2), Some(2)), -1.0);
        assert_eq!(even_boost(1, Some(1), Some(3)), 2.0);
        assert_eq!(even_boost(3, Some(1), Some(3)), -2.0);
    }
}
