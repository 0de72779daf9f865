//! Constraints that follow from what a job uses. They are stored with it, each once.

use caravan_model::{
    Constraint, Job, Service, Task, TaskGroup, change_mode, network_mode, operand,
};
use std::collections::BTreeSet;

/// Adds the implied constraints. Those of an external catalogue only where there is one.
pub(super) fn constrain(job: &mut Job, has_consul: bool) {
    for group in &mut job.task_groups {
        let mut implied = Vec::new();
        vault(group, &mut implied);
        signals(group, &mut implied);
        services(group, has_consul, &mut implied);
        networks(group, &mut implied);
        secrets(group, &mut implied);
        for constraint in implied {
            add(&mut group.constraints, constraint);
        }
        if has_consul {
            for task in &mut group.tasks {
                if task.services.iter().any(Service::is_consul) {
                    add(&mut task.constraints, consul());
                }
            }
        }
    }
}

fn add(constraints: &mut Vec<Constraint>, constraint: Constraint) {
    if !constraints.contains(&constraint) {
        constraints.push(constraint);
    }
}

fn constraint(attribute: &str, operand: &str, value: &str) -> Constraint {
    Constraint {
        l_target: format!("${{attr.{attribute}}}"),
        r_target: value.to_owned(),
        operand: operand.to_owned(),
    }
}

fn consul() -> Constraint {
    constraint("consul.version", operand::SEMVER, ">= 1.8.0")
}

fn vault(group: &TaskGroup, out: &mut Vec<Constraint>) {
    for vault in group.tasks.iter().filter_map(|task| task.vault.as_ref()) {
        out.push(match vault.cluster.as_str() {
            "" | "default" => constraint("vault.version", operand::SEMVER, ">= 0.6.1"),
            name => constraint(
                &format!("vault.{name}.version"),
                operand::SEMVER,
                ">= 1.11.0",
            ),
        });
    }
}

/// Signals that the node's tasks must be able to get.
fn signals(group: &TaskGroup, out: &mut Vec<Constraint>) {
    let signals: BTreeSet<&str> = group.tasks.iter().flat_map(task_signals).collect();
    if !signals.is_empty() {
        let signals: Vec<&str> = signals.into_iter().collect();
        out.push(constraint(
            "os.signals",
            operand::SET_CONTAINS,
            &signals.join(","),
        ));
    }
}

fn task_signals(task: &Task) -> Vec<&str> {
    let vault = task
        .vault
        .iter()
        .map(|it| (&it.change_mode, &it.change_signal));
    let templates = task
        .templates
        .iter()
        .map(|it| (&it.change_mode, &it.change_signal));
    let changes = vault.chain(templates);
    let sent = changes.filter(|(mode, _)| *mode == change_mode::SIGNAL);
    let signals = sent
        .map(|(_, signal)| signal.as_str())
        .chain([task.kill_signal.as_str()]);
    signals.filter(|signal| !signal.is_empty()).collect()
}

fn services(group: &TaskGroup, has_consul: bool, out: &mut Vec<Constraint>) {
    let nomad: Vec<&Service> = group.all_services().filter(|it| it.is_nomad()).collect();
    if !nomad.is_empty() {
        out.push(constraint(
            "nomad.service_discovery",
            operand::EQUAL,
            "true",
        ));
        if nomad.iter().any(|service| !service.checks.is_empty()) {
            out.push(constraint("nomad.version", operand::SEMVER, ">= 1.4.0"));
        }
    }
    if has_consul && group.services.iter().any(Service::is_consul) {
        out.push(consul());
    }
    let transparent = group.services.iter().any(|service| {
        let connect = service.connect.as_ref();
        let proxy = connect.and_then(|it| it.sidecar_service.as_ref()?.proxy.as_ref());
        proxy.is_some_and(|proxy| proxy.transparent_proxy.is_some())
    });
    if transparent {
        out.push(constraint(
            "plugins.cni.version.consul-cni",
            operand::SEMVER,
            ">= 1.4.2",
        ));
        out.push(constraint("nomad.version", operand::SEMVER, ">= 1.8.0-dev"));
    }
}

fn networks(group: &TaskGroup, out: &mut Vec<Constraint>) {
    if group
        .networks
        .iter()
        .any(|it| it.mode == network_mode::BRIDGE)
    {
        for plugin in ["bridge", "firewall", "host-local", "loopback", "portmap"] {
            let attribute = format!("plugins.cni.version.{plugin}");
            out.push(constraint(&attribute, operand::SEMVER, ">= 0.4.0"));
        }
    }
}

fn secrets(group: &TaskGroup, out: &mut Vec<Constraint>) {
    for secret in group.tasks.iter().flat_map(|task| &task.secrets) {
        if ["nomad", "vault", ""].contains(&secret.provider.as_str()) {
            continue;
        }
        let attribute = format!("plugins.secrets.{}.version", secret.provider);
        out.push(constraint(&attribute, operand::IS_SET, ""));
    }
    let of_tasks = group.tasks.iter().any(|task| !task.identities.is_empty());
    if of_tasks || group.all_services().any(|it| it.identity.is_some()) {
        out.push(constraint("nomad.version", operand::SEMVER, ">= 1.7.0-a"));
    }
}
