//! Source texts and places in them.
//!
//! A [`Span`] is bytes of one text; lines and columns are only counted when somebody is told about them.
//! Columns count what a reader sees as one character.

use std::fmt;
use std::rc::Rc;
use unicode_segmentation::UnicodeSegmentation;

/// In lines longer than this, columns are bytes.
const LONG_LINE: usize = 4096;

/// Bytes of one of the session's texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) file: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn new(file: u32, start: usize, end: usize) -> Self {
        Self {
            file,
            start: start as u32,
            end: end as u32,
        }
    }

    /// From the start of this to the end of `last`.
    pub(crate) fn to(self, last: Self) -> Self {
        Self {
            end: last.end.max(self.start),
            ..self
        }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The place before the first byte.
    pub(crate) fn at_start(self) -> Self {
        Self {
            end: self.start,
            ..self
        }
    }

    /// The place after the last byte.
    pub(crate) fn at_end(self) -> Self {
        Self {
            start: self.end,
            ..self
        }
    }
}

/// A line and column, both from 1, and the byte, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
    pub byte: usize,
}

/// A stretch of a named file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    pub file: String,
    pub start: Position,
    /// Exclusive.
    pub end: Position,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, start, end } = self;
        write!(f, "{file}:{},{}-", start.line, start.column)?;
        if end.line != start.line {
            write!(f, "{},", end.line)?;
        }
        write!(f, "{}", end.column)
    }
}

/// One text with its name.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) name: String,
    pub(crate) text: Rc<str>,
    line_starts: Vec<u32>,
}

/// All texts of a session.
#[derive(Debug, Default)]
pub(crate) struct Sources(Vec<SourceFile>);

impl Sources {
    /// Adds a text and returns its number.
    pub(crate) fn add(&mut self, name: impl Into<String>, text: impl Into<Rc<str>>) -> u32 {
        let text = text.into();
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let line_starts = std::iter::once(0)
            .chain(starts.map(|(at, _)| at as u32 + 1))
            .collect();
        self.0.push(SourceFile {
            name: name.into(),
            text,
            line_starts,
        });
        self.0.len() as u32 - 1
    }

    /// The text of a file.
    pub(crate) fn file(&self, file: u32) -> &SourceFile {
        &self.0[file as usize]
    }

    /// The text of a span.
    pub(crate) fn text(&self, span: Span) -> &str {
        let text = &self.file(span.file).text;
        text.get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// Lines and columns of a span.
    pub(crate) fn range(&self, span: Span) -> Range {
        let file = self.file(span.file);
        Range {
            file: file.name.clone(),
            start: file.position(span.start),
            end: file.position(span.end),
        }
    }
}

impl SourceFile {
    fn position(&self, byte: u32) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= byte);
        let start = self.line_starts[line - 1] as usize;
        let before = self.text.get(start..byte as usize).unwrap_or_default();
        // Counting in lines that nobody reads would only take time.
        let column = match before.len() < LONG_LINE {
            true => before.graphemes(true).count(),
            false => before.len(),
        };
        Position {
            line,
            column: column + 1,
            byte: byte as usize,
        }
    }

    /// The text of a line, from 1, without its end.
    pub(crate) fn line(&self, line: usize) -> &str {
        let start = self.line_starts[line - 1] as usize;
        let end = self
            .line_starts
            .get(line)
            .map_or(self.text.len(), |next| *next as usize);
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }
}
