//! Ticks of processors as counters that only grow: what the gauges say, summed up over the time between two looks.

use caravan_model::MetricGauge;
use caravan_telemetry::{Aggregate, Kind, Reading};
use std::collections::BTreeMap;
use std::time::Instant;

const COUNTED: [(&str, &str); 2] = [
    (
        "nomad.client.allocs.cpu.total_ticks",
        "nomad.client.allocs.cpu.total_ticks_count",
    ),
    (
        "nomad.client.host.cpu.total_ticks",
        "nomad.client.host.cpu.total_ticks_count",
    ),
];
/// Over a longer time than this nobody knows what the gauges said.
const LONGEST: f64 = 60.0;

type Labels = BTreeMap<String, String>;

/// What was summed up so far, of those that were there at the last look.
#[derive(Debug, Default)]
pub(super) struct Ticks {
    sums: BTreeMap<(&'static str, Labels), f64>,
    looked: Option<Instant>,
}

impl Ticks {
    /// Takes in what the gauges say now, and gives the counters.
    pub(super) fn take_in(&mut self, gauges: &[MetricGauge]) -> Vec<Reading> {
        let since = self.looked.replace(Instant::now());
        let seconds = since.map_or(1.0, |since| since.elapsed().as_secs_f64().min(LONGEST));
        let before = std::mem::take(&mut self.sums);
        let mut found = Vec::new();
        for gauge in gauges {
            let Some((_, name)) = COUNTED.iter().find(|(name, _)| *name == gauge.name) else {
                continue;
            };
            let key = (*name, gauge.labels.clone());
            let sum = before.get(&key).copied().unwrap_or(0.0) + gauge.value * seconds;
            found.push(reading(name, &gauge.labels, gauge.value, sum));
            self.sums.insert(key, sum);
        }
        found
    }
}

fn reading(name: &'static str, labels: &Labels, value: f64, sum: f64) -> Reading {
    let mut interval = Aggregate::default();
    interval.add(value);
    Reading {
        kind: Kind::Count,
        name,
        labels: labels.clone(),
        interval,
        total: Aggregate { sum, ..interval },
        quantiles: [None; 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_grows_while_its_gauge_is_there() {
        let labels = Labels::from([("task".to_owned(), "t".to_owned())]);
        let gauge = MetricGauge {
            name: "nomad.client.allocs.cpu.total_ticks".into(),
            value: 10.0,
            labels,
        };
        let mut ticks = Ticks::default();
        let first = ticks.take_in(std::slice::from_ref(&gauge));
        assert_eq!(
            (
                first[0].total.sum,
                first[0].interval.sum,
                first[0].labels["task"].as_str()
            ),
            (10.0, 10.0, "t")
        );
        let second = ticks.take_in(&[gauge]);
        assert!(second[0].total.sum >= 10.0);
        assert!(ticks.take_in(&[]).is_empty());
        assert!(
            ticks.sums.is_empty(),
            "an allocation that is gone is forgotten"
        );
    }
}
