//! What an evaluation decided, one line for each thing that happens.

use caravan_model::*;
use caravan_scheduler::DryRun;
use caravan_state::State;
use std::sync::Arc;

/// A plan as lines, in the order of names.
pub fn plan(state: &State, plan: &Plan, result: &PlanResult) -> Vec<String> {
    let mut lines = Vec::new();
    let job = plan.job.as_ref();
    for alloc in result.node_update.values().flatten() {
        let lost = if alloc.client_status == ClientStatus::Lost {
            " as lost"
        } else {
            ""
        };
        let place = on(state, alloc);
        let why = match &*alloc.desired_description {
            "" => String::new(),
            why => format!(": {why}"),
        };
        lines.push(format!("stop {place}{lost}{why}"));
    }
    for alloc in result.node_preemptions.values().flatten() {
        lines.push(format!("evict {}", on(state, alloc)));
    }
    for alloc in result.node_allocation.values().flatten() {
        lines.push(match state.alloc(&alloc.id) {
            Some(old) => changed(state, old, alloc),
            None => placed(state, alloc, job),
        });
    }
    lines.sort();
    for id in &result.rejected_nodes {
        lines.push(format!("refused {}", node_name(state, *id)));
    }
    if let Some(deployment) = &result.deployment {
        lines.push(deployed(deployment));
    }
    for update in &result.deployment_updates {
        lines.push(format!(
            "deployment {}: {}",
            update.status.as_str(),
            update.status_description
        ));
    }
    lines
}

fn node_name(state: &State, node: NodeId) -> String {
    state
        .node(&node)
        .map_or("nowhere".into(), |node| node.name.clone())
}

fn on(state: &State, alloc: &Allocation) -> String {
    format!("{} on {}", alloc.name, node_name(state, alloc.node_id))
}

fn placed(state: &State, alloc: &Allocation, plans: Option<&Arc<Job>>) -> String {
    let mut line = format!("place {}", on(state, alloc));
    if alloc.is_canary() {
        line += " canary";
    }
    let version = alloc.job.as_ref().or(plans).map_or(0, |job| job.version);
    if version > 0 {
        line += &format!(" v{version}");
    }
    if let Some(previous) = state.alloc(&alloc.previous_allocation) {
        line += &format!(", was on {}", node_name(state, previous.node_id));
    }
    if let Some(tracker) = &alloc.reschedule_tracker {
        line += &format!(", attempt {}", tracker.events.len());
    }
    for victim in &alloc.preempted_allocations {
        let name = state
            .alloc(victim)
            .map_or(String::new(), |victim| victim.name.clone());
        line += &format!(", evicts {name}");
    }
    if let Some(given) = &alloc.allocated_resources {
        for port in given.shared.ports.iter().filter(|port| port.value < 20_000) {
            line += &format!(
                ", port {}={} to {} at {}",
                port.label, port.value, port.to, port.host_ip
            );
        }
        for (_, task) in &given.tasks {
            if !task.cpu.reserved_cores.is_empty() {
                line += &format!(
                    ", cores {:?} of {} MHz",
                    task.cpu.reserved_cores, task.cpu.cpu_shares
                );
            }
            for device in &task.devices {
                line += &format!(", device {} {}", device.name, device.device_ids.join("+"));
            }
            if task.memory.memory_max_mb != 0 {
                line += &format!(", memory up to {}", task.memory.memory_max_mb);
            }
        }
    }
    line
}

fn changed(state: &State, old: &Allocation, new: &Allocation) -> String {
    let place = on(state, new);
    if new.client_status == ClientStatus::Unknown && old.client_status != ClientStatus::Unknown {
        return format!("unknown {place}: {}", new.client_description);
    }
    if old.eval_id != new.eval_id {
        return format!("update {place} in place");
    }
    if new.last_reschedule_failed() && !old.last_reschedule_failed() {
        return format!("note {place}: no placement");
    }
    if new.followup_eval_id != old.followup_eval_id {
        return format!("note {place}: looked at again later");
    }
    if new.alloc_states.len() != old.alloc_states.len() {
        return format!("note {place}: is back");
    }
    format!("note {place}")
}

fn deployed(deployment: &Deployment) -> String {
    let group = |(name, group): (&String, &DeploymentState)| {
        let canaries = match group.desired_canaries {
            0 => String::new(),
            canaries => format!(", {canaries} canaries"),
        };
        format!("{name} {}{canaries}", group.desired_total)
    };
    let groups: Vec<String> = deployment.task_groups.iter().map(group).collect();
    format!(
        "deployment of {}: {}",
        groups.join("; "),
        deployment.status_description
    )
}

/// The end of an evaluation, as far as something is left over.
pub fn end(evals: &[Evaluation], now: UnixNanos) -> Vec<String> {
    let mut lines = Vec::new();
    for eval in evals {
        match eval.status {
            EvalStatus::Failed => lines.push(format!("failed: {}", eval.status_description)),
            EvalStatus::Blocked => {
                let classes = &eval.class_eligibility;
                let which = if eval.escaped_computed_class {
                    "any node".to_owned()
                } else {
                    let can = classes.values().filter(|can| **can).count();
                    format!("{can} of {} classes", classes.len())
                };
                lines.push(format!("blocked ({}): {which} may help", eval.triggered_by));
            }
            EvalStatus::Pending => {
                let wait = UnixNanos::from(eval.wait_until).since(now);
                let seconds = wait.0 / 1_000_000_000;
                lines.push(format!("later (in {seconds} s): {}", eval.triggered_by));
            }
            _ => {}
        }
    }
    let failed = evals
        .first()
        .map(|eval| (&eval.failed_tg_allocs, &eval.queued_allocations));
    for (group, metric) in failed.iter().flat_map(|(failed, _)| failed.iter()) {
        let queued = failed.and_then(|(_, queued)| queued.get(group)).copied();
        lines.push(format!(
            "no place for {} of {group}: {}",
            queued.unwrap_or(0),
            seen(metric)
        ));
    }
    lines
}

/// What was seen, in one line.
pub fn seen(metric: &AllocMetric) -> String {
    let mut parts = vec![format!("{} nodes", metric.nodes_evaluated)];
    for (reason, nodes) in &metric.constraint_filtered {
        parts.push(format!("{nodes} filtered by '{reason}'"));
    }
    for (dimension, nodes) in &metric.dimension_exhausted {
        parts.push(format!("{nodes} exhausted in '{dimension}'"));
    }
    parts.join(", ")
}

/// The scores that a node was chosen by, and those of the next best.
pub fn scores(state: &State, metric: &AllocMetric) -> Vec<String> {
    let shown = |node: &Arc<NodeScoreMeta>| {
        let parts = node.scores.iter().filter(|(_, value)| *value != 0.0);
        let parts: Vec<String> = parts
            .map(|(name, value)| format!("{} {value:.3}", name.as_str()))
            .collect();
        let name = node_name(state, node.node_id);
        format!("{name} {:.3} = {}", node.norm_score, parts.join(", "))
    };
    metric.score_meta_data.iter().map(shown).collect()
}

/// What a dry run says: counts by group, those evicted, what would wait.
pub fn dry(state: &State, dry: &DryRun, now: UnixNanos) -> Vec<String> {
    let mut lines = Vec::new();
    let annotations = dry.annotations.iter();
    for (group, updates) in annotations.clone().flat_map(|a| &a.desired_tg_updates) {
        lines.push(format!("{group}: {}", counts(updates)));
    }
    for evicted in annotations.flat_map(|a| &a.preempted_allocs) {
        let node = node_name(state, evicted.node_id);
        lines.push(format!("evict {} on {node}", evicted.name));
    }
    let created = end(&dry.created_evals, now).into_iter();
    lines.extend(created.filter(|line| !line.starts_with("no place")));
    for (group, metric) in &dry.failed_groups {
        lines.push(format!(
            "no place for {} of {group}: {}",
            metric.coalesced_failures + 1,
            seen(metric)
        ));
    }
    lines
}

fn counts(updates: &DesiredUpdates) -> String {
    // exhaustive
    let DesiredUpdates {
        ignore,
        place,
        migrate,
        stop,
        in_place_update,
        destructive_update,
        canary,
        preemptions,
        disconnect,
        reconnect,
        reschedule_now,
        reschedule_later,
    } = *updates;
    let all = [
        ("ignore", ignore),
        ("place", place),
        ("migrate", migrate),
        ("stop", stop),
        ("in place", in_place_update),
        ("destructive", destructive_update),
        ("canary", canary),
        ("preempt", preemptions),
        ("disconnect", disconnect),
        ("reconnect", reconnect),
        ("reschedule now", reschedule_now),
        ("reschedule later", reschedule_later),
    ];
    let some = all.iter().filter(|(_, count)| *count > 0);
    let some: Vec<String> = some
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    some.join(", ")
}

/// A metric with all of its fields but for the scores and the time that it took.
pub fn whole(metric: &AllocMetric) -> Vec<String> {
    // exhaustive
    let AllocMetric {
        nodes_evaluated,
        nodes_filtered,
        nodes_in_pool,
        node_pool,
        nodes_available,
        class_filtered,
        constraint_filtered,
        nodes_exhausted,
        class_exhausted,
        dimension_exhausted,
        quota_exhausted,
        resources_exhausted,
        scores: _,
        score_meta_data,
        allocation_time: _,
        coalesced_failures,
    } = metric;
    let mut lines = vec![
        match &**node_pool {
            "" => format!("{nodes_evaluated} evaluated, no pool told"),
            pool => format!("{nodes_evaluated} evaluated, {nodes_in_pool} in pool {pool}"),
        },
        format!("{nodes_filtered} filtered, {nodes_exhausted} exhausted"),
    ];
    for (title, counts) in [
        ("available in", nodes_available.as_ref()),
        ("filtered of class", class_filtered),
        ("filtered by", constraint_filtered),
        ("exhausted of class", class_exhausted),
        ("exhausted in", dimension_exhausted),
    ] {
        lines.extend(
            counts
                .iter()
                .map(|(name, count)| format!("{title} {name}: {count}")),
        );
    }
    lines.extend(quota_exhausted.iter().map(|quota| format!("quota {quota}")));
    for (task, asked) in resources_exhausted.iter() {
        let (cpu, memory) = (asked.cpu, asked.memory_mb);
        lines.push(format!("task {task} lacked: cpu {cpu}, memory {memory}"));
    }
    if *coalesced_failures > 0 {
        lines.push(format!("{coalesced_failures} more failed alike"));
    }
    lines.push(format!("{} scored", score_meta_data.len()));
    lines
}
