//! Regular expressions as people write them here, in the words of the ones that are run.
//!
//! Both have much the same syntax. But a brace that counts nothing, a bracket within a class and what stands between
//! `\Q` and `\E` are letters here, and some of what the `regex` crate knows is refused.

/// As often as this something may be repeated.
const MOST_TIMES: u32 = 1000;

/// The names that `[[:name:]]` may have.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// The pattern in the syntax of the `regex` crate, which still has to tell whether it is one.
///
/// # Errors
/// Why it is no pattern, where that crate would take it.
pub fn translated(pattern: &str) -> Result<String, String> {
    let mut reader = Reader {
        pattern,
        at: 0,
        out: String::with_capacity(pattern.len() + 8),
    };
    // Where the operator begins that was read last.
    let mut repeated = None;
    while let Some(c) = reader.peek() {
        let start = reader.at;
        let repeats = match c {
            '\\' => reader.escape(false)?,
            '[' => reader.class()?,
            '(' => reader.group()?,
            '*' | '+' | '?' => {
                reader.copy();
                true
            }
            '{' => reader.count()?,
            _ => reader.copy(),
        };
        if !repeats {
            repeated = None;
            continue;
        }
        if reader.peek() == Some('?') {
            reader.copy();
        }
        if let Some(before) = repeated {
            let operators = &pattern[before..reader.at];
            return Err(format!("invalid nested repetition operator: `{operators}`"));
        }
        repeated = Some(start);
    }
    Ok(reader.out)
}

struct Reader<'a> {
    pattern: &'a str,
    at: usize,
    out: String,
}

/// Each of these reads one thing, and tells whether it repeats the one before.
impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn copy(&mut self) -> bool {
        if let Some(c) = self.peek() {
            self.at += c.len_utf8();
            self.out.push(c);
        }
        false
    }

    fn copy_all(&mut self, text: &str) {
        self.at += text.len();
        self.out.push_str(text);
    }

    fn literal(&mut self) {
        if let Some(c) = self.peek() {
            self.at += c.len_utf8();
            self.push_literal(c);
        }
    }

    fn push_literal(&mut self, c: char) {
        if c.is_ascii_punctuation() && !['<', '>'].contains(&c) {
            self.out.push('\\');
        }
        self.out.push(c);
    }

    fn escape(&mut self, in_class: bool) -> Result<bool, String> {
        let rest = self.rest();
        match rest[1..].chars().next() {
            Some('Q') if !in_class => {
                let text = &rest[2..];
                let (text, end) = match text.split_once(r"\E") {
                    Some((text, _)) => (text, 2),
                    None => (text, 0),
                };
                self.at += 2 + text.len() + end;
                text.chars().for_each(|c| self.push_literal(c));
            }
            Some(c @ ('<' | '>')) => {
                self.at += 2;
                self.out.push(c);
            }
            Some(c @ ('u' | 'U')) => return Err(format!("invalid escape sequence: `\\{c}`")),
            Some('p' | 'P' | 'x') => {
                let name = &rest[2..];
                let end = match name.strip_prefix('{').and_then(|it| it.find('}')) {
                    Some(end) => end + 2,
                    None => name.chars().next().map_or(0, char::len_utf8),
                };
                self.copy_all(&rest[..2 + end]);
            }
            Some(c) => self.copy_all(&rest[..1 + c.len_utf8()]),
            None => self.copy_all(rest),
        }
        Ok(false)
    }

    fn class(&mut self) -> Result<bool, String> {
        let start = self.rest();
        self.copy();
        if self.peek() == Some('^') {
            self.copy();
        }
        let mut first = true;
        loop {
            let rest = self.rest();
            match self.peek() {
                None => return Err(format!("missing closing ]: `{start}`")),
                Some(']') if !first => {
                    return Ok(self.copy());
                }
                Some('[') => match rest
                    .strip_prefix("[:")
                    .and_then(|it| it.find(":]"))
                    .map(|length| &rest[..length + 4])
                {
                    Some(named) => {
                        let name = &named[2..named.len() - 2];
                        if !CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                            return Err(format!("invalid character class range: `{named}`"));
                        }
                        self.copy_all(named);
                    }
                    None => self.literal(),
                },
                Some('\\') => {
                    self.escape(true)?;
                }
                // Two of them mean something to the other syntax.
                Some(c @ ('&' | '~' | '-')) if rest[1..].starts_with(c) => {
                    self.copy();
                    self.literal();
                }
                Some(_) => {
                    self.copy();
                }
            }
            first = false;
        }
    }

    fn group(&mut self) -> Result<bool, String> {
        self.copy();
        let Some(flags) = self.rest().strip_prefix('?') else {
            return Ok(false);
        };
        // Names and what looks ahead are the same.
        if !flags.starts_with(['P', '<', '=', '!']) {
            let end = flags.find([':', ')']).unwrap_or(flags.len());
            let strange = flags[..end]
                .char_indices()
                .find(|(_, c)| !"imsU-".contains(*c));
            if let Some((at, c)) = strange {
                let shown = &flags[..at + c.len_utf8()];
                return Err(format!("invalid or unsupported Perl syntax: `(?{shown}`"));
            }
        }
        Ok(self.copy())
    }

    fn count(&mut self) -> Result<bool, String> {
        let rest = self.rest();
        let Some((least, most, count)) = counted(rest) else {
            self.literal();
            return Ok(false);
        };
        if least > MOST_TIMES || most.is_some_and(|most| most > MOST_TIMES || most < least) {
            return Err(format!("invalid repeat count: `{count}`"));
        }
        self.copy_all(count);
        Ok(true)
    }
}

/// `{2}`, `{2,}` or `{2,3}` at the beginning of a text.
fn counted(text: &str) -> Option<(u32, Option<u32>, &str)> {
    let end = text.find('}')?;
    let inner = &text[1..end];
    let number = |digits: &str| -> Option<u32> {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let one_form = digits == "0" || !digits.starts_with('0');
        (plain && one_form && !digits.is_empty()).then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let (least, most) = match inner.split_once(',') {
        None => (number(inner)?, Some(number(inner)?)),
        Some((least, "")) => (number(least)?, None),
        Some((least, most)) => (number(least)?, Some(number(most)?)),
    };
    Some((least, most, &text[..=end]))
}

#[cfg(test)]
mod tests {
    use super::translated;

    #[test]
    fn letters_that_mean_more_elsewhere() {
        for (pattern, wanted) in [
            (r"^web-[0-9]+$", r"^web-[0-9]+$"),
            ("a{2}b{2,}c{2,3}?", "a{2}b{2,}c{2,3}?"),
            ("{", r"\{"),
            ("a{x} {,3} {01}", r"a\{x} \{,3} \{01}"),
            (r"\Qa.b[\E+", r"a\.b\[+"),
            (r"\Q{", r"\{"),
            (r"\<a\>", "<a>"),
            ("[[a]", r"[\[a]"),
            ("[]a[:alpha:]]", "[]a[:alpha:]]"),
            ("[a&&b~~c]", r"[a&\&b~\~c]"),
            ("[+--]", r"[+-\-]"),
            (r"\p{L}{2}\pN\x{41}\x41", r"\p{L}{2}\pN\x{41}\x41"),
            (r"(?i)a(?P<n>b)(?:c)(?s-m:d)", r"(?i)a(?P<n>b)(?:c)(?s-m:d)"),
            ("ü{2}", "ü{2}"),
            ("a\\", "a\\"),
        ] {
            assert_eq!(translated(pattern).as_deref(), Ok(wanted), "{pattern}");
        }
    }

    #[test]
    fn forms_that_nobody_may_use() {
        for (pattern, why) in [
            ("a**", "invalid nested repetition operator: `**`"),
            ("a+?{2}?b", "invalid nested repetition operator: `+?{2}?`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?i#)a", "invalid or unsupported Perl syntax: `(?i#`"),
            (r"\u{41}", r"invalid escape sequence: `\u`"),
            ("a[b", "missing closing ]: `[b`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        ] {
            assert_eq!(translated(pattern), Err(why.to_owned()), "{pattern}");
        }
    }
}
