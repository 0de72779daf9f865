//! The difference of two jobs (plan sheet §6).

use crate::parts;
use crate::plain::plain;
use crate::primitive::{Contextual, by_place, fields, nested, object, paired, presence, text_set};
use caravan_model::*;
use std::collections::BTreeSet;

/// Fields of a job that say how it is kept, not what it is.
const KEPT: &[&str] = &[
    "ID",
    "Status",
    "StatusDescription",
    "Version",
    "Stable",
    "CreateIndex",
    "ModifyIndex",
    "JobModifyIndex",
    "SubmitTime",
    "NomadTokenID",
    "Payload",
];

/// What changes from `old` to `new`; at least one must be there. With `contextual`, changed objects list their
/// unchanged fields as well. Jobs of different ids have nothing in common: the old one is deleted, the new one added
/// under its own id by the caller.
#[must_use]
pub fn job_diff(old: Option<&Job>, new: Option<&Job>, contextual: Contextual) -> JobDiff {
    let Some(shown) = new.or(old) else {
        return JobDiff::default();
    };
    let mut diff = JobDiff {
        id: shown.id.to_string(),
        ..JobDiff::default()
    };
    let empty = Job::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let flat = |job: Option<&Job>| {
        job.map(|job| plain(job, &["Meta"], KEPT))
            .unwrap_or_default()
    };
    diff.fields = fields(&flat(old), &flat(new), false);
    diff.objects = objects(before, after, contextual);
    diff.task_groups = groups(before, after, contextual);
    diff.r#type = match (old, new) {
        (None, _) => DiffType::Added,
        (_, None) => DiffType::Deleted,
        _ if changed(&diff) || different_sets(&before.datacenters, &after.datacenters) => {
            DiffType::Edited
        }
        _ => DiffType::None,
    };
    if diff.r#type != DiffType::None {
        let datacenters = text_set(
            "Datacenters",
            &before.datacenters,
            &after.datacenters,
            contextual,
        );
        if let Some(datacenters) = datacenters.filter(|set| set.r#type != DiffType::None) {
            diff.objects.insert(0, datacenters);
        }
    }
    diff
}

fn changed(diff: &JobDiff) -> bool {
    !diff.fields.is_empty()
        || diff
            .objects
            .iter()
            .any(|object| object.r#type != DiffType::None)
        || diff
            .task_groups
            .iter()
            .any(|group| group.r#type != DiffType::None)
}

fn different_sets(old: &[String], new: &[String]) -> bool {
    text_set("Datacenters", old, new, false).is_some()
}

/// What is nested in a job. Spreads, the payload and the version tag are not compared.
fn objects(old: &Job, new: &Job, contextual: Contextual) -> Vec<ObjectDiff> {
    let mut list = parts::constraints(&old.constraints, &new.constraints, contextual);
    list.extend(parts::affinities(
        &old.affinities,
        &new.affinities,
        contextual,
    ));
    list.extend(periodic(
        old.periodic.as_ref(),
        new.periodic.as_ref(),
        contextual,
    ));
    list.extend(parameterized(
        old.parameterized_job.as_ref(),
        new.parameterized_job.as_ref(),
        contextual,
    ));
    list.extend(multiregion(
        old.multiregion.as_ref(),
        new.multiregion.as_ref(),
        contextual,
    ));
    list.extend(ui(old.ui.as_ref(), new.ui.as_ref(), contextual));
    list
}

fn groups(old: &Job, new: &Job, contextual: Contextual) -> Vec<TaskGroupDiff> {
    let names: BTreeSet<&String> = old
        .task_groups
        .iter()
        .chain(&new.task_groups)
        .map(|group| &group.name)
        .collect();
    names
        .into_iter()
        .map(|name| {
            crate::group::diff(
                old.lookup_task_group(name),
                new.lookup_task_group(name),
                contextual,
            )
        })
        .collect()
}

fn periodic(
    old: Option<&PeriodicConfig>,
    new: Option<&PeriodicConfig>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&PeriodicConfig>| side.map(|side| plain(side, &[], &[]));
    let specs =
        |side: Option<&PeriodicConfig>| side.map(|side| side.specs.clone()).unwrap_or_default();
    let set = text_set("Specs", &specs(old), &specs(new), contextual)
        .filter(|set| set.r#type != DiffType::None);
    let mut diff = match object("Periodic", flat(old), flat(new), contextual) {
        Some(diff) => diff,
        None => nested(
            "Periodic",
            presence(old, new),
            flat(old),
            flat(new),
            Vec::new(),
            contextual,
        )?,
    };
    diff.objects.extend(set);
    Some(diff)
}

fn parameterized(
    old: Option<&ParameterizedJobConfig>,
    new: Option<&ParameterizedJobConfig>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&ParameterizedJobConfig>| side.map(|side| plain(side, &[], &[]));
    let list = |side: Option<&ParameterizedJobConfig>, optional: bool| {
        let pick = |side: &ParameterizedJobConfig| {
            if optional {
                side.meta_optional.clone()
            } else {
                side.meta_required.clone()
            }
        };
        side.map(pick).unwrap_or_default()
    };
    let mut sets = Vec::new();
    for (name, optional) in [("MetaOptional", true), ("MetaRequired", false)] {
        sets.extend(text_set(
            name,
            &list(old, optional),
            &list(new, optional),
            contextual,
        ));
    }
    nested(
        "ParameterizedJob",
        presence(old, new),
        flat(old),
        flat(new),
        sets,
        contextual,
    )
}

fn multiregion(
    old: Option<&Multiregion>,
    new: Option<&Multiregion>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let strategy = |side: Option<&Multiregion>| {
        side.and_then(|side| side.strategy.as_ref())
            .map(|strategy| plain(strategy, &[], &[]))
    };
    let regions =
        |side: Option<&Multiregion>| side.map(|side| side.regions.clone()).unwrap_or_default();
    let mut list: Vec<ObjectDiff> = object("Strategy", strategy(old), strategy(new), contextual)
        .into_iter()
        .collect();
    let (before, after) = (regions(old), regions(new));
    for (old, new) in paired(&before, &after, |region| region.name.clone()) {
        let flat = |side: Option<&MultiregionRegion>| side.map(|side| plain(side, &["Meta"], &[]));
        let datacenters = |side: Option<&MultiregionRegion>| {
            side.map(|side| side.datacenters.clone())
                .unwrap_or_default()
        };
        let set = text_set(
            "Datacenters",
            &datacenters(old),
            &datacenters(new),
            contextual,
        );
        list.extend(nested(
            "Region",
            presence(old, new),
            flat(old),
            flat(new),
            set.into_iter().collect(),
            contextual,
        ));
    }
    crate::order::sort_objects(&mut list);
    nested(
        "Multiregion",
        presence(old, new),
        None,
        None,
        list,
        contextual,
    )
}

fn ui(old: Option<&JobUi>, new: Option<&JobUi>, contextual: Contextual) -> Option<ObjectDiff> {
    let flat = |side: Option<&JobUi>| side.map(|side| plain(side, &[], &[]));
    let links = |side: Option<&JobUi>| side.map(|side| side.links.clone()).unwrap_or_default();
    let (before, after) = (links(old), links(new));
    let list = by_place(&before, &after)
        .into_iter()
        .filter_map(|(old, new)| {
            let flat = |side: Option<&JobUiLink>| {
                side.map(|link| {
                    [
                        ("Label".to_owned(), link.label.clone()),
                        ("Url".to_owned(), link.url.clone()),
                    ]
                    .into()
                })
            };
            object("Link", flat(old), flat(new), contextual)
        })
        .collect();
    nested(
        "UI",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}
