//! From a task to a running container, and what of it can be reached.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, ContainerInspectResponse};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
    WaitContainerOptionsBuilder,
};
use caravan_driver::{DriverError, DriverNetwork, TaskConfig};
use futures::StreamExt;

use super::connection::Connection;
use super::image::Image;
use super::options::{DockerConfig, PluginConfig};
use super::ports::Published;
use super::sources::Sources;
use super::{create, is_transient, names, words};

/// Longer than the engine takes to remove a container.
const REMOVAL: Duration = Duration::from_secs(30);

/// Creates the container; a leftover of the same name is removed first.
async fn create(
    engine: &bollard::Docker,
    name: &str,
    body: &ContainerCreateBody,
    attempts: u32,
) -> Result<String, DriverError> {
    let mut left = attempts.max(1);
    loop {
        left -= 1;
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        match engine.create_container(Some(options), body.clone()).await {
            Ok(created) => return Ok(created.id),
            Err(Error::DockerResponseServerError {
                status_code: 409, ..
            }) if left > 0 => {
                remove(engine, name).await;
            }
            Err(err) => {
                let message = format!(
                    "Failed to create container configuration for image: {}",
                    words(&err)
                );
                return Err(DriverError::Start {
                    message,
                    recoverable: is_transient(&err) || is_without_image(&err),
                });
            }
        }
    }
}

/// Whether the image went after it was found to be there, as one does that no task had for a while. It comes back with the
/// next try.
fn is_without_image(err: &Error) -> bool {
    matches!(err, Error::DockerResponseServerError { status_code: 404, message }
        if message.to_ascii_lowercase().contains("no such image"))
}

/// Creates and starts the container of a task; tells its id and where it is reached.
pub(super) async fn run(
    engine: &bollard::Docker,
    connection: &Connection,
    plugin: &PluginConfig,
    config: &TaskConfig,
    task: &DockerConfig,
    image: &Image,
    published: Published,
) -> Result<(String, Option<DriverNetwork>), DriverError> {
    // Let go when the container has them.
    let mut sources = Sources::hold(connection, config, task, plugin).await?;
    if create::shares_network(config, task) {
        sources.files = names::make(engine, config, task).await?;
    }
    let body = create::body(config, task, plugin, &image.id, &published, &sources)?;
    let attempts = task
        .container_exists_attempts
        .unwrap_or(plugin.container_exists_attempts);
    let id = create(engine, &create::container_name(config), &body, attempts).await?;
    if let Err(err) = engine
        .start_container(&id, None::<StartContainerOptions>)
        .await
    {
        remove(engine, &id).await;
        let message = format!("Failed to start container {id}: {}", words(&err));
        return Err(DriverError::Start {
            message,
            recoverable: is_transient(&err),
        });
    }
    let found = match engine.inspect_container(&id, None).await {
        Ok(found) => found,
        Err(err) => {
            remove(engine, &id).await;
            return Err(DriverError::recoverable(format!(
                "failed to inspect container {id}: {}",
                words(&err)
            )));
        }
    };
    Ok((id, driver_network(&found, task, published.port_map)))
}

/// Removes a container by force, with its volumes. Its name is free then.
pub(super) async fn remove(engine: &bollard::Docker, id: &str) {
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    match engine.remove_container(id, Some(options)).await {
        Ok(())
        | Err(Error::DockerResponseServerError {
            status_code: 404, ..
        }) => {}
        // It is being removed already, as that of a task's last run may be.
        Err(Error::DockerResponseServerError {
            status_code: 409, ..
        }) => {
            let options = WaitContainerOptionsBuilder::new()
                .condition("removed")
                .build();
            let mut removed = engine.wait_container(id, Some(options));
            let _ = tokio::time::timeout(REMOVAL, removed.next()).await;
        }
        Err(err) => {
            tracing::warn!(container = %id, err = %words(&err), "the container was not removed")
        }
    }
}

/// The address of the container's first network; services use it by themselves unless it is the engine's own
/// bridge, which other hosts cannot reach.
fn driver_network(
    found: &ContainerInspectResponse,
    task: &DockerConfig,
    port_map: BTreeMap<String, u16>,
) -> Option<DriverNetwork> {
    let networks = found
        .network_settings
        .as_ref()
        .and_then(|settings| settings.networks.clone())
        .unwrap_or_default();
    let mut names: Vec<_> = networks.into_iter().collect();
    names.sort_by(|a, b| a.0.cmp(&b.0));
    let mut network = DriverNetwork {
        port_map,
        ..DriverNetwork::default()
    };
    if let Some((name, endpoint)) = names.into_iter().next() {
        let address = if task.advertise_ipv6_address {
            endpoint.global_ipv6_address
        } else {
            endpoint.ip_address
        };
        network.ip = address.unwrap_or_default();
        network.auto_advertise = task.advertise_ipv6_address
            || (name != "bridge" && name != "nat" && !network.ip.is_empty());
    }
    (!network.ip.is_empty() || !network.port_map.is_empty()).then_some(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_went_meanwhile_comes_back() {
        let answer = |status_code: u16, message: &str| Error::DockerResponseServerError {
            status_code,
            message: message.to_owned(),
        };
        assert!(is_without_image(&answer(404, "No such image: sha256:00")));
        assert!(!is_without_image(&answer(404, "network x not found")));
        assert!(!is_without_image(&answer(400, "no such image")));
    }
}
