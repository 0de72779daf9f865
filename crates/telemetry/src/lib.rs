//! Counts and timings (server sheet §21): any room tells them by name, the agent sums them up and shows them.
//!
//! Until an agent calls [`start`], telling costs one look at an atomic and nothing is kept. What is current (gauges)
//! is not told but read by whoever shows it. This room never knows who is told, nor over which protocol.

mod registry;
mod series;

pub use registry::{Event, Reading, Registry};
pub use series::{Aggregate, Kind};

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Names of labels and their values.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// Begins to keep what is told, summed up over intervals of this length. The names given exist from now on, with
/// nothing counted.
pub fn start(
    interval: Duration,
    counts: &[&'static str],
    samples: &[&'static str],
) -> &'static Registry {
    let registry = REGISTRY.get_or_init(Registry::default);
    registry.begin(interval);
    registry.declare(Kind::Count, counts);
    registry.declare(Kind::Sample, samples);
    registry
}

/// Counts one.
pub fn count(name: &'static str) {
    tell(Kind::Count, name, &[], 1.0);
}

/// Counts one of something that has labels.
pub fn count_of(name: &'static str, labels: Labels<'_>) {
    tell(Kind::Count, name, labels, 1.0);
}

/// Notes a number.
pub fn sample(name: &'static str, value: f64) {
    tell(Kind::Sample, name, &[], value);
}

/// Notes how long it is since then.
pub fn took(name: &'static str, since: Instant) {
    if REGISTRY.get().is_some() {
        took_time(name, since.elapsed());
    }
}

/// Notes a time, in milliseconds.
pub fn took_time(name: &'static str, time: Duration) {
    sample(name, time.as_secs_f64() * 1e3);
}

fn tell(kind: Kind, name: &'static str, labels: Labels<'_>, value: f64) {
    if let Some(registry) = REGISTRY.get() {
        registry.tell(kind, name, labels, value);
    }
}
