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
use caravan_model::Node;
use std::borrow::Cow;

/// Why something is refused or what is exhausted, as it is counted.
pub(crate) type Reason = Cow<'static, str>;

/// Why a node cannot take the group, in the order in which checks are made: the job's constraints, drivers, the
/// constraints of the group and its tasks, devices, network, secrets providers.
pub(crate) fn refusal(ask: &GroupAsk, node: &Node) -> Option<Reason> {
    let refused = |predicates: &[predicate::Predicate]| {
        let first = predicates.iter().find(|predicate| !predicate.holds(node));
        first.map(|predicate| Reason::Owned(predicate.reason.clone()))
    };
    if let Some(reason) = refused(&ask.job_constraints) {
        return Some(reason);
    }
    if !drivers::has(node, &ask.drivers) {
        return Some(Reason::Borrowed(drivers::MISSING));
    }
    if let Some(reason) = refused(&ask.constraints) {
        return Some(reason);
    }
    if !devices::has(node, &ask.devices) {
        return Some(Reason::Borrowed(devices::MISSING));
    }
    let network = ask
        .network
        .as_ref()
        .and_then(|ask| networks::lacks(node, ask));
    if let Some(reason) = network {
        return Some(Reason::Owned(reason));
    }
    (!drivers::has_secret_providers(node, &ask.secret_providers))
        .then_some(Reason::Borrowed(drivers::MISSING_SECRETS))
}
