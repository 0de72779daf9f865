//! How well a node suits (scheduler sheet §9): the parts of a score, and their mean.

use caravan_model::{NodeId, NodeScoreMeta, ScoreName, Scores};
use caravan_state::Amount;
use std::sync::Arc;

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
    pub(crate) fn sum(&self) -> (f64, u8) {
        let parts = [self.devices, self.anti_affinity, self.affinity];
        let given = parts.iter().flatten();
        let count = given.clone().count();
        (
            self.binpack + given.sum::<f64>(),
            1 + u8::try_from(count).unwrap_or(0),
        )
    }

    /// How the node is shown among the best.
    pub(crate) fn shown(&self, node: NodeId, extra: Extra, total: f64) -> Arc<NodeScoreMeta> {
        let mut scores = Scores::default();
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
        Arc::new(NodeScoreMeta {
            node_id: node,
            scores,
            norm_score: total,
        })
    }

    /// The final score: the mean of what applies.
    pub(crate) fn total(&self, extra: Extra) -> f64 {
        let (sum, count) = self.sum();
        extra.total(sum, count)
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

impl Extra {
    /// The mean of a node's own scores, given by their sum and number, and these.
    pub(crate) fn total(&self, mut sum: f64, mut count: u8) -> f64 {
        if self.penalised {
            sum -= 1.0;
            count += 1;
        }
        if self.spread != 0.0 {
            sum += self.spread;
            count += 1;
        }
        if let Some(preemption) = self.preemption {
            sum += preemption;
            count += 1;
        }
        sum / f64::from(count)
    }
}

/// How full (or how empty) nodes are, remembered: most nodes of a cluster are filled alike.
#[derive(Debug)]
pub(crate) struct FitMemo {
    spreads: bool,
    rows: Vec<Option<(Amount, Amount, f64)>>,
}

impl FitMemo {
    const ROWS: usize = 256;

    pub(crate) fn new(spreads: bool) -> Self {
        Self {
            spreads,
            rows: vec![None; Self::ROWS],
        }
    }

    /// What [`fit`] says.
    pub(crate) fn of(&mut self, capacity: Amount, used: Amount) -> f64 {
        let mixed = (used.cpu ^ used.memory.rotate_left(20) ^ capacity.cpu.rotate_left(40))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed());
        let row = &mut self.rows[(mixed.cast_unsigned() >> 56) as usize];
        match row {
            Some((of, with, fit)) if *of == capacity && *with == used => *fit,
            row => {
                let fit = fit(capacity, used, self.spreads);
                *row = Some((capacity, used, fit));
                fit
            }
        }
    }
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
    use caravan_state::Amount;

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
        assert_eq!(fit(capacity, at(1200), false), 1.0, "never more than full");
        assert_eq!(fit(capacity, at(0), true), 1.0);
        assert_eq!(fit(capacity, at(1200), true), 0.0, "never less than full");
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
