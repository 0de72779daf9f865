//! Bytes between the runtime and a thread that reads or writes them as a file.

use std::io::{self, Read, Write};

use bytes::Bytes;
use caravan_http::ByteStream;
use futures::StreamExt;
use tokio::sync::mpsc;

/// Pieces that may wait.
const WAITING: usize = 8;

/// What a thread writes, as a stream.
pub(crate) fn writer() -> (Writer, ByteStream) {
    let (to, mut from) = mpsc::channel(WAITING);
    let stream = futures::stream::poll_fn(move |context| from.poll_recv(context));
    (Writer(to), stream.boxed())
}

/// The thread's end. Writing waits for the reader; it fails when that has gone.
pub(crate) struct Writer(mpsc::Sender<io::Result<Bytes>>);

impl Writer {
    /// Ends the stream with an error.
    pub(crate) fn fail(&self, error: io::Error) {
        // Who has gone needs no error.
        let _ = self.0.blocking_send(Err(error));
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives a stream to a thread, which reads it as a file. Awaiting the second half moves the bytes.
pub(crate) fn reader(mut stream: ByteStream) -> (Reader, impl Future<Output = ()>) {
    let (to, from) = mpsc::channel(WAITING);
    let moving = async move {
        while let Some(piece) = stream.next().await {
            let failed = piece.is_err();
            if to.send(piece).await.is_err() || failed {
                return;
            }
        }
    };
    (
        Reader {
            from,
            piece: Bytes::new(),
        },
        moving,
    )
}

/// The thread's end.
pub(crate) struct Reader {
    from: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.from.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        let piece = self.piece.split_to(count);
        buffer
            .get_mut(..count)
            .ok_or(io::ErrorKind::InvalidInput)?
            .copy_from_slice(&piece);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_come_through_and_errors_end_them() {
        let (mut out, stream) = writer();
        let written = tokio::task::spawn_blocking(move || {
            out.write_all(&[7; 100_000])
                .and_then(|()| out.write_all(b"end"))?;
            out.fail(io::Error::other("broken"));
            io::Result::Ok(())
        });
        let (mut from, moving) = reader(stream);
        let read = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            let error = from.read_to_end(&mut all).expect_err("it broke");
            (all.len(), error.to_string())
        });
        moving.await;
        assert_eq!(read.await.expect("read"), (100_003, "broken".to_owned()));
        written.await.expect("joined").expect("written");
    }
}
