//! Whether a node has the drivers of a group's tasks (scheduler sheet §8.6).

use caravan_model::{Node, TaskGroup};
use std::collections::BTreeSet;

/// How a refusal is counted.
pub(crate) const MISSING: &str = "missing drivers";
/// How a refusal for want of a secrets provider is counted.
pub(crate) const MISSING_SECRETS: &str = "missing secrets provider";

/// The drivers of a group's tasks.
pub(crate) fn of_group(group: &TaskGroup) -> BTreeSet<String> {
    group.tasks.iter().map(|task| task.driver.clone()).collect()
}

/// Whether the node can run tasks of every one of these drivers.
pub(crate) fn has(node: &Node, drivers: &BTreeSet<String>) -> bool {
    drivers.iter().all(|driver| match node.drivers.get(driver) {
        Some(info) => info.detected && info.healthy,
        None => node
            .attributes
            .get(&format!("driver.{driver}"))
            .is_some_and(|value| is_true(value)),
    })
}

/// Whether a driver is missing or not installed, rather than only ill for now.
pub(crate) fn is_missing_for_good(node: &Node, drivers: &BTreeSet<String>) -> bool {
    let installed = |driver: &String| {
        let told = node.attributes.get(&format!("driver.{driver}"));
        told.is_some_and(|value| is_true(value))
    };
    !drivers.iter().all(installed)
}

/// The providers that a group's secrets come from; the built-in one needs nothing of the node.
pub(crate) fn secret_providers(group: &TaskGroup) -> BTreeSet<String> {
    let secrets = group.tasks.iter().flat_map(|task| &task.secrets);
    secrets.map(|secret| secret.provider.clone()).collect()
}

/// Whether the node has every one of these providers.
pub(crate) fn has_secret_providers(node: &Node, providers: &BTreeSet<String>) -> bool {
    providers.iter().all(|provider| {
        node.attributes
            .contains_key(&format!("plugins.secrets.{provider}.version"))
    })
}

fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}
