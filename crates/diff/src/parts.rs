//! Parts that several kinds of objects have (plan sheet §9).

use crate::network;
use crate::order::sort_objects;
use crate::plain::plain;
use crate::primitive::{Contextual, nested, object, object_set, paired, presence, text_set};
use caravan_model::*;

pub(crate) fn constraints(
    old: &[Constraint],
    new: &[Constraint],
    contextual: Contextual,
) -> Vec<ObjectDiff> {
    let key = |one: &Constraint| format!("{} {} {}", one.l_target, one.operand, one.r_target);
    object_set(
        "Constraint",
        old,
        new,
        key,
        |one| plain(one, &[], &[]),
        contextual,
    )
}

pub(crate) fn affinities(
    old: &[Affinity],
    new: &[Affinity],
    contextual: Contextual,
) -> Vec<ObjectDiff> {
    let key = |one: &Affinity| {
        format!(
            "{} {} {} {}",
            one.l_target, one.operand, one.r_target, one.weight
        )
    };
    object_set(
        "Affinity",
        old,
        new,
        key,
        |one| plain(one, &[], &[]),
        contextual,
    )
}

pub(crate) fn consul(
    old: Option<&Consul>,
    new: Option<&Consul>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&Consul>| side.map(|side| plain(side, &[], &[]));
    object("Consul", flat(old), flat(new), contextual)
}

pub(crate) fn resources(
    old: Option<&Resources>,
    new: Option<&Resources>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let kind = presence(old, new);
    if kind == DiffType::None {
        return None;
    }
    let flat = |side: Option<&Resources>| side.map(|side| plain(side, &[], &[]));
    let empty = Resources::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let mut list = network::networks(&before.networks, &after.networks, contextual);
    let mut devices: Vec<ObjectDiff> = paired(&before.devices, &after.devices, |device| {
        device.name.clone()
    })
    .into_iter()
    .filter_map(|(old, new)| device(old, new, contextual))
    .collect();
    sort_objects(&mut devices);
    list.extend(devices);
    let numa = |side: Option<&Numa>| side.map(|side| plain(side, &[], &[]));
    list.extend(object(
        "NUMA",
        numa(before.numa.as_ref()),
        numa(after.numa.as_ref()),
        contextual,
    ));
    nested("Resources", kind, flat(old), flat(new), list, contextual)
}

/// A device's own fields; its constraints and affinities are not listed, but a change of them makes it Edited.
fn device(
    old: Option<&RequestedDevice>,
    new: Option<&RequestedDevice>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&RequestedDevice>| side.map(|side| plain(side, &[], &[]));
    nested(
        "Device",
        presence(old, new),
        flat(old),
        flat(new),
        Vec::new(),
        contextual,
    )
}

pub(crate) fn identity(
    old: Option<&Identity>,
    new: Option<&Identity>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&Identity>| side.map(|side| plain(side, &[], &[]));
    let audience =
        |side: Option<&Identity>| side.map(|side| side.audience.clone()).unwrap_or_default();
    let set = text_set("Audience", &audience(old), &audience(new), contextual);
    nested(
        "Identity",
        presence(old, new),
        flat(old),
        flat(new),
        set.into_iter().collect(),
        contextual,
    )
}

/// Templates: one on each side are compared directly, several by where they are rendered to.
pub(crate) fn templates(
    old: &[Template],
    new: &[Template],
    contextual: Contextual,
) -> Vec<ObjectDiff> {
    if let ([old], [new]) = (old, new) {
        return template(Some(old), Some(new), contextual)
            .into_iter()
            .collect();
    }
    let mut list: Vec<ObjectDiff> = paired(old, new, |template| template.dest_path.clone())
        .into_iter()
        .filter_map(|(old, new)| template(old, new, contextual))
        .collect();
    sort_objects(&mut list);
    list
}

fn template(
    old: Option<&Template>,
    new: Option<&Template>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&Template>| side.map(|side| plain(side, &[], &[]));
    let wait = |side: Option<&Template>| {
        side.and_then(|side| side.wait.as_ref())
            .map(|wait| plain(wait, &[], &[]))
    };
    let mut list: Vec<ObjectDiff> = object("Template", wait(old), wait(new), contextual)
        .into_iter()
        .collect();
    let script = |side: Option<&Template>| side.and_then(|side| side.change_script.clone());
    list.extend(change_script(
        script(old).as_ref(),
        script(new).as_ref(),
        contextual,
    ));
    nested(
        "Template",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}

fn change_script(
    old: Option<&ChangeScript>,
    new: Option<&ChangeScript>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&ChangeScript>| side.map(|side| plain(side, &[], &[]));
    let args = |side: Option<&ChangeScript>| side.map(|side| side.args.clone()).unwrap_or_default();
    let set = text_set("Args", &args(old), &args(new), contextual);
    nested(
        "ChangeScript",
        presence(old, new),
        flat(old),
        flat(new),
        set.into_iter().collect(),
        contextual,
    )
}
