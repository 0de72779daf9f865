//! What can go wrong when the API is asked something.

/// Why a call failed. The texts are part of the contract with scripts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The client cannot be made from its settings.
    #[error("{0}")]
    Config(String),
    /// No answer: the connection could not be made, or broke.
    #[error("{method} \"{url}\": {reason}")]
    Transport {
        /// `Get`, `Put`, …
        method: &'static str,
        /// The whole address asked.
        url: String,
        /// Such as `dial tcp 127.0.0.1:4646: connect: connection refused`.
        reason: String,
    },
    /// The answer is a refusal.
    #[error("Unexpected response code: {code} ({body})")]
    Status {
        /// The HTTP status.
        code: u16,
        /// The answer's text, trimmed.
        body: String,
    },
    /// The answer cannot be read.
    #[error("{0}")]
    Decode(String),
    /// The other end closed a session with a reason.
    #[error("{0}")]
    Closed(String),
}

impl Error {
    /// The HTTP status, when there was an answer.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The text of the answer, when there was one.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        match self {
            Self::Status { body, .. } => Some(body),
            _ => None,
        }
    }

    /// Whether no connection could be made.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Transport { .. })
    }
}

/// How the method is written in front of the address.
pub(crate) fn method_word(method: &http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "Get",
        "PUT" => "Put",
        "POST" => "Post",
        "DELETE" => "Delete",
        "HEAD" => "Head",
        _ => "Do",
    }
}

/// The system's words for an I/O error, without Rust's decoration.
pub(crate) fn io_text(error: &std::io::Error) -> String {
    use std::io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => "connection refused".into(),
        Kind::ConnectionReset => "connection reset by peer".into(),
        Kind::NotFound => "no such file or directory".into(),
        Kind::PermissionDenied => "permission denied".into(),
        Kind::HostUnreachable => "no route to host".into(),
        Kind::NetworkUnreachable => "network is unreachable".into(),
        Kind::TimedOut => "i/o timeout".into(),
        _ => {
            let text = error.to_string();
            match text.find(" (os error") {
                Some(end) => text[..end].to_lowercase(),
                None => text,
            }
        }
    }
}
