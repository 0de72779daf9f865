//! Layout of job files: indentation by brackets, equals signs and trailing comments in columns, one space where
//! one belongs. Words, their order, line breaks and comments stay as they are.
//!
//! Works on tokens, not on trees, so that nothing can get lost.

mod spacing;
mod strange;

use crate::diagnostic::{Diagnostics, Diags};
use crate::inputs::Source;
use crate::source::Span;
use crate::syntax::lexer::{Kind, Token, lex};
use crate::syntax::parser::parse_file;
use spacing::{bracket_change, space_between};
pub use strange::format_bytes;
use unicode_segmentation::UnicodeSegmentation;

const INDENT: usize = 2;

/// A token with its text and the blanks before it.
#[derive(Clone, Copy, Debug)]
struct Piece<'a> {
    kind: Kind,
    text: &'a str,
    before: usize,
    /// The blanks before it belong to what it means.
    fixed: bool,
}

impl Piece<'_> {
    fn width(&self) -> usize {
        self.before + self.text.graphemes(true).count()
    }
}

/// A line: what leads, what is assigned, and the comment behind. Heredocs are part of the line they begin on.
#[derive(Debug, Default)]
struct Line<'a> {
    lead: Vec<Piece<'a>>,
    assign: Vec<Piece<'a>>,
    comment: Vec<Piece<'a>>,
    /// `\n`, `\r\n`, or nothing at the end of the file.
    end: &'a str,
}

/// Lays out a job file, or any other file of the language; [`format_bytes`] does when its comments are in another
/// encoding.
///
/// # Errors
/// The file's syntax errors.
pub fn format_source(source: &Source) -> Result<String, Diagnostics> {
    let mut diags = Diags::default();
    let text = match std::str::from_utf8(&source.bytes) {
        Ok(text) => text,
        Err(error) => {
            let text = String::from_utf8_lossy(&source.bytes).into_owned();
            let file = diags.sources.add(&*source.name, text);
            let at = error.valid_up_to();
            let detail = "All input files must be UTF-8 encoded.";
            diags.error(
                Span::new(file, at, at + 3),
                "Invalid character encoding",
                detail,
            );
            return Err(refused(diags));
        }
    };
    let file = diags.sources.add(&*source.name, text);
    parse_file(file, &mut diags);
    if diags.failed_since(0) {
        return Err(refused(diags));
    }
    Ok(layout(file, text))
}

fn refused(diags: Diags) -> Diagnostics {
    Diagnostics {
        list: diags.list,
        prefix: String::new(),
    }
}

fn layout(file: u32, text: &str) -> String {
    let tokens = lex(file, text);
    let mut lines = split(text, &tokens);
    indent(&mut lines);
    for line in &mut lines {
        space(line);
    }
    align(
        &mut lines,
        |line| &mut line.assign,
        |line| width(&line.lead),
    );
    align(
        &mut lines,
        |line| &mut line.comment,
        |line| width(&line.lead) + width(&line.assign),
    );
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    if text.starts_with('\u{feff}') {
        out.push('\u{feff}');
    }
    for line in &lines {
        for piece in line.lead.iter().chain(&line.assign).chain(&line.comment) {
            out.extend(std::iter::repeat_n(' ', piece.before));
            out.push_str(piece.text);
        }
        out.push_str(line.end);
    }
    out
}

fn width(pieces: &[Piece<'_>]) -> usize {
    pieces.iter().map(Piece::width).sum()
}

/// Tokens into lines.
fn split<'a>(text: &'a str, tokens: &[Token]) -> Vec<Line<'a>> {
    let mut lines = vec![Line::default()];
    let mut heredocs = 0usize;
    let mut fixed_until = 0;
    let mut last_end = 0;
    for (at, token) in tokens.iter().enumerate() {
        let (start, end) = (token.span.start as usize, token.span.end as usize);
        let fixed = at < fixed_until;
        let piece = Piece {
            kind: token.kind,
            text: &text[start..end],
            before: if fixed { start - last_end } else { 0 },
            fixed,
        };
        last_end = end;
        if token.kind == Kind::Interpolation {
            fixed_until = fixed_until.max(runtime_reference(text, tokens, at));
        }
        match token.kind {
            Kind::OpenHeredoc => heredocs += 1,
            Kind::CloseHeredoc => heredocs = heredocs.saturating_sub(1),
            Kind::End => break,
            Kind::Newline if heredocs == 0 => {
                if let Some(line) = lines.last_mut() {
                    line.end = piece.text;
                }
                lines.push(Line::default());
                continue;
            }
            _ => {}
        }
        if let Some(line) = lines.last_mut() {
            line.lead.push(piece);
        }
    }
    lines.iter_mut().for_each(cells);
    lines
}

/// Where the interpolation at `at` ends, if it is one for the runtime: that is kept as it was written, blanks and
/// all. Otherwise `at`.
fn runtime_reference(text: &str, tokens: &[Token], at: usize) -> usize {
    use Kind::{CloseBracket, CloseQuote, Dot, Ident, Number, OpenBracket, OpenQuote, QuotedText};
    let word = |token: &Token| &text[token.span.start as usize..token.span.end as usize];
    let Some(first) = tokens.get(at + 1).filter(|first| first.kind == Ident) else {
        return at;
    };
    if ["var", "local"].contains(&word(first)) {
        return at;
    }
    let parts = [
        Ident,
        Dot,
        Number,
        OpenBracket,
        CloseBracket,
        OpenQuote,
        QuotedText,
        CloseQuote,
    ];
    let mut end = at + 1;
    while tokens
        .get(end)
        .is_some_and(|token| parts.contains(&token.kind))
    {
        end += 1;
    }
    match tokens.get(end).map(|token| token.kind) {
        Some(Kind::SequenceEnd) => end + 1,
        _ => at,
    }
}

/// Takes the trailing comment and the assignment out of the lead. An assignment that opens a bracket for the
/// lines below stays where it is: it is no column.
fn cells(line: &mut Line<'_>) {
    let is_comment = |piece: &Piece<'_>| piece.kind == Kind::LineComment;
    if line.lead.len() > 1 && line.lead.last().is_some_and(is_comment) {
        line.comment = line.lead.split_off(line.lead.len() - 1);
    }
    let equals = line
        .lead
        .iter()
        .skip(1)
        .position(|piece| piece.kind == Kind::Equal);
    if let Some(at) = equals.map(|at| at + 1) {
        let net: i32 = line.lead[at..]
            .iter()
            .map(|piece| bracket_change(piece.kind))
            .sum();
        if net == 0 {
            line.assign = line.lead.split_off(at);
        }
    }
}

/// Indents each line by the lines above that left brackets open. Several brackets opened on one line count once.
fn indent(lines: &mut [Line<'_>]) {
    let mut open: Vec<i32> = Vec::new();
    for line in lines {
        let net: i32 = line
            .lead
            .iter()
            .chain(&line.assign)
            .map(|piece| bracket_change(piece.kind))
            .sum();
        let mut level = open.len();
        if net > 0 {
            open.push(net);
        }
        let mut closed = -net;
        while closed > 0 {
            let Some(last) = open.last_mut() else { break };
            if closed < *last {
                *last -= closed;
                break;
            }
            closed -= *last;
            open.pop();
        }
        if net < 0 {
            level = open.len();
        }
        let own_line_comment = line.lead.is_empty().then_some(&mut line.comment);
        let first = own_line_comment.unwrap_or(&mut line.lead).first_mut();
        if let Some(first) = first {
            first.before = level * INDENT;
        }
    }
}

/// Puts one space or none between the pieces of a line.
fn space(line: &mut Line<'_>) {
    let in_assign = line.lead.len();
    let mut all: Vec<&mut Piece<'_>> = line.lead.iter_mut().chain(&mut line.assign).collect();
    let kinds: Vec<(Kind, &str)> = all.iter().map(|piece| (piece.kind, piece.text)).collect();
    for at in 1..all.len() {
        let before = at.checked_sub(2).map(|at| kinds[at]);
        let wanted = at == in_assign || space_between(before, kinds[at - 1], kinds[at]);
        if !all[at].fixed {
            all[at].before = usize::from(wanted);
        }
    }
}

/// Brings a cell of neighbouring lines that have it into one column.
fn align<'a>(
    lines: &mut [Line<'a>],
    cell: for<'l> fn(&'l mut Line<'a>) -> &'l mut Vec<Piece<'a>>,
    before: fn(&Line<'a>) -> usize,
) {
    let mut start = 0;
    while start < lines.len() {
        let mut end = start;
        while end < lines.len() && !cell(&mut lines[end]).is_empty() {
            end += 1;
        }
        let widest = lines[start..end].iter().map(before).max().unwrap_or(0);
        for line in &mut lines[start..end] {
            let own = before(line);
            if let Some(first) = cell(line).first_mut() {
                first.before = widest - own + 1;
            }
        }
        start = end.max(start + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::format_source;
    use crate::Source;
    use crate::syntax::lexer::{Kind, lex};

    fn format(text: &str) -> String {
        format_source(&Source::new("test.hcl", text)).expect(text)
    }

    /// Kinds and texts of everything but blanks.
    fn words(text: &str) -> Vec<(Kind, String)> {
        let tokens = lex(0, text).into_iter();
        let words = tokens.map(|t| {
            (
                t.kind,
                text[t.span.start as usize..t.span.end as usize].to_owned(),
            )
        });
        words.collect()
    }

    #[test]
    fn nothing_gets_lost_and_once_is_enough() {
        for text in [
            "a=1 # x\n/* y */ bb = [ 1,2\n] // z\n",
            "x = { a = 1\n b = \"${ f( 1 ) }%{if true}y%{endif}\" }\n",
            "h = f(<<A, <<B)\n  a ${x+1}\nA\n   b\n  B\n",
            "a = x [0] .y . * . z\r\nb = -1 - -x\r\n",
            "c = a?b:[for x in [1]:x if !x]\n\n\n",
        ] {
            let Ok(once) = format_source(&Source::new("t", text)) else {
                continue;
            };
            assert_eq!(words(text), words(&once), "{text:?}");
            assert_eq!(format(&once), once, "{text:?}");
        }
    }

    #[test]
    fn blanks_between_words() {
        for (text, expected) in [
            (
                "a = [ /* x */ 1, 2 /* y */ , 3 ]\n",
                "a = [/* x */ 1, 2 /* y */, 3]\n",
            ),
            ("a = f( /* x */ b /* y */ )\n", "a = f(/* x */ b /* y */)\n"),
            (
                "a = {/* x */ b=1/* y */}\n",
                "a = { /* x */ b = 1 /* y */ }\n",
            ),
            (
                "a = [for x in (b): x if (c)]\n",
                "a = [for x in(b) : x if(c)]\n",
            ),
            ("a = [for x in [1]: x]\n", "a = [for x in [1] : x]\n"),
        ] {
            assert_eq!(format(text), expected);
        }
    }

    #[test]
    fn columns_are_of_neighbours_only() {
        let text = "a = 1 # one\nlonger = 2\n\nb = [\n1,\n]\ncc = 3 // three\n";
        let expected = "a      = 1 # one\nlonger = 2\n\nb = [\n  1,\n]\ncc = 3 // three\n";
        assert_eq!(format(text), expected);
    }
}
