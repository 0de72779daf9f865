//! What can go wrong with a call, on the way and at the other end.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::body::BodyError;

/// A call that did not give an answer. Clonable, because callers share connections and so failures.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RpcError {
    /// No connection; nothing was sent.
    #[error("cannot connect to {address}: {what}")]
    Connect { address: String, what: String },
    /// No connection, since either end does not trust the other; nothing was sent.
    #[error("TLS with {address} failed: {what}")]
    Tls { address: String, what: String },
    /// The listener understood the preface and said no; nothing was sent.
    #[error("{address} refused the connection: {message}")]
    Refused { address: String, message: String },
    /// The connection was not ready in time; nothing was sent.
    #[error("cannot connect to {address}: {stage} took longer than {after:?}")]
    ConnectTimeout {
        address: String,
        stage: &'static str,
        after: Duration,
    },
    /// The connection was already gone; nothing was sent.
    #[error("the connection to {address} is closed")]
    Closed { address: String },
    /// The connection or the stream broke in the middle: the call may have had its effect.
    #[error("the call of {path} at {address} was broken off: {what}")]
    Broken {
        address: String,
        path: String,
        what: String,
    },
    /// A body broke in the middle.
    #[error("the answer was broken off: {0}")]
    Body(String),
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge { what: &'static str, limit: usize },
    #[error("cannot encode {what}: {reason}")]
    Encode { what: String, reason: String },
    #[error("cannot decode {what}: {reason}")]
    Decode { what: String, reason: String },
    /// The other end answered with an error.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl RpcError {
    /// The request certainly had no effect, so it is safe to send it again, anywhere.
    #[must_use]
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Refused { .. }
            | Self::ConnectTimeout { .. }
            | Self::Closed { .. }
            | Self::Encode { .. } => true,
            Self::Broken { .. }
            | Self::Body(_)
            | Self::TooLarge { .. }
            | Self::Decode { .. }
            | Self::Remote(_) => false,
        }
    }

    /// The error of the other end, when it is one.
    #[must_use]
    pub fn remote(&self) -> Option<&RemoteError> {
        match self {
            Self::Remote(error) => Some(error),
            _ => None,
        }
    }
}

impl From<BodyError> for RpcError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => Self::TooLarge {
                what: "the message",
                limit,
            },
            other => Self::Body(other.to_string()),
        }
    }
}

/// An error that an endpoint answered: the body `{kind, message}` of a response with a status
/// other than success. The text is the endpoint's own, without decoration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct RemoteError {
    pub kind: ErrorKind,
    pub message: String,
}

impl RemoteError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }
}

/// What sort of error it is, for callers that act on it. On the wire it is a word; a word that a
/// newer agent added is kept as [`ErrorKind::Other`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ErrorKind {
    /// There is no leader now; try again.
    NoLeader,
    /// This agent is not the leader.
    NotLeader,
    /// The agent is starting or stopping; try again.
    NotReady,
    NotFound,
    PermissionDenied,
    InvalidRequest,
    Conflict,
    TooLarge,
    TooManyRequests,
    Timeout,
    /// The region is not known here.
    NoPathToRegion,
    /// No server holds a connection of this node.
    NoPathToNode,
    /// No such internal endpoint: an older or newer agent.
    UnknownEndpoint,
    Internal,
    Other(String),
}

const WORDS: [(ErrorKind, &str, StatusCode); 14] = [
    (
        ErrorKind::NoLeader,
        "no_leader",
        StatusCode::SERVICE_UNAVAILABLE,
    ),
    (
        ErrorKind::NotLeader,
        "not_leader",
        StatusCode::MISDIRECTED_REQUEST,
    ),
    (
        ErrorKind::NotReady,
        "not_ready",
        StatusCode::SERVICE_UNAVAILABLE,
    ),
    (ErrorKind::NotFound, "not_found", StatusCode::NOT_FOUND),
    (
        ErrorKind::PermissionDenied,
        "permission_denied",
        StatusCode::FORBIDDEN,
    ),
    (
        ErrorKind::InvalidRequest,
        "invalid_request",
        StatusCode::BAD_REQUEST,
    ),
    (ErrorKind::Conflict, "conflict", StatusCode::CONFLICT),
    (
        ErrorKind::TooLarge,
        "too_large",
        StatusCode::PAYLOAD_TOO_LARGE,
    ),
    (
        ErrorKind::TooManyRequests,
        "too_many_requests",
        StatusCode::TOO_MANY_REQUESTS,
    ),
    (ErrorKind::Timeout, "timeout", StatusCode::GATEWAY_TIMEOUT),
    (
        ErrorKind::NoPathToRegion,
        "no_path_to_region",
        StatusCode::BAD_GATEWAY,
    ),
    (
        ErrorKind::NoPathToNode,
        "no_path_to_node",
        StatusCode::BAD_GATEWAY,
    ),
    (
        ErrorKind::UnknownEndpoint,
        "unknown_endpoint",
        StatusCode::NOT_IMPLEMENTED,
    ),
    (
        ErrorKind::Internal,
        "internal",
        StatusCode::INTERNAL_SERVER_ERROR,
    ),
];

impl ErrorKind {
    fn row(&self) -> Option<&'static (Self, &'static str, StatusCode)> {
        WORDS.iter().find(|(kind, ..)| kind == self)
    }

    /// The word on the wire.
    #[must_use]
    pub fn word(&self) -> Cow<'static, str> {
        match (self, self.row()) {
            (Self::Other(word), _) => Cow::Owned(word.clone()),
            (_, Some((_, word, _))) => Cow::Borrowed(word),
            (_, None) => Cow::Borrowed("internal"),
        }
    }

    /// The status that a response with this error carries.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        let row = self.row();
        row.map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, _, status)| *status)
    }
}

impl From<String> for ErrorKind {
    fn from(word: String) -> Self {
        let row = WORDS.iter().find(|(_, known, _)| *known == word);
        row.map_or(Self::Other(word), |(kind, ..)| kind.clone())
    }
}

impl From<ErrorKind> for String {
    fn from(kind: ErrorKind) -> Self {
        kind.word().into_owned()
    }
}
