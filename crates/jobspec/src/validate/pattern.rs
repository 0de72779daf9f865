//! Texts that have to be patterns: regular expressions and version constraints.

use caravan_model::regexp;
use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    Ast, ClassPerl, ClassPerlKind, ClassSetItem, ErrorKind, Span, Visitor, visit,
};
use regex_syntax::hir::{Class, Hir, HirKind, translate::Translator};

/// Patterns of more states than this are refused: it takes long to build them.
const MOST_WEIGHT: usize = 20_000;

/// Why a text is no regular expression; none when it is one.
pub(crate) fn regex_problem(pattern: &str) -> Option<String> {
    let problem = match regexp::translated(pattern) {
        Ok(usual) => problem(pattern, &usual)?,
        Err(why) => why,
    };
    Some(format!("error parsing regexp: {problem}"))
}

fn problem(pattern: &str, usual: &str) -> Option<String> {
    let error = match Parser::new().parse(usual) {
        Ok(ast) => {
            return match plain(usual, &ast) {
                Some((_, weight)) if weight <= MOST_WEIGHT => None,
                Some(_) => Some("expression too large".to_owned()),
                None => Some(format!("invalid character class range: `{pattern}`")),
            };
        }
        Err(error) => error,
    };
    let span = error.span();
    let here = usual.get(span.start.offset..).unwrap_or_default();
    let exactly = usual.get(span.start.offset..span.end.offset);
    let first = |count| here.chars().take(count).collect::<String>();
    Some(match error.kind() {
        ErrorKind::GroupUnclosed => format!("missing closing ): `{pattern}`"),
        ErrorKind::GroupUnopened => format!("unexpected ): `{pattern}`"),
        ErrorKind::ClassRangeInvalid => format!(
            "invalid character class range: `{}`",
            exactly.unwrap_or(pattern)
        ),
        ErrorKind::RepetitionMissing => {
            let operator = match here.find('}') {
                Some(end) if here.starts_with('{') => here[..=end].to_owned(),
                _ => first(1),
            };
            format!("missing argument to repetition operator: `{operator}`")
        }
        ErrorKind::EscapeUnexpectedEof => "trailing backslash at end of expression: ``".to_owned(),
        ErrorKind::EscapeUnrecognized | ErrorKind::UnsupportedBackreference => {
            format!("invalid escape sequence: `{}`", first(2))
        }
        ErrorKind::UnsupportedLookAround => {
            format!("invalid or unsupported Perl syntax: `{}`", first(3))
        }
        other => format!("{other}: `{pattern}`"),
    })
}

/// The pattern in words that mean here what they mean to users, with how many states it takes about; none when it is
/// no pattern, or one that is too large.
pub(crate) fn plain_regex(pattern: &str) -> Option<(String, usize)> {
    let usual = regexp::translated(pattern).ok()?;
    let ast = Parser::new().parse(&usual).ok()?;
    plain(&usual, &ast).filter(|(_, weight)| *weight <= MOST_WEIGHT)
}

fn plain(pattern: &str, ast: &Ast) -> Option<(String, usize)> {
    let Ok(classes) = visit(ast, Classes::default());
    let mut out = String::with_capacity(pattern.len());
    let mut done = 0;
    for (span, class) in classes {
        out.push_str(pattern.get(done..span.start.offset)?);
        out.push_str(class);
        done = span.end.offset;
    }
    out.push_str(pattern.get(done..)?);
    let ast = Parser::new().parse(&out).ok()?;
    let hir = Translator::new().translate(&out, &ast).ok()?;
    Some((out, weight(&hir)))
}

/// `\d`, `\s` and `\w`, which know nothing but ASCII.
#[derive(Default)]
struct Classes(Vec<(Span, &'static str)>);

impl Classes {
    fn add(&mut self, class: &ClassPerl) {
        let plain = match (&class.kind, class.negated) {
            (ClassPerlKind::Digit, false) => "[0-9]",
            (ClassPerlKind::Digit, true) => "[^0-9]",
            (ClassPerlKind::Space, false) => r"[\t\n\f\r ]",
            (ClassPerlKind::Space, true) => r"[^\t\n\f\r ]",
            (ClassPerlKind::Word, false) => "[0-9A-Za-z_]",
            (ClassPerlKind::Word, true) => "[^0-9A-Za-z_]",
        };
        self.0.push((class.span, plain));
    }
}

impl Visitor for Classes {
    type Output = Vec<(Span, &'static str)>;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<Self::Output, Self::Err> {
        Ok(self.0)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        if let Ast::ClassPerl(class) = ast {
            self.add(class);
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        if let ClassSetItem::Perl(class) = item {
            self.add(class);
        }
        Ok(())
    }
}

/// About how many states a pattern takes.
fn weight(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Unicode(class)) => 2 * class.ranges().len(),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len(),
        HirKind::Capture(capture) => weight(&capture.sub).saturating_add(2),
        HirKind::Repetition(repetition) => {
            let least = repetition.min.saturating_add(1);
            let times = repetition.max.unwrap_or(least).max(1);
            weight(&repetition.sub)
                .saturating_add(1)
                .saturating_mul(times as usize)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(weight).fold(1, usize::saturating_add)
        }
    }
}

/// The first part of a list of version constraints that is none; none when all are.
pub(super) fn malformed_version(constraints: &str) -> Option<String> {
    let mut parts = constraints.split(',');
    parts.find(|part| !is_version(part)).map(str::to_owned)
}

/// The same of semantic versions, which have no `~>`.
pub(super) fn malformed_semver(constraints: &str) -> Option<String> {
    let mut parts = constraints.split(',');
    let bad = parts.find(|part| part.trim_start().starts_with("~>") || !is_version(part));
    bad.map(str::to_owned)
}

fn is_version(part: &str) -> bool {
    let part = part.trim();
    let operators = ["!=", ">=", "<=", "~>", "=", ">", "<"];
    let version = operators
        .iter()
        .find_map(|operator| part.strip_prefix(operator));
    let version = version.unwrap_or(part).trim_start();
    let version = version.strip_prefix('v').unwrap_or(version);
    let (version, metadata) = version.split_once('+').unwrap_or((version, "0"));
    let core_end = version
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(version.len());
    let (core, rest) = version.split_at(core_end);
    let numbers = |text: &str| {
        text.split('.')
            .all(|part| !part.is_empty() && part.len() < 19)
    };
    let words = |text: &str| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '~';
        text.split('.')
            .all(|part| !part.is_empty() && part.chars().all(is_word))
    };
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    numbers(core) && (version.len() == core_end || words(rest)) && words(metadata)
}

#[cfg(test)]
mod tests {
    use super::{malformed_semver, malformed_version, plain_regex, regex_problem};

    #[test]
    fn version_constraints() {
        for good in [
            ">= 1.0, < 3",
            "1.2.3-rc1",
            "~> 1.2",
            "!= v2.0.0-beta.1+meta",
            ">= 0.6.1-dev",
        ] {
            assert_eq!(malformed_version(good), None, "{good}");
        }
        assert_eq!(malformed_version("banana").as_deref(), Some("banana"));
        assert!(malformed_version(">= 1, ").is_some());
        assert_eq!(malformed_semver(">= 1.2.3, < 2"), None);
        assert_eq!(malformed_semver("~> 1.2").as_deref(), Some("~> 1.2"));
    }

    #[test]
    fn regular_expressions() {
        for good in [
            "^web-[0-9]+$",
            r"\w{1,63}(\.\w{1,63}){3}",
            r"[\w.-]+[^\s\d]",
            r"(?i)\p{L}+",
            r"^{{.*}}$|\Q(\E",
        ] {
            assert_eq!(regex_problem(good), None, "{good}");
        }
        assert!(
            regex_problem(r"(\w{100}){1000}")
                .unwrap()
                .contains("too large")
        );
        assert!(regex_problem(r"\p{L}{900}").unwrap().contains("too large"));
        let (plain, _) = plain_regex(r"\w[\d\S]").unwrap();
        assert_eq!(plain, r"[0-9A-Za-z_][[0-9][^\t\n\f\r ]]");
        for (pattern, why) in [
            ("(", "missing closing ): `(`"),
            ("a[", "missing closing ]: `[`"),
            ("*", "missing argument to repetition operator: `*`"),
            (")", "unexpected ): `)`"),
            ("{2}", "missing argument to repetition operator: `{2}`"),
            ("[z-a]", "invalid character class range: `z-a`"),
            (r"\8", r"invalid escape sequence: `\8`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
        ] {
            assert_eq!(
                regex_problem(pattern),
                Some(format!("error parsing regexp: {why}"))
            );
        }
    }
}
