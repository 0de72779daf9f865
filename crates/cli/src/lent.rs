//! What the command line cannot do itself and the whole binary lends it: reading an agent's configuration, looking
//! into the folders of agents that do not run, and the functions of templates.

use serde_json::Value;
use std::path::Path;
use std::sync::OnceLock;

/// Why an agent would not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A file cannot be read or understood.
    Unreadable(String),
    /// All files were read, and what they say together is not allowed.
    Invalid(String),
}

/// Reads the configuration in these files and folders; what an agent that starts with it would warn of.
pub type ValidateConfig = fn(&[String]) -> Result<Vec<String>, Rejection>;

/// What of an agent's data folder is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What its node would take up again.
    ClientState,
    /// Where its log begins and ends.
    RaftInfo,
    /// The entries of its log.
    RaftLogs,
    /// The state that its log leads to, up to an entry when one is named.
    RaftState(Option<u64>),
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// As JSON.
    Json(Value),
    /// Packed, as snapshots hold it.
    Packed(Vec<u8>),
}

/// Looks into the data folder of an agent that does not run; the error says what is wrong with it.
pub type LookInto = fn(Look, &Path) -> Result<Found, String>;

/// Gives the functions of templates to an engine.
pub type WithFunctions = fn(gotmpl::Template) -> gotmpl::Template;

/// What is wrong with the blocks of a template.
pub type WrongBlocks = fn(&str) -> Option<String>;

/// What keeps a template from being parsed; nothing for other errors.
pub type WordsOfParsing = fn(&str, &gotmpl::TemplateError) -> Option<String>;

/// Everything that is lent.
#[derive(Clone, Copy, Debug)]
pub struct Lent {
    /// See [`ValidateConfig`].
    pub validate_config: ValidateConfig,
    /// See [`LookInto`].
    pub look_into: LookInto,
    /// See [`WithFunctions`].
    pub with_functions: WithFunctions,
    /// See [`WrongBlocks`].
    pub wrong_blocks: WrongBlocks,
    /// See [`WordsOfParsing`].
    pub words_of_parsing: WordsOfParsing,
}

static LENT: OnceLock<Lent> = OnceLock::new();

/// Lends it, once per process.
pub(crate) fn lend(lent: Lent) {
    LENT.get_or_init(|| lent);
}

/// See [`ValidateConfig`].
pub(crate) fn validate_config(paths: &[String]) -> Result<Vec<String>, Rejection> {
    match LENT.get() {
        Some(lent) => (lent.validate_config)(paths),
        None => Err(Rejection::Invalid("this program has no agent".into())),
    }
}

/// See [`LookInto`].
pub(crate) fn look_into(look: Look, folder: &Path) -> Result<Found, String> {
    match LENT.get() {
        Some(lent) => (lent.look_into)(look, folder),
        None => Err("this program has no agent".into()),
    }
}

/// See [`WithFunctions`].
pub(crate) fn with_functions(template: gotmpl::Template) -> gotmpl::Template {
    match LENT.get() {
        Some(lent) => (lent.with_functions)(template),
        None => template,
    }
}

/// See [`WrongBlocks`].
pub(crate) fn wrong_blocks(source: &str) -> Option<String> {
    LENT.get().and_then(|lent| (lent.wrong_blocks)(source))
}

/// See [`WordsOfParsing`].
pub(crate) fn words_of_parsing(source: &str, error: &gotmpl::TemplateError) -> Option<String> {
    LENT.get()
        .and_then(|lent| (lent.words_of_parsing)(source, error))
}
