//! Images from an archive that came with the task.

use std::path::Path;

use bollard::Docker;
use bollard::query_parameters::ImportImageOptions;
use caravan_driver::{DriverError, TaskConfig};
use futures::StreamExt;
use tokio_util::io::ReaderStream;

use super::image::ImageName;
use super::options::DockerConfig;
use super::words;

/// Loads `load` (a path below the task's local directory); the archive must hold the task's image.
pub(crate) async fn load(
    docker: &Docker,
    config: &TaskConfig,
    task: &DockerConfig,
    name: &ImageName,
) -> Result<String, DriverError> {
    let failed = |why: String| {
        DriverError::recoverable(format!(
            "unable to load image from archive {:?}: {why}",
            task.load
        ))
    };
    // No link leads out of it, whenever it is put there.
    let file = caravan_host::tree::open(&config.dirs.local, Path::new(&task.load))
        .map_err(|err| failed(err.to_string()))?;
    if !file.metadata().is_ok_and(|found| found.is_file()) {
        return Err(failed("it is no file".into()));
    }
    let file = tokio::fs::File::from_std(file);
    let mut steps = Box::pin(docker.import_image_stream(
        ImportImageOptions::default(),
        ReaderStream::new(file),
        None,
    ));
    while let Some(step) = steps.next().await {
        step.map_err(|err| failed(words(&err)))?;
    }
    let found = docker
        .inspect_image(&name.full())
        .await
        .map_err(|err| failed(words(&err)))?;
    Ok(found.id.unwrap_or_default())
}
