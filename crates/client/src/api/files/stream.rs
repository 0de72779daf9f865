//! A file as a stream, which may be followed while it grows.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use caravan_http::{Answer, ApiError, ApiRequest, content_type};
use rustix::fs::OFlags;
use rustix::io::ReadWriteFlags;

use super::{blocking, open_readable, root, text, wanted};
use crate::api::contained::{self, go_text};
use crate::api::frames::{Gone, HEARTBEAT, POLL, Sink};
use crate::api::wish::Wish;
use crate::shared::Shared;

pub(in crate::api) async fn stream(
    shared: &Arc<Shared>,
    request: &ApiRequest,
) -> Result<Answer, ApiError> {
    let root = root(shared, request)?;
    let path = wanted(request)?;
    let wish = Wish::parse(request, true)?;
    let shown = contained::relative(&path).map_or_else(|| text(&path), |path| text(&path));
    let file = {
        let (root, path) = (root.clone(), path.clone());
        let opened = blocking(move || open_readable(&root, &path)).await;
        opened.map_err(|error| {
            if error.status == 404 {
                ApiError::bad_request(error.message)
            } else {
                error
            }
        })?
    };
    let length = file.metadata().map_or(0, |meta| meta.len());
    let start = if wish.from_end {
        length.saturating_sub(wish.offset)
    } else {
        wish.offset
    };
    let (sink, answer) = Sink::answer(wish.plain, content_type::TEXT);
    let shutdown = shared.shutdown.clone();
    tokio::spawn(async move {
        let follow = Follow {
            root,
            path,
            shown,
            file: Arc::new(file),
        };
        tokio::select! {
            _ = follow.run(&sink, start, wish.follow) => {}
            () = shutdown.cancelled() => {}
        }
    });
    Ok(answer)
}

struct Follow {
    root: PathBuf,
    path: PathBuf,
    shown: String,
    file: Arc<File>,
}

impl Follow {
    async fn run(&self, sink: &Sink, mut offset: u64, follow: bool) -> Result<(), Gone> {
        let mut quiet = Duration::ZERO;
        loop {
            let data = match read_some(&self.file, offset, sink.most()).await {
                Ok(data) => data,
                Err(error) => {
                    sink.fail(go_text(&error)).await;
                    return Ok(());
                }
            };
            if !data.is_empty() {
                offset += data.len() as u64;
                sink.data(&self.shown, offset, data).await?;
                quiet = Duration::ZERO;
                continue;
            }
            if !follow {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
            if self.is_gone() {
                return sink.event(&self.shown, offset, "file deleted").await;
            }
            if self.file.metadata().is_ok_and(|meta| meta.len() < offset) {
                offset = 0;
                sink.event(&self.shown, offset, "file truncated").await?;
            }
            quiet += POLL;
            if quiet >= HEARTBEAT {
                quiet = Duration::ZERO;
                sink.heartbeat().await?;
            }
        }
    }

    fn is_gone(&self) -> bool {
        let unlinked = self.file.metadata().is_ok_and(|meta| meta.nlink() == 0);
        unlinked
            || matches!(contained::open(&self.root, &self.path, OFlags::PATH), Err(error) if error.is_not_found())
    }
}

/// The next piece of a file, of at most so many bytes. What is in memory is read at once, on this thread.
pub(in crate::api) async fn read_some(
    file: &Arc<File>,
    offset: u64,
    most: usize,
) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; most];
    let at_once = rustix::io::preadv2(
        file,
        &mut [io::IoSliceMut::new(&mut buffer)],
        offset,
        ReadWriteFlags::NOWAIT,
    );
    if let Ok(count) = at_once {
        buffer.truncate(count);
        return Ok(buffer);
    }
    let file = Arc::clone(file);
    let read = tokio::task::spawn_blocking(move || {
        let count = file.read_at(&mut buffer, offset)?;
        buffer.truncate(count);
        Ok(buffer)
    });
    read.await.map_err(io::Error::other)?
}
