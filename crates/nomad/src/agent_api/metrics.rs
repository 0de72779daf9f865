//! Numbers for monitoring (http-api §2.7, server sheet §21), as JSON and as Prometheus reads them.

use super::{AgentOps, Answered};
use caravan_http::{Answer, ApiError, ApiRequest, Meta};
use caravan_model::*;
use std::fmt::Write as _;

const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

pub(super) async fn metrics(agent: &AgentOps, request: &ApiRequest) -> Answered {
    let gauges = super::gauges::all(agent).await;
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
