//! Encodings of text: base64, CSV, URLs.

use super::{Call, Outcome};
use crate::value::{Members, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(super) fn base64encode(call: &mut Call<'_>) -> Outcome {
    Ok(Value::from(STANDARD.encode(call.text(0).as_bytes())))
}

pub(super) fn base64decode(call: &mut Call<'_>) -> Outcome {
    let text = call.text(0);
    let bytes = STANDARD
        .decode(text.replace(['\n', '\r'], ""))
        .map_err(|_| format!("failed to decode base64 data '{text}'"))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Value::from(text)),
        Err(_) => Err("the result of decoding the provided string is not valid UTF-8".into()),
    }
}

pub(super) fn urlencode(call: &mut Call<'_>) -> Outcome {
    let mut out = String::new();
    for byte in call.text(0).bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte))
            }
            b' ' => out.push('+'),
            other => out += &format!("%{other:02X}"),
        }
    }
    Ok(Value::from(out))
}

pub(super) fn csvdecode(call: &mut Call<'_>) -> Outcome {
    let mut rows = rows(&call.text(0))?.into_iter();
    let Some(header) = rows.next() else {
        return Err("missing header line".into());
    };
    let mut out = Vec::new();
    for (at, row) in rows.enumerate() {
        if row.len() != header.len() {
            return Err(format!("record on line {}: wrong number of fields", at + 2).into());
        }
        let pairs = header.iter().zip(row);
        let mut fields = Members::new();
        for (key, value) in pairs {
            if fields
                .insert(key.as_str().into(), Value::from(value))
                .is_some()
            {
                return Err(format!("duplicate column name {key:?}").into());
            }
        }
        out.push(Value::object(fields));
    }
    Ok(Value::list(out))
}

/// Records of fields that may be quoted; empty lines are skipped.
fn rows(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut letters = text.chars().peekable();
    let mut line = 1;
    while let Some(letter) = letters.next() {
        match letter {
            '"' if field.is_empty() => loop {
                match letters.next() {
                    Some('"') if letters.peek() == Some(&'"') => {
                        letters.next();
                        field.push('"');
                    }
                    Some('"') => match letters.peek() {
                        None | Some(',' | '\n' | '\r') => break,
                        Some(_) => {
                            return Err(format!(
                                "parse error on line {line}: extraneous or missing \" in quoted-field"
                            ));
                        }
                    },
                    Some(other) => {
                        line += usize::from(other == '\n');
                        field.push(other);
                    }
                    None => {
                        return Err(format!(
                            "parse error on line {line}: extraneous or missing \" in quoted-field"
                        ));
                    }
                }
            },
            '"' => {
                return Err(format!(
                    "parse error on line {line}: bare \" in non-quoted field"
                ));
            }
            ',' => row.push(std::mem::take(&mut field)),
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' => {
                line += 1;
                if !row.is_empty() || !field.is_empty() {
                    row.push(std::mem::take(&mut field));
                    rows.push(std::mem::take(&mut row));
                }
            }
            other => field.push(other),
        }
    }
    if !row.is_empty() || !field.is_empty() {
        row.push(field);
        rows.push(row);
    }
    Ok(rows)
}
