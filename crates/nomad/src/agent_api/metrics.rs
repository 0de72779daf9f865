//! Numbers for monitoring (http-api §2.7, server sheet §21): read when asked, from what the server holds.

use super::{AgentOps, Answered};
use caravan_http::{Answer, ApiError, ApiRequest, Meta};
use caravan_model::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

pub(super) fn metrics(agent: &AgentOps, request: &ApiRequest) -> Answered {
    let gauges = gauges(agent);
    if request.query.get("format") == Some("prometheus") {
        if !agent.config.settings.telemetry.prometheus_metrics {
            return Err(ApiError::prometheus_disabled());
        }
        return Ok(Answer::bytes(PROMETHEUS, text(&gauges)));
    }
    let answer = MetricsSummary { gauges, timestamp: now_text(), ..MetricsSummary::default() };
    Answer::json(&answer, Meta::none())
}

fn now_text() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let text = Timestamp(i64::try_from(since.as_secs()).unwrap_or(0) * 1_000_000_000).to_string();
    format!("{} +0000 UTC", text.replace('T', " ").trim_end_matches('Z'))
}

fn gauge(name: &str, value: f64, labels: &[(&str, &str)]) -> MetricGauge {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    MetricGauge { name: format!("nomad.{name}"), value, labels }
}

fn gauges(agent: &AgentOps) -> Vec<MetricGauge> {
    let mut found = vec![gauge("runtime.uptime_seconds", agent.started.elapsed().as_secs_f64(), &[])];
    let Some(server) = &agent.server else { return found };
    let state = server.server.store().snapshot();
    let count = |count: usize| count as f64;
    let open = |status: EvalStatus| count(state.evals().filter(|eval| eval.status == status).count());
    found.push(gauge("nomad.broker.total_ready", open(EvalStatus::Pending), &[]));
    found.push(gauge("nomad.blocked_evals.total_blocked", open(EvalStatus::Blocked), &[]));
    found.push(gauge("raft.appliedIndex", state.index() as f64, &[]));
    for summary in state.job_summaries() {
        for (group, counts) in &summary.summary {
            let labels = [
                ("namespace", summary.namespace.as_str()),
                ("exported_job", summary.job_id.as_str()),
                ("task_group", group.as_str()),
            ];
            let of = [
                ("queued", counts.queued),
                ("complete", counts.complete),
                ("failed", counts.failed),
                ("running", counts.running),
                ("starting", counts.starting),
                ("lost", counts.lost),
                ("unknown", counts.unknown),
            ];
            for (name, value) in of {
                found.push(gauge(&format!("nomad.job_summary.{name}"), value as f64, &labels));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// The text that Prometheus reads.
fn text(gauges: &[MetricGauge]) -> String {
    let mut out = String::new();
    let mut last = String::new();
    for gauge in gauges {
        let name = gauge.name.replace(['.', '-'], "_");
        if name != last {
            let _ = writeln!(out, "# HELP {name} {name}\n# TYPE {name} gauge");
            last.clone_from(&name);
        }
        let labels: Vec<String> =
            gauge.labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(out, "{name}{labels} {}", gauge.value);
    }
    out
}
