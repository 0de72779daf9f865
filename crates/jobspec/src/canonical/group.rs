//! Defaults of task groups, by type of job, under what the job says.

use super::{fill_update, service, task, weigh, weigh_spreads};
use caravan_model::api::{
    ApiDisconnectStrategy, ApiEphemeralDisk, ApiJob, ApiMigrateStrategy, ApiReschedulePolicy,
    ApiRestartPolicy, ApiScalingPolicy, ApiTaskGroup, ApiUpdateStrategy,
};
use caravan_model::{
    Consul, Duration, delay_function, health_check, job_type, reconcile, restart_mode, scaling_type,
};

pub(super) fn canonicalize(group: &mut ApiTaskGroup, job: &ApiJob) {
    // exhaustive
    let ApiTaskGroup {
        affinities,
        constraints: _,
        consul,
        count,
        disconnect,
        ephemeral_disk,
        max_client_disconnect: _,
        max_run_duration: _,
        meta: _,
        migrate,
        name,
        networks: _,
        prevent_reschedule_on_lost: _,
        reschedule_policy,
        restart_policy,
        scaling,
        services,
        shutdown_delay: _,
        spreads,
        stop_after_client_disconnect: _,
        tasks,
        update,
        volumes: _,
    } = group;
    let kind = job.r#type.as_deref().unwrap_or_default();
    let name = name.get_or_insert_default().as_str();
    let job_name = job.name.as_deref().unwrap_or_default();
    if count.is_none() {
        *count = scaling.as_ref().and_then(|scaling| scaling.min).or(Some(1));
    }
    if let Some(scaling) = scaling {
        canonicalize_scaling(scaling, count.unwrap_or(1));
    }
    if let Some(consul) = consul {
        canonicalize_consul(consul);
    }
    if let Some(disconnect) = disconnect {
        canonicalize_disconnect(disconnect);
    }
    canonicalize_disk(ephemeral_disk.get_or_insert_default());
    merge_update(update, job.update.as_ref());
    merge_migrate(migrate, job.migrate.as_ref(), kind);
    merge_reschedule(reschedule_policy, job.reschedule.as_ref(), kind);
    let restart = restart_policy.get_or_insert_default();
    fill_restart(restart, &default_restart(kind));
    weigh(affinities.as_mut());
    weigh_spreads(spreads.as_mut());
    for service in services.iter_mut().flatten() {
        let default_name = format!("{job_name}-{name}");
        service::canonicalize(service, &default_name);
    }
    for task in tasks.iter_mut().flatten() {
        task::canonicalize(task, restart, &format!("{job_name}-{name}"));
    }
}

pub(super) fn canonicalize_consul(consul: &mut Consul) {
    if consul.cluster.is_empty() {
        consul.cluster = "default".to_owned();
    }
}

fn canonicalize_scaling(scaling: &mut ApiScalingPolicy, count: i64) {
    scaling.enabled.get_or_insert(true);
    scaling.min.get_or_insert(count);
    if scaling.r#type.is_empty() {
        scaling.r#type = scaling_type::HORIZONTAL.to_owned();
    }
}

fn canonicalize_disconnect(disconnect: &mut ApiDisconnectStrategy) {
    // exhaustive
    let ApiDisconnectStrategy {
        lost_after: _,
        reconcile,
        replace,
        stop_on_client_after: _,
    } = disconnect;
    replace.get_or_insert(true);
    reconcile.get_or_insert_with(|| reconcile::BEST_SCORE.to_owned());
}

fn canonicalize_disk(disk: &mut ApiEphemeralDisk) {
    // exhaustive
    let ApiEphemeralDisk {
        migrate,
        size_mb,
        sticky,
    } = disk;
    migrate.get_or_insert(false);
    sticky.get_or_insert(false);
    size_mb.get_or_insert(300);
}

fn merge_update(own: &mut Option<ApiUpdateStrategy>, job: Option<&ApiUpdateStrategy>) {
    // A stored job shows zeros where nothing was given; a group without a strategy takes none from them.
    if let Some(job) = job.filter(|job| own.is_some() || !is_empty(job)) {
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
        } = own.get_or_insert_default();
        inherit(auto_promote, &job.auto_promote);
        inherit(auto_revert, &job.auto_revert);
        inherit(canary, &job.canary);
        inherit(health_check, &job.health_check);
        inherit(healthy_deadline, &job.healthy_deadline);
        inherit(max_parallel, &job.max_parallel);
        inherit(min_healthy_time, &job.min_healthy_time);
        inherit(progress_deadline, &job.progress_deadline);
        inherit(stagger, &job.stagger);
    }
    if let Some(own) = own {
        fill_update(own);
    }
}

fn is_empty(update: &ApiUpdateStrategy) -> bool {
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
    let times = [
        healthy_deadline,
        min_healthy_time,
        progress_deadline,
        stagger,
    ];
    let numbers = [canary, max_parallel];
    let switches = [auto_promote, auto_revert];
    times
        .iter()
        .all(|it| it.unwrap_or_default() == Duration::ZERO)
        && numbers.iter().all(|it| it.unwrap_or_default() == 0)
        && !switches.iter().any(|it| it.unwrap_or_default())
        && health_check.as_deref().unwrap_or_default().is_empty()
}

/// Takes what is not given from the other.
fn inherit<T: Clone>(own: &mut Option<T>, other: &Option<T>) {
    if own.is_none() {
        own.clone_from(other);
    }
}

fn merge_migrate(
    own: &mut Option<ApiMigrateStrategy>,
    job: Option<&ApiMigrateStrategy>,
    kind: &str,
) {
    if own.is_none() && job.is_none() && kind != job_type::SERVICE {
        return;
    }
    // exhaustive
    let ApiMigrateStrategy {
        health_check,
        healthy_deadline,
        max_parallel,
        min_healthy_time,
    } = own.get_or_insert_default();
    if let Some(job) = job {
        inherit(health_check, &job.health_check);
        inherit(healthy_deadline, &job.healthy_deadline);
        inherit(max_parallel, &job.max_parallel);
        inherit(min_healthy_time, &job.min_healthy_time);
    }
    health_check.get_or_insert_with(|| health_check::CHECKS.to_owned());
    healthy_deadline.get_or_insert(Duration::from_secs(5 * 60));
    max_parallel.get_or_insert(1);
    min_healthy_time.get_or_insert(Duration::from_secs(10));
}

/// What a group starts from; jobs that have one allocation per node have none.
fn default_reschedule(kind: &str) -> Option<ApiReschedulePolicy> {
    match kind {
        job_type::SERVICE => Some(ApiReschedulePolicy {
            attempts: Some(0),
            delay: Some(Duration::from_secs(30)),
            delay_function: Some(delay_function::EXPONENTIAL.to_owned()),
            interval: Some(Duration::ZERO),
            max_delay: Some(Duration::from_secs(3600)),
            unlimited: Some(true),
        }),
        job_type::BATCH => Some(ApiReschedulePolicy {
            attempts: Some(1),
            delay: Some(Duration::from_secs(5)),
            delay_function: Some(delay_function::CONSTANT.to_owned()),
            interval: Some(Duration::from_secs(24 * 3600)),
            max_delay: Some(Duration::ZERO),
            unlimited: Some(false),
        }),
        _ => None,
    }
}

fn merge_reschedule(
    own: &mut Option<ApiReschedulePolicy>,
    job: Option<&ApiReschedulePolicy>,
    kind: &str,
) {
    let default = default_reschedule(kind);
    for other in [job, default.as_ref()].into_iter().flatten() {
        // exhaustive
        let ApiReschedulePolicy {
            attempts,
            delay,
            delay_function,
            interval,
            max_delay,
            unlimited,
        } = own.get_or_insert_default();
        inherit(attempts, &other.attempts);
        inherit(delay, &other.delay);
        inherit(delay_function, &other.delay_function);
        inherit(interval, &other.interval);
        inherit(max_delay, &other.max_delay);
        inherit(unlimited, &other.unlimited);
    }
    // A type without a default still shows whatever was given, in full.
    if let Some(own) = own.as_mut().filter(|_| default.is_none()) {
        own.attempts.get_or_insert(0);
        own.delay.get_or_insert(Duration::ZERO);
        own.delay_function.get_or_insert_default();
        own.interval.get_or_insert(Duration::ZERO);
        own.max_delay.get_or_insert(Duration::ZERO);
        own.unlimited.get_or_insert(false);
    }
}

fn default_restart(kind: &str) -> ApiRestartPolicy {
    let ends = matches!(kind, job_type::BATCH | job_type::SYSBATCH);
    ApiRestartPolicy {
        attempts: Some(if ends { 3 } else { 2 }),
        delay: Some(Duration::from_secs(15)),
        interval: Some(Duration::from_secs(if ends { 24 * 3600 } else { 30 * 60 })),
        mode: Some(restart_mode::FAIL.to_owned()),
        render_templates: Some(false),
    }
}

pub(super) fn fill_restart(own: &mut ApiRestartPolicy, other: &ApiRestartPolicy) {
    // exhaustive
    let ApiRestartPolicy {
        attempts,
        delay,
        interval,
        mode,
        render_templates,
    } = own;
    inherit(attempts, &other.attempts);
    inherit(delay, &other.delay);
    inherit(interval, &other.interval);
    inherit(mode, &other.mode);
    inherit(render_templates, &other.render_templates);
}
