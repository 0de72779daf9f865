//! One name's numbers: the running interval, the one before it, all since the start, and the newest.

use std::collections::VecDeque;

/// How many of the newest numbers of a sample are kept, for its quantiles.
const KEPT: usize = 256;

/// What is told under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something happened.
    Count,
    /// Something had a size, or took a time in milliseconds.
    Sample,
}

/// Numbers, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Aggregate {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub squares: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Aggregate {
    /// Takes a number in.
    pub fn add(&mut self, value: f64) {
        let first = self.count == 0;
        self.min = if first { value } else { self.min.min(value) };
        self.max = if first { value } else { self.max.max(value) };
        self.count += 1;
        self.sum += value;
        self.squares += value * value;
    }

    /// Their mean; 0 when there are none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum / self.count as f64
        }
    }

    /// How far they stray from their mean.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        let count = self.count as f64;
        let square = count * self.squares - self.sum * self.sum;
        if self.count < 2 || square <= 0.0 {
            0.0
        } else {
            (square / (count * (count - 1.0))).sqrt()
        }
    }
}

/// The numbers of one name and its labels. Intervals are numbered by whoever knows the time.
#[derive(Debug, Default)]
pub(crate) struct Series {
    interval: u64,
    current: Aggregate,
    before: Aggregate,
    pub(crate) total: Aggregate,
    newest: VecDeque<f64>,
}

impl Series {
    pub(crate) fn add(&mut self, kind: Kind, value: f64, interval: u64) {
        self.turn(interval);
        self.current.add(value);
        self.total.add(value);
        if kind == Kind::Sample {
            if self.newest.len() == KEPT {
                self.newest.pop_front();
            }
            self.newest.push_back(value);
        }
    }

    /// The sum of one interval, the running one or the one before.
    pub(crate) fn of(&mut self, wanted: u64, now: u64) -> Aggregate {
        self.turn(now);
        if wanted == now {
            self.current
        } else {
            self.before
        }
    }

    fn turn(&mut self, interval: u64) {
        if interval > self.interval {
            let follows = interval == self.interval + 1;
            self.before = if follows {
                self.current
            } else {
                Aggregate::default()
            };
            self.current = Aggregate::default();
            self.interval = interval;
        }
    }

    /// Whether nothing was told in the running interval and the one before.
    pub(crate) fn is_idle(&self) -> bool {
        self.current.count == 0 && self.before.count == 0
    }

    /// The newest numbers at these parts of their order.
    pub(crate) fn quantiles<const N: usize>(&self, at: [f64; N]) -> [Option<f64>; N] {
        let mut sorted: Vec<f64> = self.newest.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        at.map(|part| {
            sorted
                .get(((sorted.len() as f64 * part) as usize).min(sorted.len().max(1) - 1))
                .copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_shown_once_it_is_over_and_forgotten_after_the_next() {
        let mut series = Series::default();
        for value in [1.0, 2.0, 6.0] {
            series.add(Kind::Sample, value, 7);
        }
        assert_eq!(series.of(7, 7).count, 3);
        let shown = series.of(7, 8);
        assert_eq!(
            (shown.count, shown.sum, shown.min, shown.max, shown.mean()),
            (3, 9.0, 1.0, 6.0, 3.0)
        );
        assert!((shown.deviation() - 7.0_f64.sqrt()).abs() < 1e-9);
        assert_eq!(series.of(8, 9), Aggregate::default());
        assert!(series.is_idle());
        assert_eq!(series.total.count, 3, "what Prometheus reads only grows");
    }

    #[test]
    fn a_pause_of_several_intervals_shows_nothing_of_before() {
        let mut series = Series::default();
        series.add(Kind::Count, 1.0, 3);
        assert_eq!(series.of(6, 7), Aggregate::default());
    }

    #[test]
    fn quantiles_are_of_the_newest_numbers() {
        let mut series = Series::default();
        assert_eq!(series.quantiles([0.5]), [None]);
        for value in 0..1000 {
            series.add(Kind::Sample, f64::from(value), 1);
        }
        assert_eq!(
            series.quantiles([0.0, 0.5, 0.99, 1.0]),
            [Some(744.0), Some(872.0), Some(997.0), Some(999.0)]
        );
    }
}
