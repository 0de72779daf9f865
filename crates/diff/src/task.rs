//! The difference of two tasks (plan sheet §8).

use crate::flatten::{Fields, full};
use crate::order::sort_objects;
use crate::plain::plain;
use crate::primitive::{
    Contextual, by_place, fields, nested, object, object_set, paired, presence, text_set,
};
use crate::{parts, service};
use caravan_model::*;

/// Plain fields that are not shown, or are shown as something else.
const ELSEWHERE: &[&str] = &["Name"];

/// The difference of two tasks of one name; at least one must be there.
pub(crate) fn diff(old: Option<&Task>, new: Option<&Task>, contextual: Contextual) -> TaskDiff {
    let name = new
        .or(old)
        .map(|task| task.name.clone())
        .unwrap_or_default();
    let flat = |side: Option<&Task>| side.map(task_fields).unwrap_or_default();
    TaskDiff {
        r#type: presence(old, new),
        name,
        fields: fields(&flat(old), &flat(new), false),
        objects: objects(old, new, contextual),
        annotations: Vec::new(),
    }
}

pub(crate) fn task_fields(task: &Task) -> Fields {
    plain(task, &["Env", "Meta"], ELSEWHERE)
}

fn objects(old: Option<&Task>, new: Option<&Task>, contextual: Contextual) -> Vec<ObjectDiff> {
    let empty = Task::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    // exhaustive: what is nested in a task; restart policy, lifecycle, CSI plugin and scaling are not compared.
    let Task {
        name: _,
        driver: _,
        user: _,
        config: after_config,
        env: _,
        services,
        vault,
        secrets,
        consul,
        templates,
        constraints,
        affinities,
        resources: _,
        restart_policy: _,
        dispatch_payload,
        lifecycle: _,
        meta: _,
        kill_timeout: _,
        log_config,
        artifacts,
        leader: _,
        shutdown_delay: _,
        volume_mounts,
        scaling_policies: _,
        kill_signal: _,
        kind: _,
        csi_plugin_config: _,
        identity,
        identities,
        actions,
        schedule,
    } = after;
    let mut list = parts::constraints(&before.constraints, constraints, contextual);
    list.extend(parts::affinities(
        &before.affinities,
        affinities,
        contextual,
    ));
    list.extend(config(&before.config, after_config, contextual));
    let resources = |task: Option<&Task>| task.map(|task| task.resources.clone());
    list.extend(parts::resources(
        resources(old).as_ref(),
        resources(new).as_ref(),
        contextual,
    ));
    let logs = |side: Option<&Task>, log: &LogConfig| side.map(|_| plain(log, &[], &[]));
    list.extend(object(
        "LogConfig",
        logs(old, &before.log_config),
        logs(new, log_config),
        contextual,
    ));
    let flat = |side: Option<&DispatchPayload>| side.map(|side| plain(side, &[], &[]));
    let payloads = (
        flat(before.dispatch_payload.as_ref()),
        flat(dispatch_payload.as_ref()),
    );
    list.extend(object(
        "DispatchPayload",
        payloads.0,
        payloads.1,
        contextual,
    ));
    list.extend(object_set(
        "Artifact",
        &before.artifacts,
        artifacts,
        |artifact| artifact.relative_dest.clone(),
        |artifact| plain(artifact, &["GetterOptions", "GetterHeaders"], &[]),
        contextual,
    ));
    list.extend(service::services(&before.services, services, contextual));
    let flat = |side: Option<&Vault>| side.map(|side| plain(side, &[], &[]));
    list.extend(object(
        "Vault",
        flat(before.vault.as_ref()),
        flat(vault.as_ref()),
        contextual,
    ));
    list.extend(self::secrets(&before.secrets, secrets, contextual));
    list.extend(parts::consul(
        before.consul.as_ref(),
        consul.as_ref(),
        contextual,
    ));
    list.extend(parts::templates(&before.templates, templates, contextual));
    list.extend(parts::identity(
        before.identity.as_ref(),
        identity.as_ref(),
        contextual,
    ));
    let mut named: Vec<ObjectDiff> = paired(&before.identities, identities, |identity| {
        identity.name.clone()
    })
    .into_iter()
    .filter_map(|(old, new)| parts::identity(old, new, contextual))
    .collect();
    sort_objects(&mut named);
    list.extend(named);
    for (old, new) in by_place(&before.actions, actions) {
        list.extend(action(old, new, contextual));
    }
    for (old, new) in by_place(&before.volume_mounts, volume_mounts) {
        let flat = |side: Option<&VolumeMount>| side.map(|side| plain(side, &[], &[]));
        list.extend(object("VolumeMount", flat(old), flat(new), contextual));
    }
    list.extend(self::schedule(
        before.schedule.as_ref(),
        schedule.as_ref(),
        contextual,
    ));
    list
}

/// A driver's configuration: nothing when equal, otherwise everything in it.
pub(crate) fn config(old: &Object, new: &Object, contextual: Contextual) -> Option<ObjectDiff> {
    let (before, after) = (full(old), full(new));
    // A number that becomes its text looks the same, and is none the less another value for the driver.
    let kind = match (old == new, old.is_empty(), new.is_empty()) {
        (true, ..) => return None,
        (_, true, _) => DiffType::Added,
        (_, _, true) => DiffType::Deleted,
        _ => DiffType::Edited,
    };
    nested(
        "Config",
        kind,
        Some(before),
        Some(after),
        Vec::new(),
        contextual,
    )
}

fn secrets(old: &[Secret], new: &[Secret], contextual: Contextual) -> Vec<ObjectDiff> {
    let flat = |secret: &Secret| {
        let mut fields = plain(secret, &["Env"], &[]);
        fields.extend(
            full(&secret.config)
                .into_iter()
                .map(|(name, value)| (format!("Config[{name}]"), value)),
        );
        fields
    };
    object_set(
        "Secret",
        old,
        new,
        |secret| secret.name.clone(),
        flat,
        contextual,
    )
}

fn action(
    old: Option<&Action>,
    new: Option<&Action>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&Action>| side.map(|side| plain(side, &[], &[]));
    let args = |side: Option<&Action>| side.map(|side| side.args.clone()).unwrap_or_default();
    let set = text_set("Args", &args(old), &args(new), contextual);
    nested(
        "Action",
        presence(old, new),
        flat(old),
        flat(new),
        set.into_iter().collect(),
        contextual,
    )
}

fn schedule(
    old: Option<&Schedule>,
    new: Option<&Schedule>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&Schedule>| {
        side.and_then(|side| side.cron.as_ref())
            .map(|cron| plain(cron, &[], &[]))
    };
    object("Schedule", flat(old), flat(new), contextual)
}
