//! Figures for monitoring (http-api §2.7, server sheet §21), as JSON and as Prometheus reads them.

use super::{AgentOps, Answered};
use crate::telemetry::{Sinks, addresses, prometheus, summary};
use caravan_http::{Answer, ApiError, ApiRequest, Meta};
use caravan_model::*;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// How many figures may wait to be sent.
const WAITING: usize = 8192;

pub(super) async fn metrics(agent: &AgentOps, request: &ApiRequest) -> Answered {
    let as_prometheus = request.query.get("format") == Some("prometheus");
    if as_prometheus && !agent.config.settings.telemetry.prometheus_metrics {
        return Err(ApiError::prometheus_disabled());
    }
    let gauges = super::gauges::all(agent).await;
    let ticks = agent
        .ticks
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take_in(&gauges);
    let (gauges, readings) = (
        agent.telemetry.name(gauges),
        agent.telemetry.readings(ticks),
    );
    if as_prometheus {
        let text = prometheus::text(&gauges, &readings);
        return Ok(Answer::bytes(prometheus::CONTENT_TYPE, text));
    }
    let summary = summary::summary(gauges, &readings, agent.telemetry.interval());
    Answer::json(&summary, Meta::none())
}

/// Sends figures to where the configuration wants them, until the agent ends.
pub(super) async fn push(agent: &AgentOps, closing: CancellationToken) {
    let settings = &agent.config.settings.telemetry;
    let wanted = addresses(settings);
    if wanted.is_empty() {
        return;
    }
    let (teller, told) = sync_channel(WAITING);
    let (sinks, filter) = (Sinks::new(wanted.clone()), agent.telemetry.filter().clone());
    // It ends with the process: the registry keeps the teller.
    std::thread::spawn(move || sinks.follow(&told, |name| filter.wants(name)));
    agent.telemetry.listen(teller);
    let mine = Arc::new(Mutex::new(Sinks::new(wanted)));
    let mut pause = tokio::time::interval(
        settings
            .collection_interval
            .max(std::time::Duration::from_millis(100)),
    );
    loop {
        tokio::select! {
            _ = pause.tick() => {}
            () = closing.cancelled() => return,
        }
        let gauges: Vec<MetricGauge> = agent.telemetry.name(super::gauges::all(agent).await);
        let mine = Arc::clone(&mine);
        let sent = tokio::task::spawn_blocking(move || {
            mine.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .gauges(&gauges);
        });
        // Sending does not panic; if it did, the next round would try again.
        let _ = sent.await;
    }
}
