//! Blocks that say how allocations are updated, restarted, replaced and moved.

use super::Faults;
use caravan_model::{
    DisconnectStrategy, Duration, Job, MigrateStrategy, ReschedulePolicy, RestartPolicy,
    ScalingPolicy, TaskGroup, UpdateStrategy, delay_function, health_check, job_type, reconcile,
    restart_mode, scaling_type,
};

const RESTART_INTERVAL: Duration = Duration::from_secs(5);
const RESCHEDULE_DELAY: Duration = Duration::from_secs(5);
const RESCHEDULE_INTERVAL: Duration = Duration::from_secs(15);

pub(super) fn restart(policy: &RestartPolicy, faults: &mut Faults) {
    let known = [restart_mode::FAIL, restart_mode::DELAY];
    if !known.contains(&policy.mode.as_str()) {
        faults.add(format!("Unsupported restart mode: {:?}", policy.mode));
    }
    if policy.attempts == 0 && policy.mode != restart_mode::FAIL {
        faults.add(format!(
            "Restart policy {:?} with {} attempts is ambiguous",
            policy.mode, policy.attempts
        ));
    }
    faults.add_if(
        policy.interval < RESTART_INTERVAL,
        format!(
            "Interval can not be less than {RESTART_INTERVAL} (got {})",
            policy.interval
        ),
    );
    faults.add_if(
        policy.attempts.saturating_mul(policy.delay.0) > policy.interval.0,
        format!(
            "Nomad can't restart the TaskGroup {} times in an interval of {} with a delay of {}",
            policy.attempts, policy.interval, policy.delay
        ),
    );
}

pub(super) fn reschedule(policy: &ReschedulePolicy, faults: &mut Faults) {
    if policy.attempts <= 0 && !policy.unlimited {
        return;
    }
    if policy.attempts > 0 {
        faults.add_if(
            policy.interval.0 <= 0,
            "Interval must be a non zero value if Attempts > 0",
        );
        if policy.unlimited {
            faults.add(format!(
                "Reschedule Policy with Attempts = {}, Interval = {}, and Unlimited = {} is ambiguous",
                policy.attempts, policy.interval, policy.unlimited
            ));
            faults.add("If Attempts >0, Unlimited cannot also be set to true");
        }
    }
    let before = faults.0.len();
    reschedule_delays(policy, faults);
    let delays_are_fine = faults.0.len() == before;
    if policy.unlimited {
        return;
    }
    faults.add_if(
        policy.interval < RESCHEDULE_INTERVAL,
        format!(
            "Interval cannot be less than {RESCHEDULE_INTERVAL} (got {})",
            policy.interval
        ),
    );
    if delays_are_fine {
        attempts_fit(policy, faults);
    }
}

fn reschedule_delays(policy: &ReschedulePolicy, faults: &mut Faults) {
    faults.add_if(
        policy.delay < RESCHEDULE_DELAY,
        format!(
            "Delay cannot be less than {RESCHEDULE_DELAY} (got {})",
            policy.delay
        ),
    );
    let known = [
        delay_function::CONSTANT,
        delay_function::EXPONENTIAL,
        delay_function::FIBONACCI,
    ];
    faults.add_if(
        !known.contains(&policy.delay_function.as_str()),
        format!(
            "Invalid delay function {:?}, must be one of [{}]",
            policy.delay_function,
            known.map(|it| format!("{it:?}")).join(" ")
        ),
    );
    if policy.delay_function != delay_function::CONSTANT {
        faults.add_if(
            policy.max_delay < RESCHEDULE_DELAY,
            format!(
                "Max Delay cannot be less than {RESCHEDULE_DELAY} (got {})",
                policy.max_delay
            ),
        );
        faults.add_if(
            policy.max_delay < policy.delay,
            format!(
                "Max Delay cannot be less than Delay {} (got {})",
                policy.delay, policy.max_delay
            ),
        );
    }
}

fn attempts_fit(policy: &ReschedulePolicy, faults: &mut Faults) {
    let Some((possible, needed)) = attempts_possible(policy) else {
        return;
    };
    let ceiling = match policy.delay_function.as_str() {
        delay_function::CONSTANT => format!(" and delay function {:?}", policy.delay_function),
        _ => format!(
            ", delay function {:?}, and delay ceiling {}",
            policy.delay_function, policy.max_delay
        ),
    };
    faults.add(format!(
        "Nomad can only make {possible} attempts in {} with initial delay {}{ceiling}",
        policy.interval, policy.delay
    ));
    faults.add(format!(
        "Set the interval to at least {} to accommodate {} attempts",
        Duration(needed),
        policy.attempts
    ));
}

/// When not all attempts fit into the interval: how many do, and the interval that all need.
fn attempts_possible(policy: &ReschedulePolicy) -> Option<(i64, i64)> {
    let (delay, most, interval) = (policy.delay.0, policy.max_delay.0, policy.interval.0);
    // Beyond this many attempts the sum is far over any interval.
    let attempts = policy.attempts.min(100_000);
    match policy.delay_function.as_str() {
        delay_function::CONSTANT => {
            let needed = policy.attempts.saturating_mul(delay);
            (interval < needed).then(|| (interval / delay.max(1), needed))
        }
        delay_function::EXPONENTIAL => {
            let (mut needed, mut possible) = (0i64, 0);
            for attempt in 0..attempts {
                let factor = 1i64.checked_shl(attempt.min(62) as u32).unwrap_or(i64::MAX);
                let next = delay.saturating_mul(factor);
                needed = match next > most {
                    true => needed.saturating_add(most),
                    false => next,
                };
                possible += i64::from(needed < interval);
            }
            (possible < attempts).then_some((possible, needed))
        }
        _ => {
            let mut slots = vec![delay, delay];
            let mut at_ceiling = false;
            for at in 2..attempts as usize {
                let next = match at_ceiling {
                    true => slots[at - 1].saturating_add(most),
                    false => {
                        let sum = slots[at - 1].saturating_add(slots[at - 2]);
                        at_ceiling = sum > most;
                        sum.min(most)
                    }
                };
                slots.push(next);
            }
            let needed = slots.last().copied().unwrap_or(delay);
            let possible = slots.iter().filter(|slot| **slot <= interval).count();
            (interval < needed).then_some((possible as i64, needed))
        }
    }
}

pub(super) fn update(job: &Job, update: &UpdateStrategy, faults: &mut Faults) {
    if ![job_type::SERVICE, job_type::SYSTEM].contains(&job.r#type.as_str()) {
        faults.add(format!(
            "Job type {:?} does not allow update block",
            job.r#type
        ));
        return;
    }
    let known = [
        health_check::CHECKS,
        health_check::TASK_STATES,
        health_check::MANUAL,
    ];
    faults.add_if(
        !known.contains(&update.health_check.as_str()),
        format!("Invalid health check given: {:?}", update.health_check),
    );
    let below_zero = |value: i64, what: &str, faults: &mut Faults| {
        faults.add_if(
            value < 0,
            format!("{what} can not be less than zero: {value} < 0"),
        );
    };
    below_zero(update.max_parallel, "Max parallel", faults);
    below_zero(update.canary, "Canary count", faults);
    faults.add_if(
        update.canary == 0 && update.auto_promote,
        "Auto Promote requires a Canary count greater than zero",
    );
    let (min, healthy, progress) = (
        update.min_healthy_time,
        update.healthy_deadline,
        update.progress_deadline,
    );
    faults.add_if(
        min.0 < 0,
        format!("Minimum healthy time may not be less than zero: {min}"),
    );
    faults.add_if(
        healthy.0 <= 0,
        format!("Healthy deadline must be greater than zero: {healthy}"),
    );
    faults.add_if(
        progress.0 < 0,
        format!("Progress deadline must be zero or greater: {progress}"),
    );
    faults.add_if(
        min >= healthy,
        format!("Minimum healthy time must be less than healthy deadline: {min} > {healthy}"),
    );
    faults.add_if(
        progress.0 != 0 && healthy >= progress,
        format!("Healthy deadline must be less than progress deadline: {healthy} > {progress}"),
    );
    faults.add_if(
        update.stagger.0 <= 0,
        format!("Stagger must be greater than zero: {}", update.stagger),
    );
}

pub(super) fn migrate(job: &Job, migrate: &MigrateStrategy, faults: &mut Faults) {
    if job.r#type != job_type::SERVICE {
        faults.add(format!(
            "Job type {:?} does not allow migrate block",
            job.r#type
        ));
        return;
    }
    faults.add_if(
        migrate.max_parallel < 0,
        format!(
            "MaxParallel must be >= 0 but found {}",
            migrate.max_parallel
        ),
    );
    let known = [health_check::CHECKS, health_check::TASK_STATES];
    faults.add_if(
        !known.contains(&migrate.health_check.as_str()),
        format!("Invalid HealthCheck: {:?}", migrate.health_check),
    );
    let (min, healthy) = (migrate.min_healthy_time, migrate.healthy_deadline);
    faults.add_if(
        min.0 < 0,
        format!("MinHealthyTime is {min} and must be >= 0"),
    );
    faults.add_if(
        healthy.0 < 0,
        format!("HealthyDeadline is {healthy} and must be >= 0"),
    );
    faults.add_if(
        min > healthy,
        "MinHealthyTime must be less than HealthyDeadline",
    );
}

pub(super) fn disconnect(job: &Job, disconnect: &DisconnectStrategy, faults: &mut Faults) {
    faults.add_if(
        disconnect.lost_after.0 != 0 && disconnect.stop_on_client_after.is_some(),
        "Disconnect cannot be configured with both lost_after and stop_after",
    );
    faults.add_if(
        disconnect.lost_after.0 < 0,
        "lost_after cannot be a negative duration",
    );
    if let Some(stop) = disconnect.stop_on_client_after {
        faults.add_if(stop.0 < 0, "stop_after cannot be a negative duration");
        faults.add_if(
            ![job_type::SERVICE, job_type::BATCH].contains(&job.r#type.as_str()),
            "stop_after can only be used with service or batch job types",
        );
    }
    let known = [
        "",
        reconcile::BEST_SCORE,
        reconcile::KEEP_ORIGINAL,
        reconcile::KEEP_REPLACEMENT,
        reconcile::LONGEST_RUNNING,
    ];
    faults.add_if(
        !known.contains(&disconnect.reconcile.as_str()),
        format!("reconcile option is invalid: {}", disconnect.reconcile),
    );
}

pub(super) fn scaling(group: &TaskGroup, policy: &ScalingPolicy) -> Faults {
    let mut faults = Faults::default();
    let mut invalid = |condition: bool, what: &str| {
        faults.add_if(condition, format!("Scaling policy invalid: {what}"));
    };
    invalid(
        policy.max < 0,
        "maximum count must be specified and non-negative",
    );
    invalid(
        policy.max >= 0 && policy.max < policy.min,
        "maximum count must not be less than minimum count",
    );
    invalid(
        policy.min < 0,
        "minimum count must be specified and non-negative",
    );
    invalid(
        group.count < policy.min,
        "task group count must not be less than minimum count in scaling policy",
    );
    invalid(
        group.count > policy.max,
        "task group count must not be greater than maximum count in scaling policy",
    );
    invalid(
        policy.r#type != scaling_type::HORIZONTAL,
        &format!("policy type {:?} is not valid", policy.r#type),
    );
    faults
}
