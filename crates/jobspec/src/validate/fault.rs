//! Errors that contain errors, and how they are written.
//!
//! People's scripts read these texts, so their layout is kept: `2 errors occurred:`, then each behind a tab and a
//! star, then an empty line, and the same again inside.

use std::fmt;

/// One error, perhaps made of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Text(String),
    Several(Faults),
}

/// Several errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    /// Adds an error.
    pub(crate) fn add(&mut self, text: impl Into<String>) {
        self.0.push(Fault::Text(text.into()));
    }

    /// Adds an error when the condition is met.
    pub(crate) fn add_if(&mut self, condition: bool, text: impl Into<String>) {
        if condition {
            self.add(text);
        }
    }

    /// Adds errors, if there are any, as one with a text before them.
    pub(crate) fn nest(&mut self, before: &str, inner: Self) {
        if !inner.0.is_empty() {
            self.add(format!("{before}{inner}"));
        }
    }

    /// Adds errors, if there are any, as one.
    pub(crate) fn nest_bare(&mut self, inner: Self) {
        if !inner.0.is_empty() {
            self.0.push(Fault::Several(inner));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One text for each.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.iter().map(Fault::to_string).collect()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Several(faults) => write!(f, "{faults}"),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&error_text(&self.texts()))
    }
}

/// Several errors as one text.
#[must_use]
pub fn error_text(errors: &[String]) -> String {
    let plural = if errors.len() == 1 { "" } else { "s" };
    let lines: String = errors
        .iter()
        .map(|error| format!("\t* {error}\n"))
        .collect();
    format!("{} error{plural} occurred:\n{lines}\n", errors.len())
}

/// Warnings as one text; empty without any.
#[must_use]
pub fn warning_text(warnings: &[String]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let plural = if warnings.len() == 1 { "" } else { "s" };
    let lines: Vec<String> = warnings
        .iter()
        .map(|it| format!("* {}", it.trim()))
        .collect();
    format!(
        "{} warning{plural}:\n\n{}",
        warnings.len(),
        lines.join("\n")
    )
}
