//! What an operation answers: a head that says how, and a body.

use std::fmt;

use bytes::Bytes;
use futures::{Stream, stream::BoxStream};
use serde::{Deserialize, Serialize};

use crate::{error::ApiError, exec::SessionHandler, json};

/// The answer of an operation.
#[derive(Debug)]
pub struct Answer {
    pub head: Head,
    pub body: Body,
}

/// Everything of an answer but its body. Travels between agents before the body does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub status: u16,
    /// Empty: no content type.
    pub content_type: String,
    /// Further header lines, such as `Digest`.
    pub headers: Vec<(String, String)>,
    pub meta: Meta,
}

/// The meta headers of an answer. What is absent is not sent: reads set index, leader and contact, writes the
/// index alone, agent routes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meta {
    pub index: Option<u64>,
    pub known_leader: Option<bool>,
    /// Milliseconds since the leader was heard; 0 on the leader.
    pub last_contact: Option<u64>,
    /// Where the next page begins; absent on the last.
    pub next_token: Option<String>,
    /// What to wait on before asking again. Never travels: who forwards a request also lets the other side wait.
    #[serde(skip)]
    pub watch: Option<Watch>,
}

/// What an answer was read from, for waiting until it may have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Tables or rows, in whatever numbering the implementation of `Api` uses.
    pub keys: Vec<u64>,
    /// The index of the state that was read. A change counts when it came later.
    pub at: u64,
}

impl Meta {
    /// No meta headers.
    pub fn none() -> Self {
        Self::default()
    }

    /// The meta header of a write.
    pub fn write(index: u64) -> Self {
        Self {
            index: Some(index),
            ..Self::default()
        }
    }

    /// The meta headers of a read on the leader.
    pub fn read(index: u64) -> Self {
        Self {
            index: Some(index),
            known_leader: Some(true),
            last_contact: Some(0),
            ..Self::default()
        }
    }

    /// Says what the read can be waited on. `at` is the index of the state read.
    pub fn watching(mut self, keys: impl Into<Vec<u64>>, at: u64) -> Self {
        self.watch = Some(Watch {
            keys: keys.into(),
            at,
        });
        self
    }

    /// Says that another page exists.
    pub fn next(mut self, token: Option<String>) -> Self {
        self.next_token = token.filter(|token| !token.is_empty());
        self
    }
}

/// The body of an answer.
pub enum Body {
    Empty,
    Bytes(Bytes),
    /// Written as it comes, flushed piece by piece.
    Stream(ByteStream),
    /// The connection becomes a websocket that this handler serves.
    Session(SessionHandler),
}

/// Pieces of a body. An error ends the body.
pub type ByteStream = BoxStream<'static, Result<Bytes, std::io::Error>>;

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Session(_) => f.write_str("Session"),
        }
    }
}

/// The content types that answers have.
pub mod content_type {
    pub const JSON: &str = "application/json";
    pub const TEXT: &str = "text/plain; charset=utf-8";
    pub const PLAIN: &str = "text/plain";
    pub const BYTES: &str = "application/octet-stream";
    pub const HTML: &str = "text/html; charset=utf-8";
}

impl Answer {
    fn new(status: u16, content_type: &str, meta: Meta, body: Body) -> Self {
        Self {
            head: Head {
                status,
                content_type: content_type.to_owned(),
                headers: Vec::new(),
                meta,
            },
            body,
        }
    }

    /// An object, as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T, meta: Meta) -> Result<Self, ApiError> {
        Ok(Self::json_bytes(
            json::encode(value).map_err(unwritable)?,
            meta,
        ))
    }

    /// An object that was never stored, as JSON: numbers in its free-form members stay as they are.
    pub fn json_literal<T: Serialize + ?Sized>(value: &T, meta: Meta) -> Result<Self, ApiError> {
        Ok(Self::json_bytes(
            json::encode_literal(value).map_err(unwritable)?,
            meta,
        ))
    }

    /// JSON that is written already.
    pub fn json_bytes(bytes: impl Into<Bytes>, meta: Meta) -> Self {
        Self::new(200, content_type::JSON, meta, Body::Bytes(bytes.into()))
    }

    /// Nothing: 200 without a body or content type.
    pub fn empty(meta: Meta) -> Self {
        Self::new(200, "", meta, Body::Empty)
    }

    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(
            200,
            content_type::TEXT,
            Meta::none(),
            Body::Bytes(Bytes::from(text.into())),
        )
    }

    /// Bytes of the type given.
    pub fn bytes(content_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self::new(200, content_type, Meta::none(), Body::Bytes(bytes.into()))
    }

    /// A body that comes piece by piece.
    pub fn stream<S>(content_type: &str, stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
    {
        Self::new(
            200,
            content_type,
            Meta::none(),
            Body::Stream(Box::pin(stream)),
        )
    }

    /// A websocket.
    pub fn session(handler: SessionHandler) -> Self {
        Self::new(101, "", Meta::none(), Body::Session(handler))
    }

    /// With another status.
    pub fn with_status(mut self, status: u16) -> Self {
        self.head.status = status;
        self
    }

    /// With another header line.
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.head.headers.push((name.to_owned(), value.into()));
        self
    }
}

fn unwritable(error: caravan_codec::WriteError) -> ApiError {
    ApiError::internal(format!("the answer cannot be written as JSON: {error}"))
}
