//! Whether a node can take a group at all: one checker a file (scheduler sheet §8).

pub(crate) mod devices;
pub(crate) mod drivers;
pub(crate) mod networks;
pub(crate) mod predicate;
pub(crate) mod target;
pub(crate) mod version;
pub(crate) mod volumes;

#[cfg(test)]
mod tests;

use crate::ask::GroupAsk;
use caravan_model::{Constraint, Node};
use std::borrow::Cow;

/// Why something is refused or what is exhausted, as it is counted.
pub(crate) type Reason = Cow<'static, str>;

/// Why no node of this kind can take the group: the place of the check among all, and what it says.
///
/// Checks are made in this order: the job's constraints, drivers, the constraints of the group and its tasks,
/// devices, network, secrets providers. Those that nodes of a kind answer differently are left to
/// [`refusal_of_node`].
pub(crate) fn refusal_of_kind(ask: &GroupAsk, sample: &Node) -> Option<(usize, Reason)> {
    let mut checks = predicates(ask).filter(|(_, predicate)| !predicate.escapes);
    let constraint = checks.find(|(_, predicate)| !predicate.holds(sample));
    let constraint = constraint.map(|(place, p)| (place, Reason::Owned(p.reason.clone())));
    let drivers = ask.job_constraints.len();
    let missing = !drivers::has(sample, &ask.drivers);
    if missing
        && constraint
            .as_ref()
            .is_none_or(|(place, _)| *place > drivers)
    {
        return Some((drivers, Reason::Borrowed(drivers::MISSING)));
    }
    if constraint.is_some() {
        return constraint;
    }
    let place = drivers + 1 + ask.constraints.len();
    if !devices::has(sample, &ask.devices) {
        return Some((place, Reason::Borrowed(devices::MISSING)));
    }
    let network = ask.network.as_ref().filter(|_| !ask.network_escapes);
    if let Some(reason) = network.and_then(|ask| networks::lacks(sample, ask)) {
        return Some((place + 1, Reason::Owned(reason)));
    }
    (!drivers::has_secret_providers(sample, &ask.secret_providers))
        .then_some((place + 2, Reason::Borrowed(drivers::MISSING_SECRETS)))
}

/// Why this very node cannot take the group, as far as only nodes can answer; `before` is the place of the check
/// that its kind fails, if it does.
pub(crate) fn refusal_of_node(ask: &GroupAsk, node: &Node, before: usize) -> Option<Reason> {
    let mut checks = predicates(ask).filter(|(place, p)| p.escapes && *place < before);
    if let Some((_, predicate)) = checks.find(|(_, predicate)| !predicate.holds(node)) {
        return Some(Reason::Owned(predicate.reason.clone()));
    }
    let network = ask.network.as_ref().filter(|_| ask.network_escapes);
    let lacks = network.filter(|_| network_place(ask) < before);
    lacks
        .and_then(|ask| networks::lacks(node, ask))
        .map(Reason::Owned)
}

/// Whether a node satisfies a constraint that stands by itself. What compares allocations with one another
/// (`distinct_hosts`, `distinct_property`) holds for none.
#[must_use]
pub fn constraint_holds(constraint: &Constraint, node: &Node) -> bool {
    predicate::Predicate::of_constraint(constraint).holds(node)
}

/// The place of the network's check among all.
pub(crate) fn network_place(ask: &GroupAsk) -> usize {
    ask.job_constraints.len() + 2 + ask.constraints.len()
}

/// Every constraint with its place among all checks.
fn predicates(ask: &GroupAsk) -> impl Iterator<Item = (usize, &predicate::Predicate)> {
    let after_drivers = ask.job_constraints.len() + 1;
    let of_job = ask.job_constraints.iter().enumerate();
    let of_group = (after_drivers..).zip(&ask.constraints);
    of_job.chain(of_group)
}
