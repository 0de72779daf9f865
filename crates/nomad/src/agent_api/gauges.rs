//! The gauges of this agent (server sheet §21): read when asked, from what server and node hold.
//!
//! Of the reference's runtime, what has a counterpart is told; there is no garbage collector, so it never ran.

use super::{AgentOps, ServerSide};
use caravan_client::metrics::Wanted;
use caravan_model::*;
use caravan_state::{JobKey, State};
use std::collections::BTreeMap;

fn gauge(name: &str, value: f64, labels: &[(&str, &str)]) -> MetricGauge {
    let labels: BTreeMap<String, String> = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    MetricGauge {
        name: format!("nomad.{name}"),
        value,
        labels,
    }
}

/// All of them.
pub(super) async fn all(agent: &AgentOps) -> Vec<MetricGauge> {
    let mut found = runtime(agent);
    if let Some(node) = agent.node.get() {
        let telemetry = &agent.config.settings.telemetry;
        let wanted = Wanted {
            allocations: telemetry.publish_allocation_metrics,
            host: telemetry.publish_node_metrics,
            meta: telemetry
                .include_alloc_metadata_in_metrics
                .then(|| telemetry.allowed_metadata_keys_in_metrics.clone()),
        };
        found.extend(node.gauges(wanted).await);
    }
    if let Some(side) = &agent.server {
        let state = side.server.store().snapshot();
        found.extend(duties(side));
        found.extend(log(side, &state));
        let without_dispatched = agent
            .config
            .settings
            .telemetry
            .disable_dispatched_job_summary_metrics;
        found.extend(jobs(&state, without_dispatched));
    }
    found
}

fn runtime(agent: &AgentOps) -> Vec<MetricGauge> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().nth(1)?.parse::<f64>().ok());
        kilobytes.unwrap_or(0.0) * 1024.0
    };
    let tasks = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    let connections = agent
        .http
        .get()
        .map_or(0, caravan_http::Server::connections);
    let plain = [
        ("nomad.agent.http.connections", connections as f64),
        (
            "runtime.uptime_seconds",
            agent.started.elapsed().as_secs_f64(),
        ),
        ("runtime.num_goroutines", tasks as f64),
        ("runtime.alloc_bytes", bytes("VmRSS:")),
        ("runtime.sys_bytes", bytes("VmSize:")),
        ("runtime.malloc_count", 0.0),
        ("runtime.free_count", 0.0),
        ("runtime.heap_objects", 0.0),
        ("runtime.total_gc_pause_ns", 0.0),
        ("runtime.total_gc_runs", 0.0),
    ];
    plain.map(|(name, value)| gauge(name, value, &[])).into()
}

/// What a leader works on.
fn duties(side: &ServerSide) -> Vec<MetricGauge> {
    let numbers = side.server.numbers();
    let (broker, blocked) = (numbers.broker, numbers.blocked);
    let plain = [
        ("blocked_evals.total_blocked", blocked.blocked),
        ("blocked_evals.total_escaped", blocked.escaped),
        ("blocked_evals.total_quota_limit", 0),
        ("broker.total_cancelable", broker.cancelable),
        ("broker.total_pending", broker.pending),
        ("broker.total_ready", broker.ready),
        ("broker.total_unacked", broker.unacked),
        ("broker.total_waiting", broker.waiting),
        ("heartbeat.active", numbers.heartbeats),
        ("plan.queue_depth", numbers.plans),
    ];
    let mut found: Vec<MetricGauge> = plain
        .map(|(name, value)| gauge(&format!("nomad.{name}"), value as f64, &[]))
        .into();
    if let Some(health) = numbers.health {
        let tolerance = health.failure_tolerance as f64;
        found.push(gauge("nomad.autopilot.failure_tolerance", tolerance, &[]));
        let healthy = f64::from(health.healthy);
        found.push(gauge("nomad.autopilot.healthy", healthy, &[]));
    }
    for (kind, ready, unacked) in numbers.by_type {
        found.push(gauge(
            &format!("nomad.broker.{kind}.ready"),
            ready as f64,
            &[],
        ));
        found.push(gauge(
            &format!("nomad.broker.{kind}.unacked"),
            unacked as f64,
            &[],
        ));
    }
    found.push(gauge(
        "variables.locks.ttl_timer.num",
        numbers.locks as f64,
        &[],
    ));
    // A released lock's delay is kept with the variable: no timer runs.
    found.push(gauge("variables.locks.delay_timer.num", 0.0, &[]));
    found
}

fn log(side: &ServerSide, state: &State) -> Vec<MetricGauge> {
    let status = side.consensus().status();
    let number = |index: Option<u64>| index.unwrap_or(0) as f64;
    vec![
        gauge("raft.appliedIndex", number(status.applied), &[]),
        gauge("raft.lastIndex", number(status.last_log), &[]),
        gauge(
            "raft.commitNumLogs",
            f64::from(status.committed.is_some()),
            &[],
        ),
        gauge(
            "raft.leader.dispatchNumLogs",
            number(status.last_log) - number(status.committed),
            &[],
        ),
        gauge("raft.peers", status.members.len() as f64, &[]),
        gauge("state.snapshotIndex", state.index() as f64, &[]),
    ]
}

fn jobs(state: &State, without_dispatched: bool) -> Vec<MetricGauge> {
    let with = |status: &str| state.jobs().filter(|job| job.status == status).count() as f64;
    let mut found: Vec<MetricGauge> = ["pending", "running", "dead"]
        .map(|status| gauge(&format!("nomad.job_status.{status}"), with(status), &[]))
        .into();
    for summary in state.job_summaries() {
        let job = state.job(&JobKey::new(
            summary.namespace.clone(),
            summary.job_id.clone(),
        ));
        if without_dispatched && job.is_some_and(|job| job.dispatched) {
            continue;
        }
        for (group, counts) in &summary.summary {
            let labels = [
                ("namespace", summary.namespace.as_str()),
                ("job", summary.job_id.as_str()),
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
                found.push(gauge(
                    &format!("nomad.job_summary.{name}"),
                    value as f64,
                    &labels,
                ));
            }
        }
    }
    found
}
