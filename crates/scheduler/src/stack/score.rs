//! How well a node suits (scheduler sheet §9): the parts of a score, and their mean.

use crate::fit::Amount;
use caravan_model::{NodeId, NodeScoreMeta, ScoreName, SmallMap};

/// The parts of a node's score that depend on the node alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct NodeScore {
    pub(crate) binpack: f64,
    pub(crate) devices: Option<f64>,
    /// Unset when nothing of the same group is on the node.
    pub(crate) anti_affinity: Option<f64>,
    /// Unset when nothing has affinities.
    pub(crate) affinity: Option<f64>,
}

impl NodeScore {
    /// The sum of the parts and how many they are.
    pub(crate) fn sum(&self) -> (f64, u32) {
        let parts = [self.devices, self.anti_affinity, self.affinity];
        let given = parts.iter().flatten();
        let count = given.clone().count();
        (
            self.binpack + given.sum::<f64>(),
            1 + u32::try_from(count).unwrap_or(0),
        )
    }

    /// How the node is shown among the best.
    pub(crate) fn shown(&self, node: NodeId, extra: Extra, total: f64) -> NodeScoreMeta {
        let mut scores: SmallMap<ScoreName, f64> = SmallMap::new();
        scores.insert(ScoreName::Binpack, self.binpack);
        if let Some(devices) = self.devices {
            scores.insert(ScoreName::Devices, devices);
        }
        if !extra.system {
            scores.insert(
                ScoreName::JobAntiAffinity,
                self.anti_affinity.unwrap_or(0.0),
            );
            let penalty = if extra.penalised { -1.0 } else { 0.0 };
            scores.insert(ScoreName::NodeReschedulePenalty, penalty);
            scores.insert(ScoreName::NodeAffinity, self.affinity.unwrap_or(0.0));
        }
        if extra.spread != 0.0 {
            scores.insert(ScoreName::AllocationSpread, extra.spread);
        }
        if let Some(preemption) = extra.preemption {
            scores.insert(ScoreName::Preemption, preemption);
        }
        NodeScoreMeta {
            node_id: node,
            scores,
            norm_score: total,
        }
    }

    /// The final score: the mean of what applies.
    pub(crate) fn total(&self, extra: Extra) -> f64 {
        let (mut sum, mut count) = self.sum();
        if extra.penalised {
            sum -= 1.0;
            count += 1;
        }
        if extra.spread != 0.0 {
            sum += extra.spread;
            count += 1;
        }
        if let Some(preemption) = extra.preemption {
            sum += preemption;
            count += 1;
        }
        sum / f64::from(count)
    }
}

/// The parts of a score that depend on the placement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Extra {
    /// An earlier attempt failed on this node.
    pub(crate) penalised: bool,
    pub(crate) spread: f64,
    pub(crate) preemption: Option<f64>,
    /// Jobs that run everywhere are only packed.
    pub(crate) system: bool,
}

/// How full (or, to spread, how empty) a node is with `used` of `capacity`, from 0 to 1.
pub(crate) fn fit(capacity: Amount, used: Amount, spreads: bool) -> f64 {
    let free = |capacity: i64, used: i64| {
        if capacity <= 0 {
            0.0
        } else {
            1.0 - used as f64 / capacity as f64
        }
    };
    let total =
        10f64.powf(free(capacity.cpu, used.cpu)) + 10f64.powf(free(capacity.memory, used.memory));
    let score = if spreads { total - 2.0 } else { 20.0 - total };
    score.clamp(0.0, 18.0) / 18.0
}

/// A number that sorts as the score does, the best first.
pub(crate) fn best_first(score: f64) -> u64 {
    let bits = score.to_bits();
    let ascending = if bits >> 63 == 1 {
        !bits
    } else {
        bits | (1 << 63)
    };
    !ascending
}

#[cfg(test)]
mod tests {
    use super::{Extra, NodeScore, best_first, fit};
    use crate::fit::Amount;

    #[test]
    fn better_scores_sort_first() {
        let mut scores = [0.5, -0.25, 0.0, 1.0, -1.0];
        scores.sort_by_key(|score| best_first(*score));
        assert_eq!(scores, [1.0, 0.5, 0.0, -0.25, -1.0]);
    }

    #[test]
    fn a_fuller_node_packs_better_and_spreads_worse() {
        let capacity = Amount {
            cpu: 1000,
            memory: 1000,
            disk: 0,
        };
        let at = |used| Amount {
            cpu: used,
            memory: used,
            disk: 0,
        };
        assert!(fit(capacity, at(800), false) > fit(capacity, at(200), false));
        assert!(fit(capacity, at(800), true) < fit(capacity, at(200), true));
        assert_eq!(fit(capacity, at(1000), false), 1.0);
    }

    #[test]
    fn what_does_not_apply_does_not_dilute() {
        let score = NodeScore {
            binpack: 0.6,
            ..NodeScore::default()
        };
        assert_eq!(score.total(Extra::default()), 0.6);
        let spread = Extra {
            spread: 0.2,
            ..Extra::default()
        };
        assert!((score.total(spread) - 0.4).abs() < 1e-12);
    }
}
