//! Services and their checks (plan sheet §9).

use crate::order::sort_objects;
use crate::plain::plain;
use crate::primitive::{Contextual, nested, object, paired, presence, text_set};
use crate::{connect, parts};
use caravan_model::*;
use std::collections::BTreeMap;

/// Services are matched by likeness: place in the list, port and name.
pub(crate) fn services(
    old: &[Service],
    new: &[Service],
    contextual: Contextual,
) -> Vec<ObjectDiff> {
    if let ([old], [new]) = (old, new) {
        return service(Some(old), Some(new), contextual)
            .into_iter()
            .collect();
    }
    let mut list = Vec::new();
    let mut taken = vec![false; new.len()];
    for (at, before) in old.iter().enumerate() {
        let best = (0..new.len())
            .filter(|place| !taken[*place])
            .map(|place| (likeness(at, before, place, &new[place]), place))
            .filter(|(score, _)| *score > 2)
            .max_by_key(|(score, place)| (*score, std::cmp::Reverse(*place)));
        match best {
            Some((_, place)) => {
                taken[place] = true;
                list.extend(service(Some(before), Some(&new[place]), contextual));
            }
            None => list.extend(service(Some(before), None, contextual)),
        }
    }
    for (after, taken) in new.iter().zip(taken) {
        if !taken {
            list.extend(service(None, Some(after), contextual));
        }
    }
    sort_objects(&mut list);
    list
}

fn likeness(old_place: usize, old: &Service, new_place: usize, new: &Service) -> u32 {
    u32::from(old_place == new_place)
        + if old.port_label == new.port_label {
            2
        } else {
            0
        }
        + if old.name == new.name { 3 } else { 0 }
}

fn service(
    old: Option<&Service>,
    new: Option<&Service>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let kind = presence(old, new);
    if kind == DiffType::None {
        return None;
    }
    let flat = |side: Option<&Service>| {
        side.map(|side| plain(side, &["CanaryMeta", "Meta", "TaggedAddresses"], &[]))
    };
    let empty = Service::default();
    let (before, after) = (old.unwrap_or(&empty), new.unwrap_or(&empty));
    let mut list: Vec<ObjectDiff> = text_set(
        "CanaryTags",
        &before.canary_tags,
        &after.canary_tags,
        contextual,
    )
    .into_iter()
    .collect();
    list.extend(text_set("Tags", &before.tags, &after.tags, contextual));
    let mut checks: Vec<ObjectDiff> =
        paired(&before.checks, &after.checks, |check| check.name.clone())
            .into_iter()
            .filter_map(|(old, new)| check(old, new, contextual))
            .collect();
    sort_objects(&mut checks);
    list.extend(checks);
    list.extend(connect::connect(
        before.connect.as_ref(),
        after.connect.as_ref(),
        contextual,
    ));
    list.extend(parts::identity(
        before.identity.as_ref(),
        after.identity.as_ref(),
        contextual,
    ));
    list.extend(object(
        "Weights",
        weights(before),
        weights(after),
        contextual,
    ));
    nested("Service", kind, flat(old), flat(new), list, contextual)
}

fn weights(service: &Service) -> Option<crate::flatten::Fields> {
    let weights = service.weights.as_ref()?;
    let shown = [("Passing", weights.passing), ("Warning", weights.warning)];
    Some(
        shown
            .into_iter()
            .filter(|(_, weight)| *weight > 0)
            .map(|(name, weight)| (name.to_owned(), weight.to_string()))
            .collect(),
    )
}

fn check(
    old: Option<&ServiceCheck>,
    new: Option<&ServiceCheck>,
    contextual: Contextual,
) -> Option<ObjectDiff> {
    let flat = |side: Option<&ServiceCheck>| side.map(|side| plain(side, &[], &[]));
    let header = |side: Option<&ServiceCheck>| {
        side.filter(|side| !side.header.is_empty()).map(|side| {
            let mut fields = BTreeMap::new();
            for (name, values) in &side.header {
                for (at, value) in values.iter().enumerate() {
                    fields.insert(format!("{name}[{at}]"), value.clone());
                }
            }
            fields
        })
    };
    let restart = |side: Option<&ServiceCheck>| {
        side.and_then(|side| side.check_restart.as_ref())
            .map(|restart| plain(restart, &[], &[]))
    };
    let mut list: Vec<ObjectDiff> = object("Header", header(old), header(new), contextual)
        .into_iter()
        .collect();
    list.extend(object(
        "CheckRestart",
        restart(old),
        restart(new),
        contextual,
    ));
    nested(
        "Check",
        presence(old, new),
        flat(old),
        flat(new),
        list,
        contextual,
    )
}
