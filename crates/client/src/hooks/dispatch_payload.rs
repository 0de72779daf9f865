//! Writes the payload of a dispatched job into the task's directory.

use std::path::Path;

use super::{Context, HookError};
use crate::api::contained;

pub(super) async fn run(context: &Context) -> Result<(), HookError> {
    let Some(wanted) = &context.task.dispatch_payload else {
        return Ok(());
    };
    if wanted.file.is_empty() || context.again {
        return Ok(());
    }
    let payload = decompress(&context.job.payload)
        .map_err(|error| HookError::fatal(format!("the job's payload cannot be read: {error}")))?;
    let (local, file) = (context.dirs.local.clone(), wanted.file.clone());
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

/// A stored payload as it was given. A job that was dispatched without one gets an empty file.
fn decompress(stored: &[u8]) -> Result<Vec<u8>, snap::Error> {
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    snap::raw::Decoder::new().decompress_vec(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_written_as_it_was_given() {
        let stored = snap::raw::Encoder::new().compress_vec(b"the payload");
        assert_eq!(
            decompress(&stored.expect("it is small")).ok(),
            Some(b"the payload".to_vec())
        );
        assert_eq!(decompress(&[]).ok(), Some(Vec::new()));
        assert!(decompress(b"no block at all").is_err());
    }
}
