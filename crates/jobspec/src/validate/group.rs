//! Task groups.

use super::{Faults, network, placement, policy, service, task, volume};
use caravan_model::{Job, TaskGroup, job_type};

/// Smaller disks are refused.
const LEAST_DISK_MB: i64 = 10;

pub(super) fn validate(job: &Job, group: &TaskGroup) -> Faults {
    let mut faults = Faults::default();
    let is_system = job.r#type == job_type::SYSTEM;
    faults.add_if(group.name.is_empty(), "Missing task group name");
    faults.add_if(
        group.name.contains('\0'),
        "Task group name contains null character",
    );
    faults.add_if(group.count < 0, "Task group count can't be negative");
    faults.add_if(group.tasks.is_empty(), "Missing tasks for task group");
    if let Some(disconnect) = &group.disconnect {
        policy::disconnect(job, disconnect, &mut faults);
    }
    if let Some(longest) = group.max_run_duration {
        faults.add_if(longest.0 <= 0, "MaxRunDuration must be greater than zero");
        faults.add_if(
            !job.is_batch_like(),
            format!("Job type {:?} does not allow max_run_duration", job.r#type),
        );
    }
    placement::constraints(&group.constraints, &mut faults);
    if is_system {
        faults.add_if(
            !group.affinities.is_empty(),
            "System jobs may not have an affinity block",
        );
    } else {
        placement::affinities(&group.affinities, &mut faults);
    }
    policy::restart(&group.restart_policy, &mut faults);
    if is_system {
        faults.add_if(
            !group.spreads.is_empty(),
            "System jobs may not have a spread block",
        );
    } else {
        placement::spreads(&group.spreads, &mut faults);
    }
    policies(job, group, &mut faults);
    names(group, &mut faults);
    volume::requests(job, group, &mut faults);
    faults.nest(
        "Task group network validation failed: ",
        network::validate(group),
    );
    faults.nest(
        "Task group service validation failed: ",
        service::validate_group(group),
    );
    faults.nest(
        "Task group service check validation failed: ",
        service::script_checks(group),
    );
    if let Some(scaling) = &group.scaling {
        faults.nest(
            "Task group scaling policy validation failed: ",
            policy::scaling(group, scaling),
        );
    }
    for it in &group.tasks {
        let before = format!("Task {} validation failed: ", it.name);
        faults.nest(&before, task::validate(job, group, it));
    }
    faults
}

fn policies(job: &Job, group: &TaskGroup, faults: &mut Faults) {
    if let Some(reschedule) = &group.reschedule_policy {
        match job.is_system_like() {
            true => faults.add("System or sysbatch jobs should not have a reschedule policy"),
            false => policy::reschedule(reschedule, faults),
        }
    }
    let size = group.ephemeral_disk.size_mb;
    faults.add_if(
        size < LEAST_DISK_MB,
        format!("minimum DiskMB value is {LEAST_DISK_MB}; got {size}"),
    );
    if let Some(update) = &group.update {
        policy::update(job, update, faults);
    }
    if let Some(migrate) = &group.migrate {
        policy::migrate(job, migrate, faults);
    }
}

fn names(group: &TaskGroup, faults: &mut Faults) {
    let mut seen = std::collections::BTreeMap::new();
    for (at, task) in group.tasks.iter().enumerate() {
        let (number, name) = (at + 1, task.name.as_str());
        if name.is_empty() {
            faults.add(format!("Task {number} missing name"));
        } else if let Some(first) = seen.get(name) {
            faults.add(format!(
                "Task {number} redefines '{name}' from task {first}"
            ));
        } else {
            seen.insert(name, number);
        }
    }
    let leaders = group.tasks.iter().filter(|task| task.leader).count();
    faults.add_if(leaders > 1, "Only one task may be marked as leader");
}
