//! What a command is, and the tables of them.

use crate::context::Context;
use crate::failure::Outcome;
use crate::flags::{Flag, list, switch, text};

/// A command of the tree.
pub(crate) struct Command {
    /// The words that are typed.
    pub(crate) name: &'static str,
    /// What follows them.
    pub(crate) args: &'static str,
    /// One line for lists.
    pub(crate) synopsis: &'static str,
    /// What it does, for its help.
    pub(crate) about: &'static str,
    /// Its own flags.
    pub(crate) flags: &'static [Flag],
    /// What it does.
    pub(crate) run: fn(&mut Context) -> Outcome,
    /// Exit code of a usage error.
    pub(crate) usage_code: u8,
    /// The name in usage errors, when it differs from what is typed.
    pub(crate) known_as: &'static str,
    /// Whether it talks to an agent and takes the flags for that.
    pub(crate) client: bool,
}

/// The usual command; others override members with `..COMMAND`.
pub(crate) const COMMAND: Command = Command {
    name: "",
    args: "[options]",
    synopsis: "",
    about: "",
    flags: &[],
    run: |_| Ok(0),
    usage_code: 1,
    known_as: "",
    client: true,
};

/// A word that only groups others.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) synopsis: &'static str,
    pub(crate) about: &'static str,
}

/// Flags of every command that talks to an agent.
pub(crate) const CLIENT_FLAGS: &[Flag] = &[
    text(
        "address",
        "addr",
        "The address of the agent. Overrides the NOMAD_ADDR environment variable. Default: http://127.0.0.1:4646",
    ),
    text(
        "region",
        "region",
        "The region to ask. Overrides NOMAD_REGION. Default: the agent's own region.",
    ),
    text(
        "namespace",
        "namespace",
        "The namespace to work in. Overrides NOMAD_NAMESPACE. \"*\" means all where a list is asked for. Default: default",
    ),
    switch("no-color", "No colours. Also NOMAD_CLI_NO_COLOR."),
    switch(
        "force-color",
        "Colours even where stdout is no terminal. Also NOMAD_CLI_FORCE_COLOR.",
    ),
    text(
        "ca-cert",
        "path",
        "A file with certificates of authorities to trust. Overrides NOMAD_CACERT.",
    ),
    text(
        "ca-path",
        "path",
        "A folder of such files. Overrides NOMAD_CAPATH.",
    ),
    text(
        "client-cert",
        "path",
        "The client's certificate. Overrides NOMAD_CLIENT_CERT.",
    ),
    text(
        "client-key",
        "path",
        "The key of that certificate. Overrides NOMAD_CLIENT_KEY.",
    ),
    text(
        "tls-server-name",
        "name",
        "The name to expect in the server's certificate. Overrides NOMAD_TLS_SERVER_NAME.",
    ),
    switch(
        "tls-skip-verify",
        "Do not check the server's certificate. Overrides NOMAD_SKIP_VERIFY.",
    ),
    switch("insecure", "The same as -tls-skip-verify."),
    text(
        "token",
        "secret",
        "The secret id of an ACL token. Overrides NOMAD_TOKEN.",
    ),
];

/// Flags of commands that print objects.
pub(crate) const JSON: Flag = switch("json", "Print the answer as JSON.");
/// See [`JSON`].
pub(crate) const TEMPLATE: Flag = text("t", "template", "Print the answer through a Go template.");
/// Full ids and more detail.
pub(crate) const VERBOSE: Flag = switch("verbose", "Full ids and more detail.");
/// Do not wait.
pub(crate) const DETACH: Flag = switch(
    "detach",
    "Return at once instead of following what happens.",
);
/// Open the web UI.
pub(crate) const UI: Flag = switch("ui", "Open the matching page of the web UI in a browser.");
/// Select by an expression.
pub(crate) const FILTER: Flag = text("filter", "expression", "Only what this expression selects.");
/// Pages.
pub(crate) const PER_PAGE: Flag = crate::flags::int("per-page", "0", "How many to show at most.");
/// See [`PER_PAGE`].
pub(crate) const PAGE_TOKEN: Flag = text(
    "page-token",
    "token",
    "Where the page starts, as the previous one said.",
);
/// Variables of job files.
pub(crate) const VAR: Flag = list(
    "var",
    "name=value",
    "Sets an input variable of the file. May be repeated.",
);
/// See [`VAR`].
pub(crate) const VAR_FILE: Flag = list(
    "var-file",
    "path",
    "A file that sets input variables. May be repeated.",
);
