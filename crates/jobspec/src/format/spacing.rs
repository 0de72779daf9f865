//! Where one space belongs between two tokens.

use crate::syntax::lexer::Kind;

/// How many brackets a token opens; negative when it closes.
pub(super) fn bracket_change(kind: Kind) -> i32 {
    match kind {
        Kind::OpenBrace
        | Kind::OpenBracket
        | Kind::OpenParen
        | Kind::Interpolation
        | Kind::Directive => 1,
        Kind::CloseBrace | Kind::CloseBracket | Kind::CloseParen | Kind::SequenceEnd => -1,
        _ => 0,
    }
}

/// Whether a minus after this token is a sign.
fn minus_is_sign(before: Option<(Kind, &str)>) -> bool {
    let Some((kind, text)) = before else {
        return true;
    };
    match kind {
        Kind::Ident => ["in", "if"].contains(&text),
        Kind::Number
        | Kind::CloseParen
        | Kind::CloseBracket
        | Kind::CloseBrace
        | Kind::CloseQuote
        | Kind::CloseHeredoc
        | Kind::SequenceEnd => false,
        _ => true,
    }
}

/// Whether a space belongs between `subject` and `after`; `before` stands before the subject.
pub(super) fn space_between(
    before: Option<(Kind, &str)>,
    subject: (Kind, &str),
    after: (Kind, &str),
) -> bool {
    use Kind::*;
    let (kind, text) = subject;
    match (kind, after.0) {
        // Text of templates is nobody's to change.
        (QuotedText | HeredocText | OpenQuote | OpenHeredoc, _)
        | (_, QuotedText | HeredocText | CloseQuote | CloseHeredoc) => false,
        // What looks like a call is laid out as one, after a keyword, too.
        (Ident, OpenParen) => false,
        // Together they would be another number.
        (Number, Dot) => !matches!(before, Some((Dot, _))),
        (Dot, _) | (_, Dot | Comma | Ellipsis) => false,
        (Comma, _) => true,
        (Not, _) => false,
        (Minus, _) => !minus_is_sign(before),
        (Ident, OpenBracket) => ["in", "if"].contains(&text),
        (Number | CloseQuote | CloseParen | CloseBracket | CloseBrace, OpenBracket) => false,
        (OpenBrace, CloseBrace) => false,
        (Interpolation | Directive, OpenBrace) | (CloseBrace, SequenceEnd) => true,
        (OpenBrace, _) | (_, CloseBrace) => true,
        (SequenceEnd, Interpolation | Directive) => false,
        _ => bracket_change(kind) <= 0 && bracket_change(after.0) >= 0,
    }
}
