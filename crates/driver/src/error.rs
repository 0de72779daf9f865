//! What can go wrong in a driver, and whether trying again can help.

/// An error of a driver call. Messages reach task events unchanged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DriverError {
    /// The task's `config` is not what the driver understands; never worth a retry.
    #[error("failed to parse config: {0}")]
    Config(String),
    /// The start failed. `recoverable` errors go through the restart policy.
    #[error("{message}")]
    Start { message: String, recoverable: bool },
    #[error("task not found for given id: {0:?}")]
    TaskNotFound(String),
    /// The task is not in a state that allows the call.
    #[error("{0}")]
    State(String),
    #[error("{driver} does not support {what}")]
    Unsupported { driver: String, what: &'static str },
    #[error("{0}")]
    Other(String),
}

impl DriverError {
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::Start {
            message: message.into(),
            recoverable: false,
        }
    }

    pub fn recoverable(message: impl Into<String>) -> Self {
        Self::Start {
            message: message.into(),
            recoverable: true,
        }
    }

    pub fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    #[must_use]
    pub fn is_recoverable(&self) -> bool {
        matches!(
            self,
            Self::Start {
                recoverable: true,
                ..
            }
        )
    }
}

impl From<std::io::Error> for DriverError {
    fn from(err: std::io::Error) -> Self {
        Self::Other(err.to_string())
    }
}
