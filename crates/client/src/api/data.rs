//! The data of an allocation that ended, for the one that takes its place on another node.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use caravan_http::{Answer, ApiError};

use crate::handle::Runner;
use crate::migrate;
use crate::piped;

/// Big pieces: each is a message of its own.
const PIECE: usize = 256 << 10;

pub(super) fn data(runner: Arc<Runner>) -> Result<Answer, ApiError> {
    let view = runner.view();
    if !view.done && !view.is_terminal() {
        return Err(ApiError::conflict(format!(
            "allocation {} still runs",
            runner.id
        )));
    }
    let (writer, stream) = piped::writer();
    let (root, paths) = (runner.dir.root.clone(), migrate::paths(&view.alloc));
    tokio::task::spawn_blocking(move || {
        let mut out = BufWriter::with_capacity(PIECE, writer);
        let paths: Vec<&Path> = paths.iter().map(std::path::PathBuf::as_path).collect();
        let packed = caravan_host::tree::pack(&root, &paths, &mut out);
        let flushed = out.flush();
        match packed.map_err(std::io::Error::other).and(flushed) {
            Ok(()) => runner.data_taken.store(true, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(path = %root.display(), %error, "the data of an allocation cannot be sent");
                out.get_ref().fail(error);
            }
        }
    });
    Ok(Answer::stream("application/x-tar", stream))
}
