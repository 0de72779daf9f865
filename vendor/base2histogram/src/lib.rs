//! Stands in for the crate of this name, with which openraft keeps statistics that nobody here reads. The original
//! builds lookup tables for sixteen resolutions on its first use: 25 MiB that stay resident in every server. Here a
//! histogram has one bucket for each power of two. Only what openraft calls is here.

use std::fmt;
use std::marker::PhantomData;

/// Values counted by the position of their highest bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    buckets: [u64; 65],
    slots: PhantomData<T>,
}

impl<T> Histogram<T> {
    /// Nothing is recorded yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buckets: [0; 65],
            slots: PhantomData,
        }
    }

    /// Records a value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Records a value so many times.
    pub fn record_n(&mut self, value: u64, count: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        self.buckets[bucket] += count;
    }

    /// Percentiles, each as the least value of its bucket.
    #[must_use]
    pub fn percentile_stats(&self) -> PercentileStats {
        let samples: u64 = self.buckets.iter().sum();
        let at = |permille: u64| self.value_at(samples.saturating_mul(permille).div_ceil(1000));
        PercentileStats {
            samples,
            p0_1: at(1),
            p1: at(10),
            p5: at(50),
            p10: at(100),
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p99_9: at(999),
        }
    }

    fn value_at(&self, rank: u64) -> u64 {
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank && *count > 0 {
                return if bucket == 0 { 0 } else { 1 << (bucket - 1) };
            }
        }
        0
    }
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// How many values were recorded, and below which value so many of them are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PercentileStats {
    pub samples: u64,
    pub p0_1: u64,
    pub p1: u64,
    pub p5: u64,
    pub p10: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            samples, p50, p99, ..
        } = self;
        write!(f, "[samples: {samples}, P50: {p50}, P99: {p99}]")
    }
}

/// Histograms by name, shown one in a line.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart {
    lines: Vec<String>,
}

impl AsciiChart {
    /// Without any histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    #[must_use]
    pub fn add<T>(mut self, name: impl ToString, histogram: Histogram<T>) -> Self {
        let stats = histogram.percentile_stats();
        self.lines.push(format!("{}: {stats}", name.to_string()));
        self
    }

    /// As text.
    #[must_use]
    pub fn compact(&self) -> String {
        self.lines.join("\n")
    }

    /// As text.
    #[must_use]
    pub fn detailed(&self) -> String {
        self.compact()
    }
}
