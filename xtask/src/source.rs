//! A Rust file with its strings and comments blanked, so that laws look at code only.

/// The code of a file, line for line and column for column, strings, characters and comments as spaces.
pub(crate) fn code_only(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = span_end(&bytes, at);
        if end == at {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        for c in &bytes[at..end] {
            out.push(if *c == '\n' { '\n' } else { ' ' });
        }
        at = end;
    }
    out
}

/// Where the string, character or comment that starts at `at` ends; `at` when none does.
fn span_end(chars: &[char], at: usize) -> usize {
    let next = |offset: usize| chars.get(at + offset).copied();
    let before = at
        .checked_sub(1)
        .and_then(|index| chars.get(index))
        .copied()
        .unwrap_or(' ');
    let starts_word = !before.is_alphanumeric() && before != '_';
    match chars[at] {
        '/' if next(1) == Some('/') => position(chars, at, |c, _| c == '\n'),
        '/' if next(1) == Some('*') => block_comment_end(chars, at),
        '"' => string_end(chars, at + 1),
        'b' if starts_word && next(1) == Some('"') => string_end(chars, at + 2),
        'r' | 'b' if starts_word => raw_string_end(chars, at).unwrap_or(at),
        '\'' => character_end(chars, at).unwrap_or(at),
        _ => at,
    }
}

fn position(chars: &[char], from: usize, found: impl Fn(char, usize) -> bool) -> usize {
    (from..chars.len())
        .find(|index| found(chars[*index], *index))
        .unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0usize;
    let mut index = at;
    while index < chars.len() {
        match (chars[index], chars.get(index + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                index += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                index += 2;
                if depth == 0 {
                    return index;
                }
            }
            _ => index += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut index = from;
    while index < chars.len() {
        match chars[index] {
            '\\' => index += 2,
            '"' => return index + 1,
            _ => index += 1,
        }
    }
    chars.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`; `None` when this is an identifier.
fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let mut index = at;
    if chars[index] == 'b' {
        index += 1;
    }
    if chars.get(index) != Some(&'r') {
        return None;
    }
    index += 1;
    let hashes = chars[index..].iter().take_while(|c| **c == '#').count();
    index += hashes;
    if chars.get(index) != Some(&'"') {
        return None;
    }
    let closes = |c: char, at: usize| {
        c == '"'
            && chars[at + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
    };
    Some((position(chars, index + 1, closes) + 1 + hashes).min(chars.len()))
}

/// A character, and not a lifetime.
fn character_end(chars: &[char], at: usize) -> Option<usize> {
    if chars.get(at + 1) == Some(&'\\') {
        return Some(position(chars, at + 3, |c, _| c == '\'') + 1).map(|end| end.min(chars.len()));
    }
    (chars.get(at + 2) == Some(&'\'')).then_some(at + 3)
}

/// The lines of a file that are not tests: up to `#[cfg(test)]` on a `mod` with a body.
pub(crate) fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        let inline = line.trim() == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| {
                next.trim_start().starts_with("mod ") && next.trim_end().ends_with('{')
            });
        if inline {
            break;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_comments_vanish_and_places_stay() {
        let text = "let a = \"HashMap\"; // HashMap\nlet b = r#\"x\" HashMap\"#; /* HashMap /* x */ */ let c = '\"';\nfn f<'a>(x: &'a str) { b\"HashMap\"; }\n";
        let code = code_only(text);
        assert!(!code.contains("HashMap"), "{code}");
        assert_eq!(code.lines().count(), 3);
        assert_eq!(code.find("let c"), text.find("let c"));
        assert!(code.contains("fn f<'a>(x: &'a str)"));
    }

    #[test]
    fn escapes_do_not_end_a_string() {
        assert_eq!(
            code_only(r#"a("x\"y"); b('\''); c('\\');"#),
            "a(      ); b(    ); c(    );"
        );
    }

    #[test]
    fn tests_are_left_out() {
        assert_eq!(
            without_tests("a\n#[cfg(test)]\nmod tests {\n b\n}\n"),
            "a\n"
        );
        assert_eq!(
            without_tests("a\n#[cfg(test)]\nmod tests;\nb\n"),
            "a\n#[cfg(test)]\nmod tests;\nb\n"
        );
    }
}
