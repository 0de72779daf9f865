//! `format` and `formatlist`.

use super::{Call, Fault, Outcome, bounded, json};
use crate::number::Number;
use crate::types::{Type, convert};
use crate::value::Value;

/// Wider fields than anybody needs.
const MOST_WIDTH: usize = 100_000;

pub(super) fn format(call: &mut Call<'_>) -> Outcome {
    Ok(Value::from(render(&call.text(0), &call.args[1..])?))
}

/// One text for each member of the lists among the arguments; others are the same in all.
pub(super) fn formatlist(call: &mut Call<'_>) -> Outcome {
    let args = &call.args[1..];
    let mut count: Option<usize> = None;
    for (at, arg) in args.iter().enumerate() {
        let Some(items) = arg.items() else { continue };
        match count {
            Some(count) if count != items.len() => {
                let why = format!(
                    "argument {} has length {}, which is inconsistent with argument 1 of length {count}",
                    at + 1,
                    items.len()
                );
                return Err(Fault::Argument(at + 1, why));
            }
            _ => count = Some(items.len()),
        }
    }
    let text = call.text(0);
    let mut out = Vec::new();
    let mut total = 0;
    for row in 0..count.unwrap_or(1) {
        let row: Vec<Value> = args
            .iter()
            .map(|arg| {
                arg.items()
                    .map_or_else(|| arg.clone(), |items| items[row].clone())
            })
            .collect();
        let line = render(&text, &row)?;
        total = bounded(line.len() + total + 64)?;
        out.push(Value::from(line));
    }
    Ok(Value::list(out))
}

/// One `%…` of a format.
#[derive(Default)]
struct Verb<'a> {
    text: &'a str,
    offset: usize,
    letter: char,
    minus: bool,
    plus: bool,
    zero: bool,
    space: bool,
    sharp: bool,
    width: usize,
    precision: Option<usize>,
    /// From 1.
    index: Option<usize>,
}

fn render(format: &str, args: &[Value]) -> Result<String, Fault> {
    let mut out = String::new();
    let (mut next, mut highest, mut rest, mut explicit) = (0, 0, format, false);
    while let Some(found) = rest.find('%') {
        out.push_str(&rest[..found]);
        let offset = format.len() - rest.len() + found;
        let (verb, after) = verb(&rest[found..], offset)?;
        rest = after;
        if verb.letter == '%' {
            out.push('%');
            continue;
        }
        explicit |= verb.index.is_some();
        let index = verb.index.map_or(next, |index| index - 1);
        let Some(arg) = args.get(index) else {
            return Err(format!(
                "not enough arguments for {:?} at {offset}: need index {} but have {} total",
                verb.text,
                index + 1,
                args.len()
            )
            .into());
        };
        next = index + 1;
        highest = next.max(highest);
        append(&verb, arg, &mut out)?;
        bounded(out.len())?;
    }
    out.push_str(rest);
    if highest < args.len() && !explicit {
        let why = match highest {
            0 => "too many arguments; no verbs in format string".to_owned(),
            used => format!("too many arguments; only {used} used by format string"),
        };
        return Err(Fault::Argument(highest + 1, why));
    }
    Ok(out)
}

/// Reads a verb from the start of `text`, which is a percent sign.
fn verb(text: &str, offset: usize) -> Result<(Verb<'_>, &str), Fault> {
    let mut verb = Verb {
        offset,
        ..Verb::default()
    };
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(flag) = bytes.get(at) {
        match flag {
            b'-' => verb.minus = true,
            b'+' => verb.plus = true,
            b'0' => verb.zero = true,
            b' ' => verb.space = true,
            b'#' => verb.sharp = true,
            _ => break,
        }
        at += 1;
    }
    if let Some(width) = digits(bytes, &mut at)? {
        verb.width = width;
    }
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        verb.precision = Some(digits(bytes, &mut at)?.unwrap_or(0));
    }
    if bytes.get(at) == Some(&b'[') {
        at += 1;
        verb.index = digits(bytes, &mut at)?.filter(|index| *index > 0);
        if verb.index.is_none() || bytes.get(at) != Some(&b']') {
            return Err(
                format!("invalid argument index in format string at offset {offset}").into(),
            );
        }
        at += 1;
    }
    let Some(letter) = text[at..].chars().next() else {
        return Err(
            format!("unrecognized format character at end of string, at offset {offset}").into(),
        );
    };
    verb.letter = letter;
    at += letter.len_utf8();
    verb.text = &text[..at];
    Ok((verb, &text[at..]))
}

fn digits(bytes: &[u8], at: &mut usize) -> Result<Option<usize>, Fault> {
    let start = *at;
    let mut value = 0usize;
    while let Some(digit) = bytes.get(*at).filter(|b| b.is_ascii_digit()) {
        value = value
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'));
        *at += 1;
    }
    if value > MOST_WIDTH {
        return Err(format!("widths and precisions above {MOST_WIDTH} are not supported").into());
    }
    Ok((*at > start).then_some(value))
}

fn append(verb: &Verb<'_>, arg: &Value, out: &mut String) -> Result<(), Fault> {
    let unsupported = |why: &str| {
        Fault::Call(format!(
            "unsupported value for {:?} at {}: {why}",
            verb.text, verb.offset
        ))
    };
    let as_text = || match convert(arg, &Type::Text) {
        Ok(Value::Text(text)) => Ok(text),
        Ok(_) => Err(unsupported("null value cannot be formatted")),
        Err(why) => Err(unsupported(&why)),
    };
    let as_number = || match convert(arg, &Type::Number) {
        Ok(Value::Number(number)) => Ok(number),
        Ok(_) => Err(unsupported("null value cannot be formatted")),
        Err(why) => Err(unsupported(&why)),
    };
    let plain = match verb.letter {
        'v' if verb.sharp => json_text(arg)?,
        'v' => match arg {
            Value::Text(text) => cut(text, verb),
            Value::Number(number) => {
                return append_padded(verb, signed(number, verb, number.to_string()), true, out);
            }
            Value::Null => "null".to_owned(),
            other => json_text(other)?,
        },
        's' => cut(&as_text()?, verb),
        'q' => super::quote(&cut(&as_text()?, verb)),
        't' => match convert(arg, &Type::Bool) {
            Ok(Value::Bool(value)) => value.to_string(),
            Ok(_) => return Err(unsupported("null value cannot be formatted")),
            Err(why) => return Err(unsupported(&why)),
        },
        'b' | 'd' | 'o' | 'x' | 'X' => {
            let number = as_number()?;
            let Some(big) = number.as_big() else {
                return Err(unsupported("an integer is required"));
            };
            let (radix, prefix) = match verb.letter {
                'b' => (2, "0b"),
                'o' => (8, "0"),
                'd' => (10, ""),
                _ => (16, "0x"),
            };
            let mut digits = big.magnitude().to_str_radix(radix);
            if verb.sharp {
                digits.insert_str(0, prefix);
            }
            if verb.letter == 'X' {
                digits = digits.to_uppercase();
            }
            if number.is_negative() {
                digits.insert(0, '-');
            }
            return append_padded(verb, signed(&number, verb, digits), true, out);
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let number = as_number()?;
            let text = float(&number, verb.letter.to_ascii_lowercase(), verb.precision);
            let text = match verb.letter.is_ascii_uppercase() {
                true => text.to_uppercase(),
                false => text,
            };
            return append_padded(verb, signed(&number, verb, text), true, out);
        }
        other => {
            return Err(format!(
                "unsupported format verb {other:?} in {:?} at offset {}",
                verb.text, verb.offset
            )
            .into());
        }
    };
    append_padded(verb, plain, false, out)
}

fn json_text(value: &Value) -> Result<String, Fault> {
    let mut text = String::new();
    json::write(value, &mut text)?;
    Ok(text)
}

/// A text of at most the precision's length.
fn cut(text: &str, verb: &Verb<'_>) -> String {
    match verb.precision {
        Some(length) => text.chars().take(length).collect(),
        None => text.to_owned(),
    }
}

fn signed(number: &Number, verb: &Verb<'_>, text: String) -> String {
    match (number.is_negative(), verb.plus, verb.space) {
        (false, true, _) => format!("+{text}"),
        (false, false, true) => format!(" {text}"),
        _ => text,
    }
}

fn append_padded(
    verb: &Verb<'_>,
    text: String,
    numeric: bool,
    out: &mut String,
) -> Result<(), Fault> {
    let missing = verb.width.saturating_sub(text.chars().count());
    match (verb.minus, verb.zero) {
        (true, _) => {
            out.push_str(&text);
            out.extend(std::iter::repeat_n(' ', missing));
        }
        (false, true) => {
            let sign = usize::from(numeric && text.starts_with(['+', '-', ' ']));
            out.push_str(&text[..sign]);
            out.extend(std::iter::repeat_n('0', missing));
            out.push_str(&text[sign..]);
        }
        (false, false) => {
            out.extend(std::iter::repeat_n(' ', missing));
            out.push_str(&text);
        }
    }
    Ok(())
}

fn float(number: &Number, letter: char, precision: Option<usize>) -> String {
    match letter {
        'f' => match number.as_big() {
            Some(big) => match precision.unwrap_or(6) {
                0 => big.to_string(),
                zeros => format!("{big}.{}", "0".repeat(zeros)),
            },
            None => format!("{:.*}", precision.unwrap_or(6), number.as_f64()),
        },
        'e' => exponent(&format!("{:.*e}", precision.unwrap_or(6), number.as_f64())),
        _ => {
            let value = number.as_f64();
            let power = match value == 0.0 {
                true => 0,
                false => value.abs().log10().floor() as i64,
            };
            match precision {
                None if (-4..6).contains(&power) => number.to_string(),
                None => exponent(&format!("{value:e}")),
                Some(digits) => {
                    let digits = digits.max(1);
                    match (-4..digits as i64).contains(&power) {
                        true => trim_zeros(&format!(
                            "{:.*}",
                            (digits as i64 - 1 - power).max(0) as usize,
                            value
                        )),
                        false => exponent(&format!("{:.*e}", digits - 1, value)),
                    }
                }
            }
        }
    }
}

fn trim_zeros(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

/// `1.5e4` as `1.5e+04`.
fn exponent(text: &str) -> String {
    let Some((mantissa, power)) = text.split_once('e') else {
        return text.to_owned();
    };
    let (sign, digits) = match power.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', power),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}
