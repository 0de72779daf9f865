//! How a command ends badly: a text for stderr and an exit code.

use caravan_sdk::Error;

/// A command's end.
pub(crate) type Outcome = Result<u8, Failure>;

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Printed on stderr; nothing is printed when it is empty.
    pub(crate) message: String,
    /// The exit code.
    pub(crate) code: u8,
}

impl Failure {
    /// A failure with the usual exit code.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 1,
        }
    }

    /// The same with another exit code.
    pub(crate) fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Ends with a code after everything was already said.
    pub(crate) fn silent(code: u8) -> Self {
        Self {
            message: String::new(),
            code,
        }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

/// Says what was being done when a call failed.
pub(crate) trait Doing<T> {
    /// `<what>: <error>`
    fn doing(self, what: impl AsRef<str>) -> Result<T, Failure>;
}

impl<T> Doing<T> for Result<T, Error> {
    fn doing(self, what: impl AsRef<str>) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("{}: {error}", what.as_ref())))
    }
}

impl<T> Doing<T> for Result<T, String> {
    fn doing(self, what: impl AsRef<str>) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("{}: {error}", what.as_ref())))
    }
}
