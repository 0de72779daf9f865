//! Quoted strings and heredocs into templates.

use super::ast::{Expr, ExprKind, Name, Part};
use super::heredoc::unindent;
use super::lexer::{Kind, Token};
use super::parser::{Failed, Parsed, Parser};
use crate::source::Span;

/// A template before its directives are matched.
#[derive(Debug)]
pub(crate) enum Piece {
    Text {
        text: String,
        span: Span,
    },
    Value {
        expr: Expr,
        span: Span,
    },
    If {
        condition: Expr,
        span: Span,
    },
    Else(Span),
    EndIf(Span),
    For {
        key_name: Option<Name>,
        value_name: Name,
        collection: Expr,
        span: Span,
    },
    EndFor(Span),
}

const TOO_DEEP: &str = "These directives are nested too deeply.";

impl Parser<'_> {
    /// A quoted string or heredoc, whose first token was taken.
    pub(crate) fn template(&mut self, open: Token) -> Parsed<Expr> {
        let quoted = open.kind == Kind::OpenQuote;
        let end = match quoted {
            true => Kind::CloseQuote,
            false => Kind::CloseHeredoc,
        };
        let mut pieces = Vec::new();
        let close = self.pieces(&mut pieces, end)?;
        if !quoted && self.source(open.span).starts_with("<<-") {
            unindent(&mut pieces);
        }
        self.assemble(pieces, open.span.to(close.span), close.span)
    }

    /// The expression that these pieces make.
    fn assemble(&mut self, mut pieces: Vec<Piece>, span: Span, close: Span) -> Parsed<Expr> {
        if let [Piece::Value { .. }] = pieces.as_slice()
            && let Some(Piece::Value { expr, span: inner }) = pieces.pop()
        {
            let sequence = inner;
            let expr = expr.into();
            return Ok(Expr::new(span, ExprKind::Wrapped { expr, sequence }));
        }
        if let [Piece::Text { .. }] | [] = pieces.as_slice() {
            let (text, inner) = match pieces.pop() {
                Some(Piece::Text { text, span }) => (text, span),
                _ => (String::new(), close.at_end()),
            };
            return Ok(Expr::new(span, ExprKind::Text(text.into(), inner)));
        }
        let mut pieces = pieces.into_iter();
        let mut parts = Vec::new();
        match self.parts(&mut pieces, &mut parts, None, close)? {
            None => Ok(Expr::new(span, ExprKind::Template(parts))),
            Some((word, at)) => self.unexpected_directive(word, at),
        }
    }

    /// A template without quotes, up to the end of the tokens.
    pub(crate) fn bare_template(&mut self, span: Span) -> Parsed<Expr> {
        let mut pieces = Vec::new();
        let close = self.pieces(&mut pieces, Kind::End)?;
        self.assemble(pieces, span, close.span)
    }

    fn unexpected_directive<T>(&mut self, word: &str, at: Span) -> Parsed<T> {
        let detail = format!("There is no directive open that {word:?} could belong to here.");
        self.fail(at, &format!("Unexpected {word} directive"), detail)
    }

    /// Reads up to the closing token.
    fn pieces(&mut self, pieces: &mut Vec<Piece>, end: Kind) -> Parsed<Token> {
        let mut trim_next = false;
        let mut open = 0usize;
        loop {
            let token = self.tokens[self.at.min(self.tokens.len() - 1)];
            self.at += 1;
            match token.kind {
                Kind::QuotedText | Kind::HeredocText => {
                    let mut text = match token.kind {
                        Kind::QuotedText => self.unescape(token.span),
                        _ => unescape_sequences(self.source(token.span)),
                    };
                    if std::mem::take(&mut trim_next) {
                        text = text.trim_start().to_owned();
                    }
                    pieces.push(Piece::Text {
                        text,
                        span: token.span,
                    });
                }
                Kind::Interpolation | Kind::Directive => {
                    if self.source(token.span).ends_with('~')
                        && let Some(Piece::Text { text, .. }) = pieces.last_mut()
                    {
                        text.truncate(text.trim_end().len());
                    }
                    self.newlines.push(false);
                    let piece = self.deeper(|parser| match token.kind {
                        Kind::Interpolation => parser.interpolation(token),
                        _ => parser.directive(token),
                    });
                    self.newlines.pop();
                    let (piece, close) = piece?;
                    trim_next = self.source(close.span).starts_with('~');
                    open = match piece {
                        Piece::If { .. } | Piece::For { .. } => open + 1,
                        Piece::EndIf(_) | Piece::EndFor(_) => open.saturating_sub(1),
                        _ => open,
                    };
                    if open > super::parser::MOST_DEPTH {
                        return self.fail(token.span, "Nested too deeply", TOO_DEEP);
                    }
                    pieces.push(piece);
                }
                kind if kind == end => {
                    pieces.retain(
                        |piece| !matches!(piece, Piece::Text { text, .. } if text.is_empty()),
                    );
                    return Ok(token);
                }
                Kind::End => {
                    return self.fail(
                        token.span,
                        "Unterminated template string",
                        "No closing marker was found for the string.",
                    );
                }
                _ => {
                    self.at -= 1;
                    return self.invalid(token);
                }
            }
        }
    }

    fn interpolation(&mut self, open: Token) -> Parsed<(Piece, Token)> {
        let expr = self.expression()?;
        let close = self.sequence_end(open)?;
        let span = open.span.to(close.span);
        Ok((Piece::Value { expr, span }, close))
    }

    fn sequence_end(&mut self, open: Token) -> Parsed<Token> {
        let token = self.peek();
        match token.kind {
            Kind::SequenceEnd => {
                self.at += 1;
                Ok(token)
            }
            Kind::BrokenQuote | Kind::Invalid | Kind::TooMany => self.invalid(token),
            Kind::End => self.fail(
                open.span,
                "Unclosed template interpolation sequence",
                "There is no closing brace for this interpolation sequence before the end of the file. This might be \
                 caused by incorrect nesting inside the given expression.",
            ),
            _ => self.fail(
                token.span,
                "Extra characters after interpolation expression",
                "Expected a closing brace to end the interpolation expression, but found extra characters.",
            ),
        }
    }

    fn directive(&mut self, open: Token) -> Parsed<(Piece, Token)> {
        let token = self.next();
        let word = match token.kind {
            Kind::Ident => self.source(token.span).to_owned(),
            _ => String::new(),
        };
        let piece = match word.as_str() {
            "if" => Piece::If {
                condition: self.expression()?,
                span: open.span,
            },
            "for" => {
                let (key_name, value_name, collection) = self.for_header()?;
                Piece::For {
                    key_name,
                    value_name,
                    collection,
                    span: open.span,
                }
            }
            "else" => Piece::Else(open.span),
            "endif" => Piece::EndIf(open.span),
            "endfor" => Piece::EndFor(open.span),
            _ => {
                self.at -= 1;
                let detail = match word.is_empty() {
                    true => "A template directive keyword (\"if\", \"for\", etc) is expected at the beginning of a \
                             %{ sequence."
                        .to_owned(),
                    false => format!("{word:?} is not a valid template directive keyword."),
                };
                return self.fail(token.span, "Invalid template directive", detail);
            }
        };
        let close = self.sequence_end(open)?;
        let span = open.span.to(close.span);
        let piece = match piece {
            Piece::If { condition, .. } => Piece::If { condition, span },
            Piece::For {
                key_name,
                value_name,
                collection,
                ..
            } => Piece::For {
                key_name,
                value_name,
                collection,
                span,
            },
            Piece::Else(_) => Piece::Else(span),
            Piece::EndIf(_) => Piece::EndIf(span),
            Piece::EndFor(_) => Piece::EndFor(span),
            other => other,
        };
        Ok((piece, close))
    }

    /// Matches directives. Answers with the directive that ended the parts, if it was not the text's end;
    /// `within` names the directive that is open, and where.
    fn parts(
        &mut self,
        pieces: &mut std::vec::IntoIter<Piece>,
        parts: &mut Vec<Part>,
        within: Option<(&str, Span)>,
        end: Span,
    ) -> Parsed<Option<(&'static str, Span)>> {
        self.depth += 1;
        if self.depth > super::parser::MOST_DEPTH {
            self.depth -= 1;
            return self.fail(end, "Nested too deeply", TOO_DEEP);
        }
        let result = self.parts_inner(pieces, parts, within, end);
        self.depth -= 1;
        result
    }

    fn parts_inner(
        &mut self,
        pieces: &mut std::vec::IntoIter<Piece>,
        parts: &mut Vec<Part>,
        within: Option<(&str, Span)>,
        end: Span,
    ) -> Parsed<Option<(&'static str, Span)>> {
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Text { text, span } => parts.push(Part::Text(text.into(), span)),
                Piece::Value { expr, span } => parts.push(Part::Value(expr, span)),
                Piece::Else(span) => return Ok(Some(("else", span))),
                Piece::EndIf(span) => return Ok(Some(("endif", span))),
                Piece::EndFor(span) => return Ok(Some(("endfor", span))),
                Piece::If { condition, span } => {
                    let (yes, no) = self.branches(pieces, span, end)?;
                    parts.push(Part::If {
                        condition,
                        yes,
                        no,
                        span,
                    });
                }
                Piece::For {
                    key_name,
                    value_name,
                    collection,
                    span,
                } => {
                    let mut body = Vec::new();
                    match self.parts(pieces, &mut body, Some(("for", span)), end)? {
                        Some(("endfor", _)) => {}
                        Some((word, at)) => return self.unexpected_directive(word, at),
                        None => return Err(Failed),
                    }
                    parts.push(Part::For {
                        key_name,
                        value_name,
                        collection,
                        body,
                        span,
                    });
                }
            }
        }
        let Some((word, opened)) = within else {
            return Ok(None);
        };
        let detail = format!(
            "The {word} directive at {} is missing its corresponding end{word} directive.",
            self.diags.at(opened)
        );
        self.fail(end, "Unexpected end of template", detail)
    }

    fn branches(
        &mut self,
        pieces: &mut std::vec::IntoIter<Piece>,
        opened: Span,
        end: Span,
    ) -> Parsed<(Vec<Part>, Vec<Part>)> {
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        match self.parts(pieces, &mut yes, Some(("if", opened)), end)? {
            Some(("endif", _)) => return Ok((yes, no)),
            Some(("else", _)) => {}
            Some((word, at)) => return self.unexpected_directive(word, at),
            None => return Err(Failed),
        }
        match self.parts(pieces, &mut no, Some(("if", opened)), end)? {
            Some(("endif", _)) => Ok((yes, no)),
            Some((word, at)) => self.unexpected_directive(word, at),
            None => Err(Failed),
        }
    }

    /// Quoted text as it is meant. Wrong escapes are told and left out.
    pub(crate) fn unescape(&mut self, span: Span) -> String {
        let source = self.text[span.start as usize..span.end as usize].to_owned();
        if !source.contains('\\') {
            return unescape_sequences(&source);
        }
        let mut out = String::with_capacity(source.len());
        let mut rest = source.as_str();
        while let Some(found) = rest.find('\\') {
            out += &unescape_sequences(&rest[..found]);
            let from = source.len() - rest.len() + found;
            let after = &rest[found + 1..];
            let selector = after.chars().next().unwrap_or('\\');
            let mut length = selector.len_utf8();
            match selector {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                '"' => out.push('"'),
                '\\' => out.push('\\'),
                'u' | 'U' => {
                    let digits = if selector == 'u' { 4 } else { 8 };
                    let code = after
                        .get(1..=digits)
                        .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
                    match code.map(|hex| u32::from_str_radix(hex, 16)) {
                        Some(Ok(code)) => {
                            out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                            length += digits;
                        }
                        _ => self.bad_escape(span, from, 1 + length, &format!(
                            "The \\{selector} escape sequence must be followed by {digits} hexadecimal digits."
                        )),
                    }
                }
                other => self.bad_escape(
                    span,
                    from,
                    1 + length,
                    &format!(
                        "The symbol {:?} is not a valid escape sequence selector.",
                        other.to_string()
                    ),
                ),
            }
            rest = &after[length.min(after.len())..];
        }
        out + &unescape_sequences(rest)
    }

    fn bad_escape(&mut self, span: Span, from: usize, length: usize, detail: &str) {
        let start = span.start as usize + from;
        let place = Span::new(span.file, start, start + length);
        self.diags.error(place, "Invalid escape sequence", detail);
    }
}

/// `$${` and `%%{` as they are meant.
fn unescape_sequences(text: &str) -> String {
    if !text.contains("$${") && !text.contains("%%{") {
        return text.to_owned();
    }
    text.replace("$${", "${").replace("%%{", "%{")
}
