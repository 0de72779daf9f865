//! Texts that have to be patterns: regular expressions and version constraints.

use regex_syntax::ast::{ErrorKind, parse::Parser};

/// Why a text is no regular expression; none when it is one.
pub(crate) fn regex_problem(pattern: &str) -> Option<String> {
    let problem = match Parser::new().parse(pattern) {
        Ok(_) => match regex::RegexBuilder::new(pattern)
            .size_limit(1 << 20)
            .build()
        {
            Ok(_) => return None,
            Err(regex::Error::CompiledTooBig(_)) => "expression too large".to_owned(),
            Err(_) => format!("invalid character class range: `{pattern}`"),
        },
        Err(error) => {
            let at = error.span().start.offset;
            let here = pattern.get(at..).unwrap_or_default();
            match error.kind() {
                ErrorKind::GroupUnclosed => format!("missing closing ): `{pattern}`"),
                ErrorKind::GroupUnopened => format!("unexpected ): `{pattern}`"),
                ErrorKind::ClassUnclosed => format!("missing closing ]: `{here}`"),
                ErrorKind::RepetitionMissing => {
                    let operator: String = here.chars().take(1).collect();
                    format!("missing argument to repetition operator: `{operator}`")
                }
                ErrorKind::EscapeUnexpectedEof => {
                    "trailing backslash at end of expression: ``".to_owned()
                }
                ErrorKind::EscapeUnrecognized => {
                    let escape: String = here.chars().take(2).collect();
                    format!("invalid escape sequence: `{escape}`")
                }
                ErrorKind::UnsupportedLookAround => {
                    let start: String = here.chars().take(3).collect();
                    format!("invalid or unsupported Perl syntax: `{start}`")
                }
                ErrorKind::UnsupportedBackreference => {
                    let escape: String = here.chars().take(2).collect();
                    format!("invalid escape sequence: `{escape}`")
                }
                other => format!("{other}: `{pattern}`"),
            }
        }
    };
    Some(format!("error parsing regexp: {problem}"))
}

/// The first part of a list of version constraints that is none; none when all are.
pub(super) fn malformed_version(constraints: &str) -> Option<String> {
    let mut parts = constraints.split(',');
    parts.find(|part| !is_version(part)).map(str::to_owned)
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
    use super::{malformed_version, regex_problem};

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
    }

    #[test]
    fn regular_expressions() {
        assert_eq!(regex_problem("^web-[0-9]+$"), None);
        for (pattern, why) in [
            ("(", "missing closing ): `(`"),
            ("a[", "missing closing ]: `[`"),
            ("*", "missing argument to repetition operator: `*`"),
            (")", "unexpected ): `)`"),
        ] {
            assert_eq!(
                regex_problem(pattern),
                Some(format!("error parsing regexp: {why}"))
            );
        }
    }
}
