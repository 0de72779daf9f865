//! What is allowed, but should be looked at.

use super::Faults;
use caravan_model::{Identity, Job, Task, TaskGroup};

/// Warnings of a job, one text each.
pub(crate) fn job_warnings(job: &Job) -> Vec<String> {
    let mut faults = Faults::default();
    let mut promoting = 0;
    for group in &job.task_groups {
        let before = format!("Group {:?} has warnings: ", group.name);
        faults.nest(&before, group_warnings(group));
        promoting += usize::from(group.update.as_ref().is_some_and(|it| it.auto_promote));
    }
    faults.add_if(
        promoting > 0 && promoting < job.task_groups.len(),
        "auto_promote must be true for all groups to enable automatic promotion",
    );
    let periodic = job.periodic.as_ref();
    faults.add_if(
        periodic.is_some_and(|it| !it.spec.is_empty()),
        "cron is deprecated and may be removed in a future release. Use crons instead",
    );
    faults.texts()
}

fn group_warnings(group: &TaskGroup) -> Faults {
    let mut faults = Faults::default();
    if let Some(update) = &group.update {
        faults.add_if(
            group.count > 1 && update.max_parallel > group.count,
            format!(
                "Update max parallel count is greater than task group count ({} > {}). A destructive change would result \
                 in the simultaneous replacement of all allocations.",
                update.max_parallel, group.count
            ),
        );
    }
    for network in &group.networks {
        faults.add_if(
            network.m_bits > 0,
            "mbits has been deprecated as of Nomad 0.12.0. Please remove mbits from the network block",
        );
    }
    for task in &group.tasks {
        let before = format!("Task {:?} has warnings: ", task.name);
        faults.nest(&before, task_warnings(task));
    }
    faults
}

fn task_warnings(task: &Task) -> Faults {
    let mut faults = Faults::default();
    faults.add_if(
        task.resources.iops != 0,
        "IOPS has been deprecated as of Nomad 0.9.0. Please remove IOPS from resource block.",
    );
    faults.add_if(
        !task.resources.networks.is_empty(),
        "task network resources have been deprecated as of Nomad 0.12.0. Please configure networking via group \
         network block.",
    );
    for (at, template) in task.templates.iter().enumerate() {
        faults.add_if(
            template.vault_grace.0 != 0,
            format!(
                "Template[{at}] VaultGrace has been deprecated as of Nomad 0.11 and ignored since Vault 0.5. Please remove \
                 VaultGrace / vault_grace from template block."
            ),
        );
    }
    for identity in &task.identities {
        faults.nest_bare(identity_warnings(identity));
    }
    faults
}

fn identity_warnings(identity: &Identity) -> Faults {
    let mut faults = Faults::default();
    let mut warn = |condition: bool, text: &str| {
        faults.add_if(condition, format!("Identity[{}] {text}", identity.name));
    };
    let audiences = identity.audience.len();
    warn(
        audiences == 0,
        "identities without an audience are insecure",
    );
    warn(
        audiences > 1,
        "while multiple audiences is allowed, it is more secure to use 1 audience per identity",
    );
    warn(
        identity.ttl.is_zero(),
        "identities without an expiration are insecure",
    );
    warn(
        identity.env && identity.change_mode != "restart",
        "using env=true without change_mode=\"restart\" may result in task not getting updated identity",
    );
    faults
}

/// Identities that tasks would sign in to Vault with, if they used it.
pub(crate) fn vault_identity_warnings(job: &Job) -> Vec<String> {
    let tasks = job.task_groups.iter().flat_map(|group| &group.tasks);
    let without_vault = tasks.filter(|task| task.vault.is_none());
    let identities =
        without_vault.flat_map(|task| task.identities.iter().map(move |it| (task, it)));
    identities
        .filter(|(_, identity)| identity.name.starts_with("vault_"))
        .map(|(task, identity)| {
            format!(
                "Task {} has an identity called {} but no vault block",
                task.name, identity.name
            )
        })
        .collect()
}

/// Services whose allocations stop before anybody heard that they are gone.
pub(crate) fn service_delay_warnings(job: &Job) -> Vec<String> {
    let mut out = Vec::new();
    for group in &job.task_groups {
        let name = &group.name;
        for task in &group.tasks {
            if !task.services.is_empty() && task.shutdown_delay.is_zero() {
                out.push(format!(
                    "task {:?} in group {name:?} defines services, but has no shutdown_delay set",
                    task.name
                ));
            }
        }
        let group_delays = group.shutdown_delay.is_some_and(|delay| !delay.is_zero());
        let task_delays = group
            .tasks
            .iter()
            .any(|task| !task.shutdown_delay.is_zero());
        let mut unnamed = false;
        for service in &group.services {
            match group.lookup_task(&service.task_name) {
                Some(task) if !group_delays && task.shutdown_delay.is_zero() => out.push(format!(
                    "group {name:?} references task {:?} in a service definition, but the task has no shutdown_delay set",
                    task.name
                )),
                Some(_) => {}
                None => unnamed = true,
            }
        }
        if unnamed && !group_delays && !task_delays {
            out.push(format!(
                "group {name:?} defines services, but neither the group nor any of its tasks have shutdown_delay set"
            ));
        }
    }
    out
}
