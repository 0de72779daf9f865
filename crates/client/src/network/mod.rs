//! Network namespaces of allocations: made by a driver that must own them, or by CNI plugins.

use std::sync::Arc;

use caravan_driver::{Driver, NetworkIsolation};
use caravan_model::{Allocation, NetworkResource, TaskGroup};

use crate::alloc_hooks::Ready;
use crate::shared::Shared;

/// The driver of the group that has to make the namespace itself.
fn owner(shared: &Shared, group: &TaskGroup) -> Option<Arc<dyn Driver>> {
    let drivers = group
        .tasks
        .iter()
        .filter_map(|task| shared.drivers.get(&task.driver));
    drivers
        .into_iter()
        .find(|driver| driver.capabilities().must_initiate_network)
        .cloned()
}

pub(crate) async fn create(
    shared: &Arc<Shared>,
    alloc: &Allocation,
    group: &TaskGroup,
    network: &NetworkResource,
) -> Result<Ready, String> {
    let isolation = match owner(shared, group) {
        Some(driver) => {
            let made = driver
                .create_network(&alloc.id.to_string(), &network.hostname)
                .await;
            made.map_err(|error| error.to_string())?
        }
        None => None,
    };
    match isolation {
        Some(isolation) => Ok(Ready {
            network: Some(isolation),
            status: None,
        }),
        None => Err(format!(
            "network mode {:?} is not supported on this node",
            network.mode
        )),
    }
}

pub(crate) async fn remove(
    shared: &Arc<Shared>,
    alloc: &Allocation,
    network: &NetworkIsolation,
) -> Result<(), String> {
    let group = alloc
        .job
        .as_ref()
        .and_then(|job| job.lookup_task_group(&alloc.task_group));
    let Some(driver) = group.and_then(|group| owner(shared, group)) else {
        return Ok(());
    };
    let removed = driver.destroy_network(&alloc.id.to_string(), network).await;
    removed.map_err(|error| error.to_string())
}
