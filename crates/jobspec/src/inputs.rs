//! What is read besides the job file.

use crate::files::Files;

/// A job file.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// What messages call it.
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Source {
    /// A source of this name and content.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
        }
    }
}

/// A file of values for variables.
#[derive(Clone, Debug, Default)]
pub struct VarFile {
    pub name: String,
    pub text: String,
}

/// Values for variables, and what functions may use.
#[derive(Default)]
pub struct Inputs<'a> {
    /// `name=value`, in order; what has no `=` is passed over.
    pub vars: Vec<String>,
    /// In order.
    pub var_files: Vec<VarFile>,
    /// `NOMAD_VAR_name` sets a variable; others are passed over.
    pub env: Vec<(String, String)>,
    /// Values for variables that nobody declared are errors.
    pub strict: bool,
    /// None turns the functions of files off.
    pub files: Option<&'a dyn Files>,
    /// What `uuidv4` and `bcrypt` make their results from: random, or fixed for the same results.
    pub seed: [u8; 32],
}
