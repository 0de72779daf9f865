//! The grammar, as a recursive descent with backtracking. The error is that of the furthest place reached, with
//! everything that was tried there.

use std::{cell::RefCell, collections::BTreeSet, fmt};

use caravan_model::regexp;
use regex::Regex;

use super::tree::{Expression, Selector, Test};

/// Why an expression does not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    line: usize,
    column: usize,
    offset: usize,
    expected: Vec<String>,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            offset,
            expected,
        } = self; // exhaustive
        write!(f, "{line}:{column} ({offset}): no match found, expected: ")?;
        match expected.as_slice() {
            [] => f.write_str("nothing"),
            [one] => f.write_str(one),
            [first @ .., last] => write!(f, "{} or {last}", first.join(", ")),
        }
    }
}

impl std::error::Error for ParseError {}

pub(super) fn parse(text: &str) -> Result<Expression, ParseError> {
    let parser = Parser {
        text,
        furthest: RefCell::default(),
    };
    let at = parser.spaces(0);
    if let Some((expression, at)) = parser.or(at) {
        let at = parser.spaces(at);
        if at == text.len() {
            return Ok(expression);
        }
        parser.failed(at, "EOF");
    }
    Err(parser.error())
}

#[derive(Default)]
struct Furthest {
    at: usize,
    expected: BTreeSet<String>,
}

struct Parser<'a> {
    text: &'a str,
    furthest: RefCell<Furthest>,
}

const SPACE: &str = r"[ \t\r\n]";
type Parsed<T> = Option<(T, usize)>;

impl Parser<'_> {
    fn failed(&self, at: usize, expected: &str) {
        let mut furthest = self.furthest.borrow_mut();
        if at > furthest.at {
            furthest.at = at;
            furthest.expected.clear();
        }
        if at == furthest.at {
            furthest.expected.insert(expected.to_owned());
        }
    }

    fn error(&self) -> ParseError {
        let Furthest { at, expected } = &*self.furthest.borrow(); // exhaustive
        let before = &self.text[..*at];
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        ParseError {
            line,
            column,
            offset: *at,
            expected: expected.iter().cloned().collect(),
        }
    }

    fn rest(&self, at: usize) -> &str {
        &self.text[at..]
    }

    fn literal(&self, at: usize, word: &str) -> Option<usize> {
        if self.rest(at).starts_with(word) {
            return Some(at + word.len());
        }
        self.failed(
            at,
            &format!("\"{}\"", if word == "\"" { "\\\"" } else { word }),
        );
        None
    }

    fn class(&self, at: usize, name: &str, is: impl Fn(char) -> bool) -> Option<usize> {
        match self.rest(at).chars().next().filter(|c| is(*c)) {
            Some(c) => Some(at + c.len_utf8()),
            None => {
                self.failed(at, name);
                None
            }
        }
    }

    fn spaces(&self, mut at: usize) -> usize {
        while let Some(next) = self.class(at, SPACE, |c| matches!(c, ' ' | '\t' | '\r' | '\n')) {
            at = next;
        }
        at
    }

    /// At least one space.
    fn gap(&self, at: usize) -> Option<usize> {
        let next = self.spaces(at);
        (next > at).then_some(next)
    }

    /// A word with a space before and behind it.
    fn spaced(&self, at: usize, words: &[&str]) -> Option<usize> {
        let mut at = at;
        for word in words {
            at = self.literal(self.gap(at)?, word)?;
        }
        Some(at)
    }

    fn or(&self, at: usize) -> Parsed<Expression> {
        let (left, at) = self.and(at)?;
        if let Some(next) = self.spaced(at, &["or"]).and_then(|at| self.gap(at))
            && let Some((right, at)) = self.or(next)
        {
            return Some((Expression::Or(Box::new(left), Box::new(right)), at));
        }
        Some((left, at))
    }

    fn and(&self, at: usize) -> Parsed<Expression> {
        let (left, at) = self.not(at)?;
        if let Some(next) = self.spaced(at, &["and"]).and_then(|at| self.gap(at))
            && let Some((right, at)) = self.and(next)
        {
            return Some((Expression::And(Box::new(left), Box::new(right)), at));
        }
        Some((left, at))
    }

    fn not(&self, at: usize) -> Parsed<Expression> {
        if let Some(next) = self.literal(at, "not").and_then(|at| self.gap(at))
            && let Some((inner, at)) = self.not(next)
        {
            return Some((Expression::Not(Box::new(inner)), at));
        }
        self.group(at)
    }

    fn group(&self, at: usize) -> Parsed<Expression> {
        if let Some(next) = self.literal(at, "(") {
            let (inner, at) = self.or(self.spaces(next))?;
            let at = self.literal(self.spaces(at), ")")?;
            return Some((inner, at));
        }
        self.each(at)
            .or_else(|| self.selector_first(at))
            .or_else(|| self.value_first(at))
    }

    /// `any Tags as tag { tag == "x" }`
    fn each(&self, at: usize) -> Parsed<Expression> {
        let (all, next) = match self.literal(at, "all") {
            Some(next) => (true, next),
            None => (false, self.literal(at, "any")?),
        };
        let (selector, at) = self.selector(self.gap(next)?)?;
        let at = self.gap(self.spaced(at, &["as"])?)?;
        let (names, at) = self.names(at)?;
        let at = self.literal(self.spaces(at), "{")?;
        let (inner, at) = self.or(self.spaces(at))?;
        let at = self.literal(self.spaces(at), "}")?;
        Some((
            Expression::Each {
                all,
                selector,
                names,
                inner: Box::new(inner),
            },
            at,
        ))
    }

    fn names(&self, at: usize) -> Parsed<Vec<String>> {
        let Some(next) = self.literal(at, "(") else {
            return self.identifier(at).map(|(name, at)| (vec![name], at));
        };
        let (first, at) = self.identifier(self.spaces(next))?;
        let at = self.literal(self.spaces(at), ",")?;
        let (second, at) = self.identifier(self.spaces(at))?;
        let at = self.literal(self.spaces(at), ")")?;
        Some((vec![first, second], at))
    }

    fn selector_first(&self, at: usize) -> Parsed<Expression> {
        let (selector, at) = self.selector(at)?;
        let ((negated, test), at) = self
            .equal(at)
            .or_else(|| self.contains(at))
            .or_else(|| self.matches(at))
            .or_else(|| self.is(at))?;
        Some((
            Expression::Match {
                selector,
                negated,
                test,
            },
            at,
        ))
    }

    fn equal(&self, at: usize) -> Parsed<(bool, Test)> {
        let (negated, at) = self.equality(at)?;
        let (value, at) = self.value(at)?;
        Some(((negated, Test::Equal(value)), at))
    }

    fn contains(&self, at: usize) -> Parsed<(bool, Test)> {
        let (negated, at) = self.operator(at, "contains")?;
        let (value, at) = self.value(at)?;
        Some(((negated, Test::Contains(value)), at))
    }

    fn matches(&self, at: usize) -> Parsed<(bool, Test)> {
        let (negated, at) = self.operator(at, "matches")?;
        let (source, at) = self.value(at)?;
        let usual = regexp::translated(&source).ok();
        let regex = usual.and_then(|usual| Regex::new(&usual).ok());
        let regex = regex.map(Box::new);
        Some(((negated, Test::Matches { source, regex }), at))
    }

    fn is(&self, at: usize) -> Parsed<(bool, Test)> {
        for (negated, test, words) in [
            (false, Test::Empty, &["is", "empty"][..]),
            (true, Test::Empty, &["is", "not", "empty"]),
            (false, Test::Nil, &["is", "nil"]),
            (true, Test::Nil, &["is", "not", "nil"]),
        ] {
            if let Some(at) = self.spaced(at, words) {
                return Some(((negated, test), at));
            }
        }
        None
    }

    /// A word between a member and a value; whether there is a `not` before it.
    fn operator(&self, at: usize, word: &str) -> Parsed<bool> {
        [(false, &[word][..]), (true, &["not", word])]
            .into_iter()
            .find_map(|(negated, words)| {
                let at = self.gap(self.spaced(at, words)?)?;
                Some((negated, at))
            })
    }

    fn equality(&self, at: usize) -> Parsed<bool> {
        let at = self.spaces(at);
        if let Some(at) = self.literal(at, "==") {
            return Some((false, self.spaces(at)));
        }
        self.literal(at, "!=").map(|at| (true, self.spaces(at)))
    }

    fn value_first(&self, at: usize) -> Parsed<Expression> {
        let (value, at) = self.value(at)?;
        let (negated, at) = self.operator(at, "in")?;
        let (selector, at) = self.selector(at)?;
        Some((
            Expression::Match {
                selector,
                negated,
                test: Test::Contains(value),
            },
            at,
        ))
    }

    fn selector(&self, at: usize) -> Parsed<Selector> {
        if let Some(found) = self.pointer(at) {
            return Some(found);
        }
        let (first, mut at) = self.identifier(at)?;
        let mut path = vec![first];
        while let Some((part, next)) = self.dotted(at).or_else(|| self.indexed(at)) {
            path.push(part);
            at = next;
        }
        Some((Selector(path), at))
    }

    fn dotted(&self, at: usize) -> Parsed<String> {
        let start = self.literal(at, ".")?;
        if let Some(found) = self.identifier(start) {
            return Some(found);
        }
        let mut at = self.class(start, "[0-9]", |c| c.is_ascii_digit())?;
        while let Some(next) = self.class(at, "[0-9]", |c| c.is_ascii_digit()) {
            at = next;
        }
        Some((self.text[start..at].to_owned(), at))
    }

    fn indexed(&self, at: usize) -> Parsed<String> {
        let at = self.literal(at, "[")?;
        let (part, at) = self.string(self.spaces(at))?;
        let at = self.literal(self.spaces(at), "]")?;
        Some((part, at))
    }

    /// `"/Meta/with space"`, in the manner of JSON pointers.
    fn pointer(&self, at: usize) -> Parsed<Selector> {
        if !self.rest(at).starts_with("\"/") {
            self.failed(at, "\"\\\"\"");
            return None;
        }
        let (text, at) = self.string(at)?;
        let path = text[1..]
            .split('/')
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .collect();
        Some((Selector(path), at))
    }

    fn identifier(&self, start: usize) -> Parsed<String> {
        let mut at = self.class(start, "[a-zA-Z]", |c| c.is_ascii_alphabetic())?;
        while let Some(next) = self.class(at, "[a-zA-Z0-9_/]", |c| {
            c.is_ascii_alphanumeric() || matches!(c, '_' | '/')
        }) {
            at = next;
        }
        Some((self.text[start..at].to_owned(), at))
    }

    fn value(&self, at: usize) -> Parsed<String> {
        if let Some((Selector(path), at)) = self.bareword(at) {
            return Some((path.join("."), at));
        }
        self.number(at).or_else(|| self.string(at))
    }

    fn bareword(&self, at: usize) -> Parsed<Selector> {
        self.rest(at)
            .chars()
            .next()
            .filter(char::is_ascii_alphabetic)
            .map_or_else(
                || {
                    self.failed(at, "[a-zA-Z]");
                    None
                },
                |_| self.selector(at),
            )
    }

    fn number(&self, start: usize) -> Parsed<String> {
        let digits = |mut at: usize| {
            while let Some(next) = self.class(at, "[0-9]", |c| c.is_ascii_digit()) {
                at = next;
            }
            at
        };
        let at = self.literal(start, "-").unwrap_or(start);
        let mut at = match self.literal(at, "0") {
            Some(at) => at,
            None => digits(self.class(at, "[1-9]", |c| matches!(c, '1'..='9'))?),
        };
        if let Some(point) = self.literal(at, ".") {
            let end = digits(point);
            if end > point {
                at = end;
            }
        }
        let behind = self.rest(at).chars().next();
        if behind.is_some_and(|c| !matches!(c, ' ' | '\t' | '\r' | '\n' | ')' | '}')) {
            return None;
        }
        Some((self.text[start..at].to_owned(), at))
    }

    fn string(&self, start: usize) -> Parsed<String> {
        let (quote, open) = match self.literal(start, "`") {
            Some(open) => ('`', open),
            None => ('"', self.literal(start, "\"")?),
        };
        let mut out = String::new();
        let mut chars = self.rest(open).char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => return Some((out, open + at + 1)),
                '\\' if quote == '"' => out.push(unescaped(chars.next()?.1)),
                c => out.push(c),
            }
        }
        self.failed(
            self.text.len(),
            &format!("\"{}\"", if quote == '"' { "\\\"" } else { "`" }),
        );
        None
    }
}

fn unescaped(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        other => other,
    }
}
