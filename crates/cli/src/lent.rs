//! What the command line cannot do itself and the whole binary lends it: reading an agent's configuration.

use std::sync::OnceLock;

/// Why an agent would not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A file cannot be read or understood.
    Unreadable(String),
    /// All files were read, and what they say together is not allowed.
    Invalid(String),
}

/// Reads the configuration in these files and folders.
pub type ValidateConfig = fn(&[String]) -> Result<(), Rejection>;

static VALIDATE_CONFIG: OnceLock<ValidateConfig> = OnceLock::new();

/// Lends it, once per process.
pub(crate) fn lend(validate: ValidateConfig) {
    VALIDATE_CONFIG.get_or_init(|| validate);
}

/// See [`ValidateConfig`].
pub(crate) fn validate_config(paths: &[String]) -> Result<(), Rejection> {
    match VALIDATE_CONFIG.get() {
        Some(validate) => validate(paths),
        None => Err(Rejection::Invalid("this program has no agent".into())),
    }
}
