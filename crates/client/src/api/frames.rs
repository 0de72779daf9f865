//! Streams of files: pieces with their place as JSON frames, or the bare bytes.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use caravan_http::{Answer, content_type};
use serde::Serialize;
use tokio::sync::mpsc;

/// The most data in a frame.
const FRAME: usize = 64 << 10;
/// The most bare bytes handed on at once.
const PIECE: usize = 256 << 10;
/// How often a silent stream shows that it lives.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often a followed file is looked at.
pub(super) const POLL: Duration = Duration::from_millis(100);

#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Frame<'a> {
    #[serde(skip_serializing_if = "String::is_empty")]
    data: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    file_event: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    offset: u64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape serde asks for"
)]
fn is_zero(offset: &u64) -> bool {
    *offset == 0
}

/// Where a stream is written to.
pub(super) struct Sink {
    to: mpsc::Sender<Result<Bytes, std::io::Error>>,
    plain: bool,
}

/// Nobody reads any more.
pub(super) struct Gone;

impl Sink {
    /// A sink and the answer whose body comes out of it.
    pub(super) fn answer(plain: bool, content: &str) -> (Self, Answer) {
        let (to, from) = mpsc::channel(8);
        let stream =
            futures::stream::unfold(
                from,
                |mut from| async move { Some((from.recv().await?, from)) },
            );
        let content = if plain { content_type::PLAIN } else { content };
        (Self { to, plain }, Answer::stream(content, stream))
    }

    /// The most data it takes at once.
    pub(super) fn most(&self) -> usize {
        if self.plain { PIECE } else { FRAME }
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        self.to.send(Ok(bytes)).await.map_err(|_| Gone)
    }

    async fn frame(&self, frame: &Frame<'_>) -> Result<(), Gone> {
        let text = serde_json::to_vec(frame).unwrap_or_default();
        self.send(Bytes::from(text)).await
    }

    /// `offset` is the place in the file after the data.
    pub(super) async fn data(&self, file: &str, offset: u64, data: Vec<u8>) -> Result<(), Gone> {
        if self.plain {
            return self.send(Bytes::from(data)).await;
        }
        self.frame(&Frame {
            data: STANDARD.encode(data),
            file,
            offset,
            file_event: "",
        })
        .await
    }

    pub(super) async fn event(&self, file: &str, offset: u64, event: &str) -> Result<(), Gone> {
        if self.plain {
            return Ok(());
        }
        self.frame(&Frame {
            data: String::new(),
            file,
            offset,
            file_event: event,
        })
        .await
    }

    pub(super) async fn heartbeat(&self) -> Result<(), Gone> {
        if self.plain {
            return if self.to.is_closed() {
                Err(Gone)
            } else {
                Ok(())
            };
        }
        self.frame(&Frame::default()).await
    }

    /// Ends the stream with an error that is shown to the reader.
    pub(super) async fn fail(&self, text: String) {
        let _ = self.send(Bytes::from(text)).await;
    }
}
