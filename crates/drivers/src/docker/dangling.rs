//! Containers that nobody knows of any more: made by this node's agent, tracked by no task. One that lost what it knew of
//! its tasks leaves them behind.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};

use super::create::LABEL_NODE;
use super::options::Gc;
use super::words;

/// Looks once. Containers of other agents do not carry this node's label and are never seen.
pub(crate) async fn sweep(docker: &Docker, node_id: &str, gc: &Gc, tracked: &BTreeSet<String>) {
    let filter = HashMap::from([("label".to_owned(), vec![format!("{LABEL_NODE}={node_id}")])]);
    let options = ListContainersOptionsBuilder::new()
        // Those of ended tasks may be kept on purpose.
        .all(gc.container)
        .filters(&filter)
        .build();
    let containers = match docker.list_containers(Some(options)).await {
        Ok(containers) => containers,
        Err(err) => {
            tracing::debug!(err = %words(&err), "the engine did not list its containers");
            return;
        }
    };
    let settings = &gc.dangling_containers;
    let grace = Duration::from_nanos(settings.creation_grace).as_secs();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let seen = containers.len();
    for container in containers {
        let id = container.id.unwrap_or_default();
        let created = u64::try_from(container.created.unwrap_or(0)).unwrap_or(0);
        let pause = container
            .names
            .iter()
            .flatten()
            .any(|name| name.starts_with("/nomad_init_"));
        if pause || tracked.contains(&id) || created + grace > now {
            continue;
        }
        if settings.dry_run {
            tracing::info!(container = %id, "a dangling container would be removed");
            continue;
        }
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        match docker.remove_container(&id, Some(options)).await {
            Ok(()) => tracing::info!(container = %id, "removed a dangling container"),
            Err(err) => {
                tracing::warn!(container = %id, err = %words(&err), "a dangling container stays")
            }
        }
    }
    tracing::debug!(seen, "looked for dangling containers");
}
