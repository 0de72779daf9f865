//! Looks at each driver, again and again, and lays what it says on the node.

use std::sync::Arc;

use caravan_driver::{Driver, Fingerprint};
use caravan_model::{DriverInfo, Node, NodeEvent, Timestamp, subsystem};

use crate::clock;
use crate::link::NodeEvents;
use crate::shared::Shared;

/// Shows on the node what a driver says of itself.
pub(super) fn lay(node: &mut Node, name: &str, found: &Fingerprint) {
    let key = format!("driver.{name}");
    let prefix = format!("{key}.");
    node.attributes
        .retain(|attribute, _| *attribute != key && !attribute.starts_with(&prefix));
    let mut attributes = found.attributes.clone();
    attributes.remove(&key);
    if found.detected() {
        node.attributes.extend(attributes.clone());
        attributes.insert(key.clone(), "true".into());
    }
    if found.is_healthy() {
        node.attributes.insert(key, "1".into());
    }
    let old = node.drivers.get(name);
    let mut info = DriverInfo {
        attributes: if found.detected() {
            attributes
        } else {
            Default::default()
        },
        detected: found.detected(),
        healthy: found.is_healthy(),
        health_description: if found.detected() {
            found.description.clone()
        } else {
            String::new()
        },
        update_time: old.map_or(Timestamp::default(), |old| old.update_time),
    };
    if old != Some(&info) {
        info.update_time = Timestamp(clock::now().0);
    }
    node.drivers.insert(name.to_owned(), info);
}

/// Looks at one driver until the agent stops; says it when its health changes.
pub(crate) async fn watch(shared: Arc<Shared>, driver: Arc<dyn Driver>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(clock::until_next(driver.fingerprint_interval())) => {}
            () = shared.shutdown.cancelled() => return,
        }
        let found = driver.fingerprint().await;
        let name = driver.name();
        let before = shared
            .node()
            .drivers
            .get(name)
            .map(|info| (info.detected, info.healthy));
        shared.change_node(|node| lay(node, name, &found));
        let changed = before.is_some_and(|before| before != (found.detected(), found.is_healthy()));
        if changed {
            tell(&shared, name, &found).await;
        }
    }
}

async fn tell(shared: &Arc<Shared>, name: &str, found: &Fingerprint) {
    let message = if found.description.is_empty() {
        "Healthy".to_owned()
    } else {
        found.description.clone()
    };
    let event = NodeEvent {
        message,
        subsystem: subsystem::DRIVER.to_owned(),
        details: [("driver".to_owned(), name.to_owned())].into(),
        timestamp: Timestamp(clock::now().seconds() * 1_000_000_000),
        create_index: 0,
    };
    let request = NodeEvents {
        caller: shared.caller(),
        events: vec![event],
    };
    if let Err(error) = shared.link.node_events(request).await {
        tracing::warn!(%error, driver = name, "cannot tell the servers of a change of a driver's health");
    }
}
