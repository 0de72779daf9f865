//! The infrastructure container that owns an allocation's network namespace.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, ContainerInspectResponse, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use caravan_driver::{DriverError, NetworkIsolation};

use super::create::{LABEL_ALLOC, LABEL_NODE, SANDBOX};
use super::image::{ImageName, Images, Limits, PROGRESS_EVERY};
use super::options::PluginConfig;
use super::{auth, words};

pub(crate) fn name(alloc_id: &str) -> String {
    format!("nomad_init_{alloc_id}")
}

pub(crate) async fn create(
    docker: &Docker,
    images: &Images,
    plugin: &PluginConfig,
    node_id: &str,
    alloc_id: &str,
    hostname: &str,
) -> Result<NetworkIsolation, DriverError> {
    let body = ContainerCreateBody {
        image: Some(image(docker, images, plugin).await?),
        hostname: Some(hostname.to_owned()).filter(|name| !name.is_empty()),
        labels: Some(HashMap::from([
            (LABEL_ALLOC.to_owned(), alloc_id.to_owned()),
            (LABEL_NODE.to_owned(), node_id.to_owned()),
        ])),
        host_config: Some(HostConfig {
            // The agent sets the network up itself.
            network_mode: Some("none".into()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let name = name(alloc_id);
    let found = run(docker, &name, body).await.map_err(|err| {
        DriverError::recoverable(format!(
            "failed to create network namespace container {name}: {}",
            words(&err)
        ))
    })?;
    let path = found
        .network_settings
        .and_then(|settings| settings.sandbox_key)
        .unwrap_or_default();
    let container = found.id.unwrap_or_default();
    Ok(NetworkIsolation {
        mode: "group".into(),
        path: PathBuf::from(path),
        hostname: hostname.to_owned(),
        labels: BTreeMap::from([(SANDBOX.to_owned(), container)]),
        hosts_file: PathBuf::new(),
    })
}

/// The id of the image that such containers are made of; pulled when the engine does not have it.
async fn image(
    docker: &Docker,
    images: &Images,
    plugin: &PluginConfig,
) -> Result<String, DriverError> {
    let image = ImageName::parse(&plugin.infra_image);
    if let Ok(found) = docker.inspect_image(&image.full()).await {
        return Ok(found.id.unwrap_or_default());
    }
    let credentials = auth::find(&image.repo, None, &plugin.auth)
        .await
        .map_err(DriverError::recoverable)?;
    let limits = Limits {
        total: Duration::from_nanos(plugin.infra_image_pull_timeout),
        activity: Duration::from_nanos(plugin.pull_activity_timeout),
        said_every: PROGRESS_EVERY,
    };
    images
        .pull(docker, &image, credentials, limits, |_| {})
        .await
}

/// Starts the container; one that does not start is not left behind.
async fn run(
    docker: &Docker,
    name: &str,
    body: ContainerCreateBody,
) -> Result<ContainerInspectResponse, Error> {
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    match docker.create_container(Some(options), body).await {
        Ok(_) => {}
        // An earlier agent made it.
        Err(Error::DockerResponseServerError {
            status_code: 409, ..
        }) => {}
        Err(err) => return Err(err),
    }
    let started = async {
        docker
            .start_container(name, None::<StartContainerOptions>)
            .await?;
        docker.inspect_container(name, None).await
    };
    let found = started.await;
    if found.is_err() {
        super::start::remove(docker, name).await;
    }
    found
}

pub(crate) async fn destroy(
    docker: &Docker,
    network: &NetworkIsolation,
) -> Result<(), DriverError> {
    let Some(container) = network.labels.get(SANDBOX) else {
        return Ok(());
    };
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    match docker.remove_container(container, Some(options)).await {
        Ok(())
        | Err(Error::DockerResponseServerError {
            status_code: 404, ..
        }) => Ok(()),
        Err(err) => Err(DriverError::other(words(&err))),
    }
}
