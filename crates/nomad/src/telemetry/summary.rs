//! Figures as `/v1/metrics` gives them: gauges as they are, counts and timings of the last whole interval.

use caravan_model::*;
use caravan_telemetry::{Aggregate, Kind, Reading};
use std::time::Duration as StdDuration;

/// The answer of `/v1/metrics`; counts and timings were summed up over `interval`.
pub(crate) fn summary(
    gauges: Vec<MetricGauge>,
    readings: &[Reading],
    interval: StdDuration,
) -> MetricsSummary {
    // What has labels and did not happen lately is over, like the allocation that it belongs to.
    let shown = |wanted: Kind| {
        let shown = readings.iter().filter(move |one| {
            one.kind == wanted && (one.labels.is_empty() || one.interval.count > 0)
        });
        shown.map(|one| sample(one, interval)).collect()
    };
    MetricsSummary {
        counters: shown(Kind::Count),
        samples: shown(Kind::Sample),
        gauges,
        timestamp: now_text(),
        ..MetricsSummary::default()
    }
}

fn sample(reading: &Reading, interval: StdDuration) -> MetricSample {
    let Aggregate {
        count,
        sum,
        min,
        max,
        ..
    } = reading.interval;
    MetricSample {
        name: reading.name.to_owned(),
        labels: reading.labels.clone(),
        count: i64::try_from(count).unwrap_or(i64::MAX),
        sum,
        min,
        max,
        mean: reading.interval.mean(),
        stddev: reading.interval.deviation(),
        rate: sum / interval.as_secs_f64().max(1.0),
    }
}

fn now_text() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let text = Timestamp(i64::try_from(since.as_secs()).unwrap_or(0) * 1_000_000_000).to_string();
    format!("{} +0000 UTC", text.replace('T', " ").trim_end_matches('Z'))
}
