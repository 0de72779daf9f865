//! How the reference's language quotes: its texts are part of the answers.

use std::fmt::Write;

/// Text in double quotes with escapes.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        push_escaped(&mut out, c, '"');
    }
    out.push('"');
    out
}

/// A character in single quotes, as in `invalid character '\n' in string literal`.
pub fn quote_char(c: char) -> String {
    match c {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        _ => {
            let mut out = String::from("'");
            push_escaped(&mut out, c, '\'');
            out.push('\'');
            out
        }
    }
}

fn push_escaped(out: &mut String, c: char, delimiter: char) {
    match c {
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '\r' => out.push_str("\\r"),
        '\u{7}' => out.push_str("\\a"),
        '\u{8}' => out.push_str("\\b"),
        '\u{b}' => out.push_str("\\v"),
        '\u{c}' => out.push_str("\\f"),
        c if c == delimiter => {
            out.push('\\');
            out.push(c);
        }
        c if (c as u32) < 0x20 || c as u32 == 0x7f => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        c if c.is_ascii() || is_visible(c) => out.push(c),
        c if (c as u32) < 0x1_0000 => {
            let _ = write!(out, "\\u{:04x}", c as u32);
        }
        c => {
            let _ = write!(out, "\\U{:08x}", c as u32);
        }
    }
}

/// Whether a character shows, be it only on the one before it.
fn is_visible(c: char) -> bool {
    let shown: String = ['a', c].iter().collect();
    shown.escape_debug().all(|c| c != '\\')
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn what_does_not_show_is_escaped() {
        assert_eq!(quote("é✓\u{301}🚀"), "\"é✓\u{301}🚀\"");
        assert_eq!(
            quote("a\u{200b}\u{a0}\u{85}\u{e0001}\x1b"),
            r#""a\u200b\u00a0\u0085\U000e0001\x1b""#
        );
    }
}
