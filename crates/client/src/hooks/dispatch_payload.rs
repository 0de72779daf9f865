//! Writes the payload of a dispatched job into the task's directory.

use std::path::Path;

use super::{Context, HookError};
use crate::api::contained;

pub(super) async fn run(context: &Context) -> Result<(), HookError> {
    let Some(wanted) = &context.task.dispatch_payload else {
        return Ok(());
    };
    if wanted.file.is_empty() || context.job.payload.is_empty() || context.again {
        return Ok(());
    }
    let payload = context.job.payload.clone();
    let (local, file) = (context.dirs().local, wanted.file.clone());
    let written = tokio::task::spawn_blocking(move || {
        contained::write(&local, Path::new(&file), &payload, 0o777)
    })
    .await;
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(HookError::fatal(error.to_string())),
        Err(error) => Err(HookError::fatal(error.to_string())),
    }
}
