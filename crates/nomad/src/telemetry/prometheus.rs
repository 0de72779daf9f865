//! Figures as Prometheus reads them: gauges, counters since the start, summaries with quantiles.

use caravan_model::MetricGauge;
use caravan_telemetry::{Kind, Reading};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The type of the text.
pub(crate) const CONTENT_TYPE: &str =
    "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/// All figures of one name.
struct Family {
    kind: &'static str,
    lines: String,
}

/// The text that Prometheus reads.
pub(crate) fn text(gauges: &[MetricGauge], readings: &[Reading]) -> String {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut add = |name: &str, kind: &'static str, write: &dyn Fn(&mut String, &str)| {
        let name = sanitized(name);
        let family = families.entry(name.clone()).or_insert_with(|| Family {
            kind,
            lines: String::new(),
        });
        if family.kind == kind {
            write(&mut family.lines, &name);
        }
    };
    for gauge in gauges {
        add(&gauge.name, "gauge", &|out, name| {
            line(out, name, &pairs(&gauge.labels), gauge.value)
        });
    }
    for reading in readings {
        let labels = pairs(&reading.labels);
        match reading.kind {
            Kind::Count => add(reading.name, "counter", &|out, name| {
                line(out, name, &labels, reading.total.sum)
            }),
            Kind::Sample => add(reading.name, "summary", &|out, name| {
                summary(out, name, &labels, reading)
            }),
        }
    }
    let mut out = String::new();
    for (name, Family { kind, lines }) in families {
        let _ = write!(out, "# HELP {name} {name}\n# TYPE {name} {kind}\n{lines}");
    }
    out
}

fn pairs(labels: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

fn summary(out: &mut String, name: &str, labels: &[(&str, &str)], reading: &Reading) {
    for (quantile, value) in ["0.5", "0.9", "0.99"].into_iter().zip(reading.quantiles) {
        let mut labels = labels.to_vec();
        labels.push(("quantile", quantile));
        line(out, name, &labels, value.unwrap_or(f64::NAN));
    }
    line(out, &format!("{name}_sum"), labels, reading.total.sum);
    line(
        out,
        &format!("{name}_count"),
        labels,
        reading.total.count as f64,
    );
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{}=\"{}\"", sanitized(name), escaped(value)))
        .collect();
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", labels.join(","))
    };
    let _ = writeln!(out, "{name}{labels} {value}");
}

fn sanitized(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_telemetry::Aggregate;

    fn reading(kind: Kind, name: &'static str, labels: BTreeMap<String, String>) -> Reading {
        let total = Aggregate {
            count: 2,
            sum: 3.0,
            ..Aggregate::default()
        };
        Reading {
            kind,
            name,
            labels,
            interval: total,
            total,
            quantiles: [Some(1.0), Some(2.0), None],
        }
    }

    #[test]
    fn each_kind_has_its_own_lines_under_one_heading() {
        let gauge = MetricGauge {
            name: "nomad.my-host.uptime".into(),
            value: 5.0,
            ..MetricGauge::default()
        };
        let count = reading(
            Kind::Count,
            "nomad.c",
            BTreeMap::from([("job".into(), "a \"b\"\\\n".into())]),
        );
        let text = text(
            &[gauge],
            &[count, reading(Kind::Sample, "nomad.s", BTreeMap::new())],
        );
        assert_eq!(
            text,
            "# HELP nomad_c nomad_c\n# TYPE nomad_c counter\nnomad_c{job=\"a \\\"b\\\"\\\\\\n\"} 3\n\
             # HELP nomad_my_host_uptime nomad_my_host_uptime\n# TYPE nomad_my_host_uptime gauge\nnomad_my_host_uptime 5\n\
             # HELP nomad_s nomad_s\n# TYPE nomad_s summary\nnomad_s{quantile=\"0.5\"} 1\nnomad_s{quantile=\"0.9\"} 2\n\
             nomad_s{quantile=\"0.99\"} NaN\nnomad_s_sum 3\nnomad_s_count 2\n"
        );
    }
}
