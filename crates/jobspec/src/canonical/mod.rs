//! Defaults: what a job is when nothing is said.
//!
//! [`canonicalize`] works on jobs as users write them, where "not given" can still be seen, and gives what the
//! public API calls the canonical job. [`complete`] works on jobs as they are stored, and adds what only a server
//! decides. Both do nothing to what they made: running them again changes nothing.

mod group;
mod service;
mod stored;
mod task;

pub use stored::complete;

use caravan_model::api::{
    ApiAffinity, ApiJob, ApiMultiregion, ApiPeriodicConfig, ApiSpread, ApiUpdateStrategy,
};
use caravan_model::{Duration, health_check, job_type};

const DEFAULT_WEIGHT: i64 = 50;
const DEFAULT_PRIORITY: i64 = 50;

/// Fills in the defaults.
pub fn canonicalize(job: &mut ApiJob) {
    // exhaustive
    let ApiJob {
        affinities,
        all_at_once,
        constraints: _,
        consul_namespace,
        create_index,
        datacenters: _,
        dispatch_idempotency_token: _,
        dispatched: _,
        id,
        job_modify_index,
        meta: _,
        migrate: _,
        modify_index,
        multiregion,
        name,
        namespace,
        node_pool,
        nomad_token_id,
        parameterized_job: _,
        parent_id,
        payload: _,
        periodic,
        priority,
        region,
        reschedule: _,
        spreads,
        stable,
        status,
        status_description,
        stop,
        submit_time: _,
        task_groups: _,
        r#type,
        ui: _,
        update,
        vault_namespace,
        version,
        version_tag: _,
    } = &mut *job;
    for text in [
        &mut *consul_namespace,
        node_pool,
        nomad_token_id,
        parent_id,
        status,
        status_description,
        vault_namespace,
    ] {
        text.get_or_insert_default();
    }
    let id = id.get_or_insert_default().clone();
    name.get_or_insert(id);
    region.get_or_insert_with(|| "global".to_owned());
    let namespace = namespace.get_or_insert_default();
    if namespace.is_empty() {
        *namespace = "default".to_owned();
    }
    let kind = r#type.get_or_insert_default();
    if kind.is_empty() {
        *kind = job_type::SERVICE.to_owned();
    }
    priority.get_or_insert(DEFAULT_PRIORITY);
    for flag in [all_at_once, stable, stop] {
        flag.get_or_insert(false);
    }
    for number in [create_index, modify_index, job_modify_index, version] {
        number.get_or_insert(0);
    }
    if let Some(periodic) = periodic {
        canonicalize_periodic(periodic);
    }
    if let Some(multiregion) = multiregion {
        canonicalize_multiregion(multiregion);
    }
    match update {
        Some(update) => fill_update(update),
        None if [job_type::SERVICE, job_type::SYSTEM].contains(&kind.as_str()) => {
            fill_update(update.insert(ApiUpdateStrategy::default()));
        }
        None => {}
    }
    weigh(affinities.as_mut());
    weigh_spreads(spreads.as_mut());
    let mut groups = job.task_groups.take();
    for group in groups.iter_mut().flatten() {
        group::canonicalize(group, job);
    }
    job.task_groups = groups;
}

fn weigh(affinities: Option<&mut Vec<ApiAffinity>>) {
    for affinity in affinities.into_iter().flatten() {
        affinity.weight.get_or_insert(DEFAULT_WEIGHT);
    }
}

fn weigh_spreads(spreads: Option<&mut Vec<ApiSpread>>) {
    for spread in spreads.into_iter().flatten() {
        spread.weight.get_or_insert(DEFAULT_WEIGHT);
    }
}

fn canonicalize_periodic(periodic: &mut ApiPeriodicConfig) {
    // exhaustive
    let ApiPeriodicConfig {
        enabled,
        prohibit_overlap,
        spec,
        spec_type,
        specs,
        time_zone,
    } = periodic;
    enabled.get_or_insert(true);
    prohibit_overlap.get_or_insert(false);
    spec.get_or_insert_default();
    spec_type.get_or_insert_with(|| "cron".to_owned());
    specs.get_or_insert_default();
    let zone = time_zone.get_or_insert_default();
    if zone.is_empty() {
        *zone = "UTC".to_owned();
    }
}

fn canonicalize_multiregion(multiregion: &mut ApiMultiregion) {
    // exhaustive
    let ApiMultiregion { regions, strategy } = multiregion;
    let strategy = strategy.get_or_insert_default();
    strategy.max_parallel.get_or_insert(0);
    strategy.on_failure.get_or_insert_default();
    for region in regions.get_or_insert_default() {
        region.count.get_or_insert(1);
        region.datacenters.get_or_insert_default();
        region.meta.get_or_insert_default();
    }
}

fn fill_update(update: &mut ApiUpdateStrategy) {
    // exhaustive
    let ApiUpdateStrategy {
        auto_promote,
        auto_revert,
        canary,
        health_check,
        healthy_deadline,
        max_parallel,
        min_healthy_time,
        progress_deadline,
        stagger,
    } = update;
    auto_promote.get_or_insert(false);
    auto_revert.get_or_insert(false);
    canary.get_or_insert(0);
    health_check.get_or_insert_with(|| health_check::CHECKS.to_owned());
    healthy_deadline.get_or_insert(Duration::from_secs(5 * 60));
    max_parallel.get_or_insert(1);
    min_healthy_time.get_or_insert(Duration::from_secs(10));
    progress_deadline.get_or_insert(Duration::from_secs(10 * 60));
    stagger.get_or_insert(Duration::from_secs(30));
}
