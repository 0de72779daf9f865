//! Texts: cutting, filling, quoting, encoding.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{
    Function, MOST, count, fail, list, parts, string, text, texts_of, title, value, whole,
};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("sprig_upper", |_, args| {
        Ok(string(text(args, 0)?.to_uppercase()))
    }),
    ("sprig_lower", |_, args| {
        Ok(string(text(args, 0)?.to_lowercase()))
    }),
    ("sprig_title", |_, args| Ok(string(title(&text(args, 0)?)))),
    ("sprig_untitle", |_, args| {
        let mut out = String::new();
        let mut first = true;
        for c in text(args, 0)?.chars() {
            match first {
                true => out.extend(c.to_lowercase()),
                false => out.push(c),
            }
            first = c.is_whitespace();
        }
        Ok(string(out))
    }),
    ("sprig_trim", |_, args| Ok(string(text(args, 0)?.trim()))),
    ("sprig_trimAll", |_, args| {
        let (set, of) = (text(args, 0)?, text(args, 1)?);
        Ok(string(of.trim_matches(|c| set.contains(c))))
    }),
    ("sprig_trimPrefix", |_, args| {
        let (prefix, of) = (text(args, 0)?, text(args, 1)?);
        Ok(string(of.strip_prefix(&*prefix).unwrap_or(&of)))
    }),
    ("sprig_trimSuffix", |_, args| {
        let (suffix, of) = (text(args, 0)?, text(args, 1)?);
        Ok(string(of.strip_suffix(&*suffix).unwrap_or(&of)))
    }),
    ("sprig_nospace", |_, args| {
        let text = text(args, 0)?;
        Ok(string(text.split_whitespace().collect::<String>()))
    }),
    ("sprig_repeat", |_, args| {
        let (times, what) = (count(args, 0)?, text(args, 1)?);
        if what.len().saturating_mul(times) > MOST {
            return Err(fail("the result is longer than a template may make"));
        }
        Ok(string(what.repeat(times)))
    }),
    ("sprig_substr", |_, args| {
        let (from, to) = (whole(value(args, 0)?), whole(value(args, 1)?));
        let of = text(args, 2)?;
        let end = usize::try_from(to).unwrap_or(of.len());
        Ok(string(cut(&of, usize::try_from(from).unwrap_or(0), end)))
    }),
    ("sprig_trunc", |_, args| {
        let (most, of) = (whole(value(args, 0)?), text(args, 1)?);
        let length = usize::try_from(most.unsigned_abs()).unwrap_or(usize::MAX);
        Ok(string(match most {
            0.. => cut(&of, 0, length),
            _ => cut(&of, of.len().saturating_sub(length), of.len()),
        }))
    }),
    ("sprig_abbrev", |_, args| {
        let (width, of) = (count(args, 0)?, text(args, 1)?);
        Ok(string(abbreviated(&of, width)))
    }),
    ("sprig_abbrevboth", |_, args| {
        let (left, right, of) = (count(args, 0)?, count(args, 1)?, text(args, 2)?);
        Ok(string(abbreviated_both(&of, left, right)))
    }),
    ("sprig_contains", |_, args| {
        Ok(text(args, 1)?.contains(&text(args, 0)?).into_value())
    }),
    ("sprig_hasPrefix", |_, args| {
        Ok(text(args, 1)?.starts_with(&text(args, 0)?).into_value())
    }),
    ("sprig_hasSuffix", |_, args| {
        Ok(text(args, 1)?.ends_with(&text(args, 0)?).into_value())
    }),
    ("sprig_quote", |_, args| {
        let quoted: Vec<String> = texts_of(args).iter().map(|text| quoted(text)).collect();
        Ok(string(quoted.join(" ")))
    }),
    ("sprig_squote", |_, args| {
        let quoted = texts_of(args).into_iter().map(|text| format!("'{text}'"));
        Ok(string(quoted.collect::<Vec<_>>().join(" ")))
    }),
    ("sprig_cat", |_, args| Ok(string(texts_of(args).join(" ")))),
    ("sprig_indent", |_, args| {
        Ok(string(indented(count(args, 0)?, &text(args, 1)?)?))
    }),
    ("sprig_nindent", |_, args| {
        let below = indented(count(args, 0)?, &text(args, 1)?)?;
        Ok(string(format!("\n{below}")))
    }),
    ("sprig_replace", |_, args| {
        let (old, new) = (text(args, 0)?, text(args, 1)?);
        Ok(string(text(args, 2)?.replace(&old, &new)))
    }),
    ("sprig_plural", |_, args| {
        let one = whole(value(args, 2)?) == 1;
        Ok(string(text(args, usize::from(!one))?))
    }),
    ("sprig_join", |_, args| {
        Ok(string(texts_of(&parts(args.get(1))).join(&text(args, 0)?)))
    }),
    ("sprig_splitList", |_, args| {
        let by = text(args, 0)?;
        Ok(list(text(args, 1)?.split(&*by).map(string)))
    }),
    ("sprig_sortAlpha", |_, args| {
        let mut texts = texts_of(&parts(args.first()));
        texts.sort();
        Ok(list(texts.into_iter().map(string)))
    }),
    ("sprig_toString", |_, args| Ok(string(text(args, 0)?))),
    ("sprig_toStrings", |_, args| {
        let texts = texts_of(&parts(args.first()));
        Ok(list(texts.into_iter().map(string)))
    }),
    ("sprig_b64enc", |_, args| {
        Ok(string(STANDARD.encode(text(args, 0)?)))
    }),
    ("sprig_b64dec", |_, args| {
        super::super::decoded(STANDARD.decode(text(args, 0)?))
    }),
    ("sprig_sha1sum", |_, args| {
        digested(&digest::SHA1_FOR_LEGACY_USE_ONLY, &text(args, 0)?)
    }),
    ("sprig_sha256sum", |_, args| {
        digested(&digest::SHA256, &text(args, 0)?)
    }),
    ("sprig_sha512sum", |_, args| {
        digested(&digest::SHA512, &text(args, 0)?)
    }),
];

trait IntoValue {
    fn into_value(self) -> gotmpl::Value;
}

impl IntoValue for bool {
    fn into_value(self) -> gotmpl::Value {
        gotmpl::Value::Bool(self)
    }
}

fn digested(algorithm: &'static digest::Algorithm, of: &str) -> super::Answer {
    let digest = digest::digest(algorithm, of.as_bytes());
    let hex = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    Ok(string(hex.collect::<String>()))
}

/// Bytes of a text; a character that is cut through shows as such.
fn cut(of: &str, from: usize, to: usize) -> String {
    let to = to.min(of.len());
    let bytes = of.as_bytes().get(from.min(to)..to).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

fn abbreviated(of: &str, width: usize) -> String {
    if width < 4 || of.len() <= width {
        return of.to_owned();
    }
    cut(of, 0, width - 3) + "..."
}

fn abbreviated_both(of: &str, left: usize, right: usize) -> String {
    if right < 4 || (left > 0 && right < 7) || of.len() <= right {
        return of.to_owned();
    }
    let last = of.len() - (right - 3);
    let left = left.min(last);
    if left <= 4 {
        return abbreviated(of, right);
    }
    let rest = cut(of, left, of.len());
    let rest = match left < last {
        true => abbreviated(&rest, right - 3),
        false => rest,
    };
    format!("...{rest}")
}

/// In double quotes, as Go writes a text.
fn quoted(of: &str) -> String {
    let mut out = String::from("\"");
    for c in of.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn indented(by: usize, of: &str) -> Result<String, gotmpl::TemplateError> {
    if by.saturating_mul(of.lines().count()) > MOST {
        return Err(fail("the result is longer than a template may make"));
    }
    let pad = " ".repeat(by);
    Ok(pad.clone() + &of.replace('\n', &format!("\n{pad}")))
}
