//! The body of requests and responses: a stream of byte chunks, possibly of one.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;

/// An error of whatever produces a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the stream was broken off: {0}")]
    Broken(String),
    #[error("the call was given up by its caller")]
    Cancelled,
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
}

impl BodyError {
    fn from_box(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => *own,
            Err(other) => Self::Broken(with_causes(other.as_ref())),
        }
    }
}

/// The text of an error with all its causes: hyper hides what happened in them.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let more = next.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = next.source();
    }
    text
}

/// A body that is either in memory or a stream with back-pressure.
pub struct Body(Inner);

enum Inner {
    Full(Option<Bytes>),
    Stream(UnsyncBoxBody<Bytes, BodyError>),
}

impl Body {
    #[must_use]
    pub fn empty() -> Self {
        Self(Inner::Full(None))
    }

    /// A body of one piece.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(Inner::Full((!bytes.is_empty()).then_some(bytes)))
    }

    /// Any other body of bytes.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let body = body.map_err(|error| BodyError::from_box(error.into()));
        Self(Inner::Stream(body.boxed_unsync()))
    }

    /// A body that yields the chunks of a stream; it is not polled again after its end.
    pub fn stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        Self::new(StreamBody::new(
            stream.map(|chunk| chunk.map(Frame::data)).fuse(),
        ))
    }

    /// A body fed by hand. At most `chunks` chunks wait; then [`BodySender::send`] does.
    #[must_use]
    pub fn channel(chunks: usize) -> (BodySender, Self) {
        let (sender, mut receiver) = mpsc::channel::<Result<Bytes, BodyError>>(chunks.max(1));
        let stream = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx));
        (BodySender { sender }, Self::stream(stream))
    }

    /// Whether the whole body is already in memory.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.0, Inner::Full(_))
    }

    /// The next chunk, never empty; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        loop {
            match self.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Some(Ok(data)),
                    _ => {}
                },
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Reads to the end, refusing more than `limit` bytes.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, BodyError> {
        let too_large = BodyError::TooLarge { limit };
        if http_body::Body::size_hint(&self).lower() > limit as u64 {
            return Err(too_large);
        }
        let Some(first) = self.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.next().await.transpose()? else {
            return if first.len() > limit {
                Err(too_large)
            } else {
                Ok(first)
            };
        };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while all.len() <= limit {
            match self.next().await.transpose()? {
                Some(chunk) => all.extend_from_slice(&chunk),
                None => return Ok(all.freeze()),
            }
        }
        Err(too_large)
    }

    /// The chunks as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
        futures::stream::unfold(self, |mut body| async move {
            body.next().await.map(|chunk| (chunk, body))
        })
        .fuse()
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Inner::Full(bytes) => write!(f, "Body({} bytes)", bytes.as_ref().map_or(0, Bytes::len)),
            Inner::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::full(bytes)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().0 {
            Inner::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Full(bytes) => bytes.is_none(),
            Inner::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Inner::Stream(body) => body.size_hint(),
        }
    }
}

/// Feeds a [`Body::channel`]. Dropping the last sender is the body's regular end.
#[derive(Clone, Debug)]
pub struct BodySender {
    sender: mpsc::Sender<Result<Bytes, BodyError>>,
}

impl BodySender {
    /// Sends a chunk, waiting while the reader is behind. Fails when there is no reader any more.
    pub async fn send(&self, chunk: impl Into<Bytes>) -> Result<(), BodyError> {
        let sent = self.sender.send(Ok(chunk.into())).await;
        sent.map_err(|_| BodyError::Cancelled)
    }

    /// Breaks the body off: the reader gets an error instead of an end.
    pub async fn abort(self, reason: impl Into<String>) {
        let error = BodyError::Broken(reason.into());
        // Nobody left to tell is as good as told.
        let _ = self.sender.send(Err(error)).await;
    }

    /// Returns when nobody reads the body any more.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }

    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}
