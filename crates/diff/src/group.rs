//! The difference of two task groups (plan sheet §7).

use crate::flatten::{Fields, full};
use crate::plain::plain;
use crate::primitive::{Contextual, fields, nested, object, presence, text_set};
use crate::{network, parts, service, task};
use caravan_model::*;
use std::collections::BTreeSet;

/// The difference of two groups of one name; at least one must be there.
pub(crate) fn diff(
    old: Option<&TaskGroup>,
    new: Option<&TaskGroup>,
    contextual: Contextual,
) -> TaskGroupDiff {
    let name = new
        .or(old)
        .map(|group| group.name.clone())
        .unwrap_or_default();
    let both = old.is_some() && new.is_some();
    let flat = |group: Option<&TaskGroup>| {
        group
            .map(|group| group_fields(group, both))
            .unwrap_or_default()
    };
    let empty = TaskGroup::default();
    TaskGroupDiff {
        r#type: presence(old, new),
        name,
        fields: fields(&flat(old), &flat(new), false),
        objects: objects(old, new, contextual),
        tasks: tasks(old.unwrap_or(&empty), new.unwrap_or(&empty), contextual),
        updates: Default::default(),
    }
}

/// The group's own fields; the shutdown delay only where both sides have the group.
fn group_fields(group: &TaskGroup, both: bool) -> Fields {
    const ELSEWHERE: &[&str] = &[
        "Name",
        "ShutdownDelay",
        "MaxRunDuration",
        "StopAfterClientDisconnect",
        "MaxClientDisconnect",
    ];
    let mut fields = plain(group, &["Meta"], ELSEWHERE);
    if let Some(delay) = group.shutdown_delay.filter(|_| both) {
        fields.insert("ShutdownDelay".to_owned(), delay.as_nanos().to_string());
    }
    fields
}

fn objects(
    old: Option<&TaskGroup>,
    new: Option<&TaskGroup>,
    contextual: Contextual,
) -> Vec<ObjectDiff> {
    let empty = TaskGroup::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    // exhaustive: what is nested in a group; spreads are not compared, plain fields are above, tasks below.
    let TaskGroup {
        name: _,
        count: _,
        update,
        migrate,
        constraints,
        scaling,
        restart_policy,
        disconnect,
        tasks: _,
        ephemeral_disk,
        meta: _,
        reschedule_policy,
        affinities,
        spreads: _,
        networks,
        consul,
        services,
        volumes: _,
        shutdown_delay: _,
        max_run_duration: _,
        stop_after_client_disconnect: _,
        max_client_disconnect: _,
        prevent_reschedule_on_lost: _,
    } = after;
    let mut list = parts::constraints(&before.constraints, constraints, contextual);
    list.extend(parts::affinities(
        &before.affinities,
        affinities,
        contextual,
    ));
    let restart =
        |side: Option<&TaskGroup>, policy: &RestartPolicy| side.map(|_| plain(policy, &[], &[]));
    list.extend(object(
        "RestartPolicy",
        restart(old, &before.restart_policy),
        restart(new, restart_policy),
        contextual,
    ));
    let flat = |side: Option<&MigrateStrategy>| side.map(|side| plain(side, &[], &[]));
    list.extend(object(
        "Migrate",
        flat(before.migrate.as_ref()),
        flat(migrate.as_ref()),
        contextual,
    ));
    let flat = |side: Option<&ReschedulePolicy>| side.map(|side| plain(side, &[], &[]));
    let (old_policy, new_policy) = (
        flat(before.reschedule_policy.as_ref()),
        flat(reschedule_policy.as_ref()),
    );
    list.extend(object(
        "ReschedulePolicy",
        old_policy,
        new_policy,
        contextual,
    ));
    let disk = |side: Option<&TaskGroup>, disk: &EphemeralDisk| side.map(|_| plain(disk, &[], &[]));
    list.extend(object(
        "EphemeralDisk",
        disk(old, &before.ephemeral_disk),
        disk(new, ephemeral_disk),
        contextual,
    ));
    list.extend(parts::consul(
        before.consul.as_ref(),
        consul.as_ref(),
        contextual,
    ));
    let flat = |side: Option<&UpdateStrategy>| side.map(|side| plain(side, &[], &["Stagger"]));
    list.extend(object(
        "Update",
        flat(before.update.as_ref()),
        flat(update.as_ref()),
        contextual,
    ));
    list.extend(self::disconnect(
        before.disconnect.as_ref(),
        disconnect.as_ref(),
        contextual,
    ));
    list.extend(network::networks(&before.networks, networks, contextual));
    list.extend(self::scaling(before.scaling.as_ref(), scaling.as_ref()));
    list.extend(service::services(&before.services, services, contextual));
    list.extend(volumes(before, after, contextual));
    list
}

fn disconnect(
    old: Option<&DisconnectStrategy>,
    new: Option<&DisconnectStrategy>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&DisconnectStrategy>| {
        side.map(|side| -> Fields {
            // exhaustive
            let DisconnectStrategy {
                lost_after,
                stop_on_client_after,
                replace,
                reconcile,
            } = side;
            let optional = |text: Option<String>| text.unwrap_or_else(|| "nil".to_owned());
            [
                ("LostAfter".to_owned(), lost_after.as_nanos().to_string()),
                ("Reconcile".to_owned(), reconcile.clone()),
                (
                    "Replace".to_owned(),
                    optional(replace.map(|replace| replace.to_string())),
                ),
                (
                    "StopOnClientAfter".to_owned(),
                    optional(stop_on_client_after.map(|delay| delay.as_nanos().to_string())),
                ),
            ]
            .into()
        })
    };
    object("Disconnect", flat(old), flat(new), contextual)
}

fn scaling(old: Option<&ScalingPolicy>, new: Option<&ScalingPolicy>) -> Option<ObjectDiff> {
    let flat = |side: Option<&ScalingPolicy>| {
        side.map(|side| {
            let mut fields = plain(
                side,
                &["Target"],
                &["ID", "Type", "CreateIndex", "ModifyIndex"],
            );
            fields.retain(|name, _| {
                !matches!(
                    name.as_str(),
                    "Target[Job]" | "Target[Group]" | "Target[Namespace]"
                )
            });
            fields
        })
    };
    let policy = |side: Option<&ScalingPolicy>| side.map(|side| full(&side.policy));
    let policy = object("Policy", policy(old), policy(new), false);
    let own = object("Scaling", flat(old), flat(new), false);
    match (own, policy) {
        (Some(mut diff), policy) => {
            diff.objects.extend(policy);
            Some(diff)
        }
        (None, Some(policy)) => {
            nested("Scaling", DiffType::Edited, None, None, vec![policy], false)
        }
        (None, None) => None,
    }
}

fn volumes(old: &TaskGroup, new: &TaskGroup, contextual: Contextual) -> Vec<ObjectDiff> {
    let names: BTreeSet<&String> = old.volumes.keys().chain(new.volumes.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let (old, new) = (old.volumes.get(name), new.volumes.get(name));
            let flat = |side: Option<&VolumeRequest>| side.map(|side| plain(side, &[], &[]));
            let options = mount_options(
                old.and_then(|side| side.mount_options.as_ref()),
                new.and_then(|side| side.mount_options.as_ref()),
                contextual,
            );
            let nested_objects = options.into_iter().collect();
            nested(
                "Volume",
                presence(old, new),
                flat(old),
                flat(new),
                nested_objects,
                contextual,
            )
        })
        .collect()
}

fn mount_options(
    old: Option<&MountOptions>,
    new: Option<&MountOptions>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&MountOptions>| side.map(|side| plain(side, &[], &[]));
    let flags = |side: Option<&MountOptions>| {
        side.map(|side| side.mount_flags.clone())
            .unwrap_or_default()
    };
    let set = text_set("MountFlags", &flags(old), &flags(new), contextual);
    nested(
        "MountOptions",
        presence(old, new),
        flat(old),
        flat(new),
        set.into_iter().collect(),
        contextual,
    )
}

fn tasks(old: &TaskGroup, new: &TaskGroup, contextual: Contextual) -> Vec<TaskDiff> {
    let names: BTreeSet<&String> = old
        .tasks
        .iter()
        .chain(&new.tasks)
        .map(|task| &task.name)
        .collect();
    names
        .into_iter()
        .map(|name| task::diff(old.lookup_task(name), new.lookup_task(name), contextual))
        .collect()
}
