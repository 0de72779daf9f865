//! What is wrong with a job file, where, and what to do.
//!
//! Two forms: one line each (`file:line,column-column: Summary; detail`), for logs, answers and scripts, and
//! with the source line and a caret for people at a terminal.

use crate::source::{Range, Sources, Span};
use serde::{Serialize, Serializer};
use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The job cannot be read.
    Error,
    /// It can, but somebody should look at it.
    Warning,
}

/// One thing to tell about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub summary: String,
    pub detail: String,
    /// None when it is about no place, such as a missing job.
    pub range: Option<Range>,
    /// The first line of `range`.
    pub snippet: Option<String>,
    /// It only follows from another one, and a person need not see it.
    pub consequence: bool,
}

impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct At {
            line: usize,
            column: usize,
            byte: usize,
        }
        #[derive(Serialize)]
        struct Between<'a> {
            filename: &'a str,
            start: At,
            end: At,
        }
        #[derive(Serialize)]
        struct Form<'a> {
            severity: Severity,
            summary: &'a str,
            detail: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            range: Option<Between<'a>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            snippet: Option<&'a str>,
        }
        let at = |p: crate::source::Position| At {
            line: p.line,
            column: p.column,
            byte: p.byte,
        };
        Form {
            severity: self.severity,
            summary: &self.summary,
            detail: &self.detail,
            range: self.range.as_ref().map(|range| Between {
                filename: &range.file,
                start: at(range.start),
                end: at(range.end),
            }),
            snippet: self.snippet.as_deref(),
        }
        .serialize(serializer)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.range {
            Some(range) => write!(f, "{range}: ")?,
            None => f.write_str("<nil>: ")?,
        }
        write!(f, "{}; {}", self.summary, self.detail)
    }
}

impl Diagnostic {
    /// The form for a terminal, ending in a newline.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let paint = |code: &str, text: &str| match colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let (word, code) = match self.severity {
            Severity::Error => ("Error", "1;31"),
            Severity::Warning => ("Warning", "1;33"),
        };
        let mut out = format!("{}: {}\n", paint(code, word), paint("1", &self.summary));
        if let Some(range) = self.range.as_ref().filter(|range| range.start.line > 0) {
            let line = range.start.line.to_string();
            let gutter = " ".repeat(line.len());
            let (bar, arrow) = (paint("1;34", "|"), paint("1;34", "-->"));
            out += &format!(
                "{gutter}{arrow} {}:{}:{}\n",
                range.file, range.start.line, range.start.column
            );
            if let Some(text) = &self.snippet {
                let shown = text.replace('\t', " ");
                let width = match range.end.line == range.start.line {
                    true => range.end.column.saturating_sub(range.start.column).max(1),
                    false => {
                        let length = text.chars().count() + 1;
                        length.saturating_sub(range.start.column).max(1)
                    }
                };
                let pad = " ".repeat(range.start.column.saturating_sub(1));
                out += &format!("{gutter} {bar}\n{} {bar} {shown}\n", paint("1;34", &line));
                out += &format!("{gutter} {bar} {pad}{}\n", paint(code, &"^".repeat(width)));
                out += &format!("{gutter} {bar}\n");
            }
        }
        if !self.detail.is_empty() {
            for line in wrap(&self.detail, 78) {
                out += format!("  {line}").trim_end();
                out.push('\n');
            }
        }
        out
    }
}

/// Breaks text into lines of at most `width` characters where words allow it; its own line breaks are kept.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// Everything found wrong in one go; never without an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    pub list: Vec<Diagnostic>,
    /// Put before the first line: what could not be read.
    pub prefix: String,
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix)?;
        let errors = self.list.iter().filter(|d| d.severity == Severity::Error);
        if !self.prefix.is_empty() {
            // One sentence: what could not be read, and why.
            let mut errors = errors;
            if let Some(first) = errors.next() {
                write!(f, "{first}")?;
            }
            return match errors.count() {
                0 => Ok(()),
                others => write!(f, ", and {others} other diagnostic(s)"),
            };
        }
        for (at, diagnostic) in errors.enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

impl Diagnostics {
    /// The form for a terminal: with source lines, without what only follows from something else.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let mut shown: Vec<&Diagnostic> = self.list.iter().filter(|d| !d.consequence).collect();
        // In the order of the text, however they were found; what has no place comes first.
        shown.sort_by_key(|d| d.range.as_ref().map(|range| (&range.file, range.start)));
        shown.into_iter().map(|d| d.render(colour) + "\n").collect()
    }
}

/// More than this are not told: nobody reads them.
const MOST: usize = 500;

/// Collects diagnostics about the session's texts.
#[derive(Debug, Default)]
pub(crate) struct Diags {
    pub(crate) sources: Sources,
    pub(crate) list: Vec<Diagnostic>,
}

impl Diags {
    fn push(
        &mut self,
        severity: Severity,
        span: Option<Span>,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) {
        if self.list.len() < MOST {
            let told = self.tell(severity, span, summary, detail);
            self.list.push(told);
        }
    }

    /// Puts what was told since there were `from` diagnostics into the order of its places.
    pub(crate) fn in_file_order(&mut self, from: usize) {
        self.list[from..].sort_by_key(|told| told.range.as_ref().map(|range| range.start.byte));
    }

    /// Whether nothing more will be told, so that nothing need be prepared.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= MOST
    }

    /// A diagnostic that is not collected.
    pub(crate) fn tell(
        &self,
        severity: Severity,
        span: Option<Span>,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) -> Diagnostic {
        let range = span.map(|span| self.sources.range(span));
        let snippet = span.zip(range.as_ref()).map(|(span, range)| {
            let line = self.sources.file(span.file).line(range.start.line);
            line.chars().take(400).collect()
        });
        Diagnostic {
            severity,
            summary: summary.into(),
            detail: detail.into(),
            range,
            snippet,
            consequence: false,
        }
    }

    /// An error at a place.
    pub(crate) fn error(
        &mut self,
        span: Span,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.push(Severity::Error, Some(span), summary, detail);
    }

    /// An error that only follows from another one.
    pub(crate) fn consequence(
        &mut self,
        span: Span,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.error(span, summary, detail);
        if let Some(last) = self.list.last_mut() {
            last.consequence = true;
        }
    }

    /// An error about no place.
    pub(crate) fn error_nowhere(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.push(Severity::Error, None, summary, detail);
    }

    /// An error in a value that was not written in a file.
    pub(crate) fn error_outside(&mut self, summary: impl Into<String>, detail: impl Into<String>) {
        self.error_nowhere(summary, detail);
        if let Some(last) = self.list.last_mut() {
            last.range = Some(Range::default());
        }
    }

    /// A warning, perhaps at a place.
    pub(crate) fn warning(
        &mut self,
        span: Option<Span>,
        summary: impl Into<String>,
        detail: impl Into<String>,
    ) {
        self.push(Severity::Warning, span, summary, detail);
    }

    /// Whether there was an error since there were `since` diagnostics.
    pub(crate) fn failed_since(&self, since: usize) -> bool {
        let new = self.list.get(since..).unwrap_or_default();
        new.iter().any(|d| d.severity == Severity::Error) || self.list.len() >= MOST
    }

    /// The place as text, for mentioning it in a detail.
    pub(crate) fn at(&self, span: Span) -> String {
        self.sources.range(span).to_string()
    }
}
