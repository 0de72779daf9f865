//! Functions of texts.

use super::{Call, Fault, Outcome, bounded, case};
use crate::types::{Type, convert};
use crate::validate::{plain_regex, regex_problem};
use crate::value::Value;
use unicode_segmentation::UnicodeSegmentation;

pub(super) fn chomp(call: &mut Call<'_>) -> Outcome {
    Ok(Value::from(call.text(0).trim_end_matches(['\n', '\r'])))
}

pub(super) fn indent(call: &mut Call<'_>) -> Outcome {
    let (spaces, text) = (call.whole(0)?, call.text(1));
    let spaces = usize::try_from(spaces)
        .map_err(|_| Fault::Argument(0, "a number that is not negative is required".to_owned()))?;
    let breaks = text.matches('\n').count();
    bounded(spaces.saturating_mul(breaks).saturating_add(text.len()))?;
    let filled = format!("\n{}", " ".repeat(spaces * breaks.min(1)));
    Ok(Value::from(text.replace('\n', &filled)))
}

pub(super) fn join(call: &mut Call<'_>) -> Outcome {
    let separator = call.text(0);
    if call.args.len() < 2 {
        return Err("at least one list is required".into());
    }
    let mut out = String::new();
    let mut first = true;
    for (at, list) in call.args.iter().enumerate().skip(1) {
        for (index, item) in list.items().unwrap_or_default().iter().enumerate() {
            let Ok(Value::Text(item)) = convert(item, &Type::Text) else {
                let why = match item.is_null() {
                    true => format!("element {index} is null; cannot concatenate null values"),
                    false => format!(
                        "element {index}: string required, but have {}",
                        item.type_name()
                    ),
                };
                return Err(Fault::Argument(at, why));
            };
            if !std::mem::take(&mut first) {
                out.push_str(&separator);
            }
            out.push_str(&item);
            bounded(out.len())?;
        }
    }
    Ok(Value::from(out))
}

pub(super) fn split(call: &mut Call<'_>) -> Outcome {
    let (separator, text) = (call.text(0), call.text(1));
    let parts: Vec<Value> = match separator.is_empty() {
        true => text.chars().map(|c| Value::from(c.to_string())).collect(),
        false => text.split(&*separator).map(Value::from).collect(),
    };
    Ok(Value::list(parts))
}

pub(super) fn lower(call: &mut Call<'_>) -> Outcome {
    Ok(Value::from(
        call.text(0).chars().map(case::lower).collect::<String>(),
    ))
}

pub(super) fn upper(call: &mut Call<'_>) -> Outcome {
    Ok(Value::from(
        call.text(0).chars().map(case::upper).collect::<String>(),
    ))
}

/// The first letter of each word as a capital; the others stay as they are.
pub(super) fn title(call: &mut Call<'_>) -> Outcome {
    let mut inside = false;
    let mut out = String::new();
    for letter in call.text(0).chars() {
        out.push(match inside {
            true => letter,
            false => case::upper(letter),
        });
        inside = !ends_word(letter);
    }
    Ok(Value::from(out))
}

/// An apostrophe ends a word, too: that is how the function has always been.
fn ends_word(letter: char) -> bool {
    match letter.is_ascii() {
        true => !letter.is_ascii_alphanumeric() && letter != '_',
        false => letter.is_whitespace(),
    }
}

pub(super) fn replace(call: &mut Call<'_>) -> Outcome {
    let (text, old, new) = (call.text(0), call.text(1), call.text(2));
    let count = match old.is_empty() {
        true => text.chars().count() + 1,
        false => text.matches(&*old).count(),
    };
    bounded(count.saturating_mul(new.len()).saturating_add(text.len()))?;
    Ok(Value::from(text.replace(&*old, &new)))
}

pub(super) fn regex_replace(call: &mut Call<'_>) -> Outcome {
    let (text, pattern, replacement) = (call.text(0), call.text(1), call.text(2));
    let regex = compile(&pattern)?;
    let mut out = String::new();
    let mut last = 0;
    for found in regex.captures_iter(&text) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[last..whole.start()]);
        found.expand(&replacement, &mut out);
        last = whole.end();
        bounded(out.len())?;
    }
    out.push_str(&text[last..]);
    bounded(out.len())?;
    Ok(Value::from(out))
}

/// What it costs to prepare a pattern.
pub(super) fn pattern_cost(pattern: Option<&Value>) -> usize {
    let weight = match pattern {
        Some(Value::Text(pattern)) => plain_regex(pattern).map_or(0, |(_, weight)| weight),
        _ => 0,
    };
    500 + 8 * weight
}

/// A pattern in the usual syntax, of bounded size.
fn compile(pattern: &str) -> Result<regex::Regex, Fault> {
    let Some((plain, _)) = plain_regex(pattern) else {
        let why = regex_problem(pattern);
        return Err(Fault::Call(why.unwrap_or_else(|| "no pattern".to_owned())));
    };
    regex::Regex::new(&plain).map_err(|error| Fault::Call(error.to_string()))
}

pub(super) fn strlen(call: &mut Call<'_>) -> Outcome {
    Ok(Value::from(call.text(0).graphemes(true).count()))
}

pub(super) fn strrev(call: &mut Call<'_>) -> Outcome {
    Ok(Value::from(
        call.text(0).graphemes(true).rev().collect::<String>(),
    ))
}

pub(super) fn substr(call: &mut Call<'_>) -> Outcome {
    let (text, offset, length) = (call.text(0), call.whole(1)?, call.whole(2)?);
    let letters: Vec<&str> = text.graphemes(true).collect();
    let count = letters.len() as i64;
    let start = match offset < 0 {
        true => (count + offset).max(0),
        false => offset.min(count),
    };
    let end = match length < 0 {
        true => count,
        false => start.saturating_add(length).min(count),
    };
    Ok(Value::from(letters[start as usize..end as usize].concat()))
}

pub(super) fn trim(call: &mut Call<'_>) -> Outcome {
    let (text, cut) = (call.text(0), call.text(1));
    Ok(Value::from(
        text.trim_matches(|letter| cut.contains(letter)),
    ))
}

pub(super) fn trimprefix(call: &mut Call<'_>) -> Outcome {
    let (text, prefix) = (call.text(0), call.text(1));
    Ok(Value::from(text.strip_prefix(&*prefix).unwrap_or(&text)))
}

pub(super) fn trimsuffix(call: &mut Call<'_>) -> Outcome {
    let (text, suffix) = (call.text(0), call.text(1));
    Ok(Value::from(text.strip_suffix(&*suffix).unwrap_or(&text)))
}

pub(super) fn trimspace(call: &mut Call<'_>) -> Outcome {
    Ok(Value::from(call.text(0).trim()))
}
