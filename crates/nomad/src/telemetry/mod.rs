//! What is shown and pushed of an agent's figures (server sheet §21, `telemetry` block): names, filters, formats.
//!
//! Counts and timings are summed up by `caravan_telemetry`; gauges are read when somebody asks (`agent_api::gauges`).

mod filter;
mod known;
pub(crate) mod prometheus;
mod push;
pub(crate) mod summary;

use crate::config::AgentConfig;
use caravan_model::MetricGauge;
use caravan_telemetry::{Reading, Registry};
use filter::Filter;
pub(crate) use push::{Sinks, addresses};

/// The figures of this agent under the names that its configuration gives them.
pub(crate) struct Telemetry {
    registry: &'static Registry,
    filter: Filter,
    /// Stands in the names of gauges, behind `nomad`.
    host: Option<String>,
}

impl Telemetry {
    /// Begins to sum up what is told.
    pub(crate) fn start(config: &AgentConfig) -> Self {
        let settings = &config.settings.telemetry;
        let registry = caravan_telemetry::start(
            settings.in_memory_collection_interval,
            known::COUNTS,
            known::SAMPLES,
        );
        let host = if settings.use_node_name {
            config.name.clone()
        } else {
            hostname()
        };
        let host = (!settings.disable_hostname && !host.is_empty()).then_some(host);
        Self {
            registry,
            filter: Filter::new(settings),
            host,
        }
    }

    /// What was counted and timed, and what is known beside it, as far as it is wanted, in order.
    pub(crate) fn readings(&self, beside: Vec<Reading>) -> Vec<Reading> {
        let mut readings = self.registry.read();
        readings.extend(beside);
        readings.retain(|reading| self.filter.wants(reading.name));
        readings.sort_by(|a, b| (a.name, &a.labels).cmp(&(b.name, &b.labels)));
        readings
    }

    /// Gauges under their final names, as far as they are wanted, in order.
    pub(crate) fn name(&self, gauges: Vec<MetricGauge>) -> Vec<MetricGauge> {
        let mut named: Vec<MetricGauge> = gauges
            .into_iter()
            .map(
                |gauge| match (&self.host, gauge.name.strip_prefix("nomad.")) {
                    (Some(host), Some(rest)) => MetricGauge {
                        name: format!("nomad.{host}.{rest}"),
                        ..gauge
                    },
                    _ => gauge,
                },
            )
            .filter(|gauge| self.filter.wants(&gauge.name))
            .collect();
        named.sort_by(|a, b| (&a.name, &a.labels).cmp(&(&b.name, &b.labels)));
        named
    }

    /// What is wanted.
    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Has what is told handed to somebody.
    pub(crate) fn listen(&self, teller: std::sync::mpsc::SyncSender<caravan_telemetry::Event>) {
        self.registry.listen(teller);
    }

    /// How long figures are summed up.
    pub(crate) fn interval(&self) -> std::time::Duration {
        self.registry.interval()
    }
}

fn hostname() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_telemetry::{Aggregate, Kind};
    use std::time::Duration;

    #[test]
    fn what_is_known_beside_what_was_told_is_filtered_and_ordered_with_it() {
        let settings = crate::config::Telemetry {
            prefix_filter: vec!["+nomad.test.b".into()],
            filter_default: false,
            ..crate::config::Telemetry::default()
        };
        let told = ["nomad.test.a", "nomad.test.b.2"];
        let telemetry = Telemetry {
            registry: caravan_telemetry::start(Duration::from_secs(10), &told, &[]),
            filter: Filter::new(&settings),
            host: None,
        };
        let beside = ["nomad.test.b.3", "nomad.test.b.1", "nomad.test.c"].map(|name| Reading {
            kind: Kind::Count,
            name,
            labels: [].into(),
            interval: Aggregate::default(),
            total: Aggregate::default(),
            quantiles: [None; 3],
        });
        let readings = telemetry.readings(beside.into());
        let names: Vec<&str> = readings.iter().map(|reading| reading.name).collect();
        assert_eq!(
            names,
            ["nomad.test.b.1", "nomad.test.b.2", "nomad.test.b.3"]
        );
    }
}
