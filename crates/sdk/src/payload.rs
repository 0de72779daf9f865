//! What a call carries: bytes, or a file that is read while it is sent.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// How much of a file is read at a time.
const CHUNK: u64 = 64 << 10;

/// The body of a call. It may be sent again, when a connection turns out to be closed.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Bytes.
    Bytes(Bytes),
    /// A file, from its begin.
    File {
        /// The open file.
        file: Arc<File>,
        /// How long it is, in bytes.
        size: u64,
    },
}

impl Payload {
    /// A file as it is now. What has no length before it was read, like a pipe, is read whole.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn file(mut file: File) -> io::Result<Self> {
        let known = file.metadata()?;
        if !known.is_file() {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            return Ok(bytes.into());
        }
        let size = known.len();
        Ok(Self::File {
            file: Arc::new(file),
            size,
        })
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// A payload on its way.
#[derive(Debug)]
pub(crate) struct Sending {
    payload: Payload,
    at: u64,
}

impl Sending {
    pub(crate) fn new(payload: Option<Payload>) -> Self {
        Self {
            payload: payload.unwrap_or(Payload::Bytes(Bytes::new())),
            at: 0,
        }
    }

    fn size(&self) -> u64 {
        match &self.payload {
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::File { size, .. } => *size,
        }
    }

    fn next(&mut self) -> io::Result<Bytes> {
        let piece = match &self.payload {
            Payload::Bytes(bytes) => bytes.clone(),
            Payload::File { file, size } => {
                let mut piece =
                    vec![0; usize::try_from((size - self.at).min(CHUNK)).unwrap_or_default()];
                file.read_exact_at(&mut piece, self.at)?;
                piece.into()
            }
        };
        self.at += piece.len() as u64;
        Ok(piece)
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.next().map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.at >= self.size()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size() - self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::io::Write as _;
    use std::os::fd::OwnedFd;

    #[tokio::test]
    async fn a_file_is_sent_whole_and_can_be_sent_again() {
        let path = std::env::temp_dir().join(format!("payload-{}", std::process::id()));
        let content: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
        std::fs::write(&path, &content).expect("written");
        let payload = Payload::file(File::open(&path).expect("open")).expect("a length");
        std::fs::remove_file(&path).expect("removed");
        for _ in 0..2 {
            let sending = Sending::new(Some(payload.clone()));
            assert_eq!(sending.size_hint().exact(), Some(200_000));
            assert_eq!(sending.collect().await.expect("read").to_bytes(), content);
        }
    }

    #[tokio::test]
    async fn what_comes_through_a_pipe_is_sent_too() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        writer.write_all(b"a snapshot").expect("room");
        drop(writer);
        let pipe = File::from(OwnedFd::from(reader));
        let sending = Sending::new(Some(Payload::file(pipe).expect("read")));
        assert_eq!(sending.size_hint().exact(), Some(10));
        let sent = sending.collect().await.expect("read").to_bytes();
        assert_eq!(sent, b"a snapshot".as_slice());
    }

    #[tokio::test]
    async fn nothing_is_sent_as_nothing() {
        let sending = Sending::new(None);
        assert!(sending.is_end_stream());
        assert_eq!(
            sending.collect().await.expect("read").to_bytes(),
            Bytes::new()
        );
    }
}
