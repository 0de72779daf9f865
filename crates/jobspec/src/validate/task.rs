//! Tasks.

use super::{Faults, artifact, identity, placement, resources, service, template, volume};
use caravan_model::{
    Action, Job, Lifecycle, Task, TaskGroup, Vault, change_mode, job_type, lifecycle_hook, operand,
};

pub(super) fn validate(job: &Job, group: &TaskGroup, task: &Task) -> Faults {
    let mut faults = Faults::default();
    names(task, &mut faults);
    faults.add_if(task.driver.is_empty(), "Missing task driver");
    delays(job, group, task, &mut faults);
    faults.nest_bare(resources::resources(&task.resources));
    faults.nest_bare(resources::logs(
        &task.log_config,
        group.ephemeral_disk.size_mb,
    ));
    distinct(task, &mut faults);
    placement::constraints(&task.constraints, &mut faults);
    if job.r#type == job_type::SYSTEM {
        faults.add_if(
            !task.affinities.is_empty(),
            "System jobs may not have an affinity block",
        );
    } else {
        placement::affinities(&task.affinities, &mut faults);
    }
    faults.nest_bare(service::validate_task(group, task));
    artifact::validate(&task.artifacts, &mut faults);
    if let Some(vault) = &task.vault {
        faults.nest("Vault validation failed: ", validate_vault(vault));
    }
    template::validate(&task.templates, &mut faults);
    if let Some(lifecycle) = &task.lifecycle {
        lifecycle_hook(lifecycle, &mut faults);
    }
    if let Some(service) = task.kind.strip_prefix("connect-proxy:") {
        proxy(group, task, service, &mut faults);
    }
    volume::mounts(group, task, &mut faults);
    if let Some(plugin) = &task.csi_plugin_config {
        volume::plugin(plugin, &mut faults);
    }
    identity::validate(task, &mut faults);
    identity::secrets(task, &mut faults);
    actions(&task.actions, &mut faults);
    faults
}

fn names(task: &Task, faults: &mut Faults) {
    faults.add_if(task.name.is_empty(), "Missing task name");
    // It names a directory beside that of what tasks share.
    faults.add_if(
        ["alloc", ".", ".."].contains(&task.name.as_str()),
        format!("Task cannot be named {:?}", task.name),
    );
    faults.add_if(
        task.name.contains(['/', '\\']),
        "Task name cannot include slashes",
    );
    faults.add_if(
        task.name.contains('\0'),
        "Task name cannot include null characters",
    );
}

fn delays(job: &Job, group: &TaskGroup, task: &Task, faults: &mut Faults) {
    faults.add_if(
        task.kill_timeout.0 < 0,
        "KillTimeout must be a positive value",
    );
    if let Some(update) = group.update.as_ref().filter(|_| job.is_service()) {
        let (kill, progress) = (task.kill_timeout, update.progress_deadline);
        faults.add_if(
            progress.0 > 0 && kill > progress,
            format!("KillTimout ({kill}) longer than the group's ProgressDeadline ({progress})"),
        );
    }
    faults.add_if(
        task.shutdown_delay.0 < 0,
        "ShutdownDelay must be a positive value",
    );
}

fn distinct(task: &Task, faults: &mut Faults) {
    for (at, constraint) in task.constraints.iter().enumerate() {
        let operator = constraint.operand.as_str();
        faults.add_if(
            [operand::DISTINCT_HOSTS, operand::DISTINCT_PROPERTY].contains(&operator),
            format!(
                "Constraint {} has disallowed Operand at task level: {operator}",
                at + 1
            ),
        );
    }
}

fn validate_vault(vault: &Vault) -> Faults {
    let mut faults = Faults::default();
    match vault.change_mode.as_str() {
        change_mode::NOOP | change_mode::RESTART => {}
        change_mode::SIGNAL => faults.add_if(
            vault.change_signal.is_empty(),
            "Signal must be specified when using change mode \"signal\"",
        ),
        other => faults.add(format!("Unknown change mode {other:?}")),
    }
    faults
}

/// A task that is the proxy of one of its group's services.
fn proxy(group: &TaskGroup, task: &Task, service: &str, faults: &mut Faults) {
    faults.add_if(
        !task.services.is_empty(),
        "Connect proxy task must not have a service block",
    );
    faults.add_if(task.leader, "Connect proxy task must not have leader set");
    let with_proxies = group.services.iter().filter(|it| {
        let connect = it.connect.as_ref();
        connect.is_some_and(|it| it.sidecar_service.is_some())
    });
    let names: Vec<&str> = with_proxies.map(|it| it.name.as_str()).collect();
    if names.is_empty() {
        faults.add(format!(
            "No Connect services in task group with Connect proxy ({service:?})"
        ));
    } else if !names.contains(&service) {
        faults.add(format!(
            "Connect proxy service name ({service:?}) not found in Connect services from task group: [{}]",
            names.join(" ")
        ));
    }
}

fn lifecycle_hook(lifecycle: &Lifecycle, faults: &mut Faults) {
    let why = match lifecycle.hook.as_str() {
        lifecycle_hook::PRESTART | lifecycle_hook::POSTSTART | lifecycle_hook::POSTSTOP => return,
        "" => "no lifecycle hook provided".to_owned(),
        other => format!("invalid hook: {other}"),
    };
    faults.add(format!("Lifecycle validation failed: {why}"));
}

fn actions(actions: &[Action], faults: &mut Faults) {
    let mut seen = std::collections::BTreeSet::new();
    for action in actions {
        let name = action.name.as_str();
        if !seen.insert(name) {
            faults.add(format!("Action {name} defined multiple times"));
        }
        let mut inner = Faults::default();
        let fits = !name.is_empty()
            && name.chars().count() <= 128
            && !name
                .chars()
                .any(|letter| letter == '\0' || letter.is_whitespace());
        inner.add_if(!fits, format!("invalid name '{name}'"));
        inner.add_if(action.command.is_empty(), "command cannot be empty");
        faults.nest(&format!("Action {name} validation failed: "), inner);
    }
}
