//! The functions of Sprig, as templates call them (`sprig_upper`). What changes a map in place, asks for names of hosts, and
//! what makes keys, is not among them.

use gotmpl::{TemplateError, Value};

use super::{
    Answer, Function, fail, from_json, items, list, map, pattern, string, text, title, to_json,
};

mod dates;
mod layout;
mod lists;
mod maps;
mod numbers;
mod others;
mod patterns;
mod texts;
mod values;
mod words;

pub(super) const FUNCTIONS: [&[(&str, Function)]; 9] = [
    texts::FUNCTIONS,
    words::FUNCTIONS,
    patterns::FUNCTIONS,
    numbers::FUNCTIONS,
    lists::FUNCTIONS,
    maps::FUNCTIONS,
    values::FUNCTIONS,
    dates::FUNCTIONS,
    others::FUNCTIONS,
];

/// Other names of functions.
pub(super) const ALIASES: [&[(&str, &str)]; 2] = [dates::ALIASES, others::ALIASES];

/// The time now in UTC, by an example of how to write it; `unix`: in seconds since 1970.
pub(super) fn now_in_utc(example: &str) -> String {
    let now = crate::clock::now().seconds();
    match layout::at(now, jiff::tz::TimeZone::UTC) {
        Some(time) if example != "unix" => layout::format(&time, example),
        _ => now.to_string(),
    }
}

/// A time as Go prints one, in UTC.
pub(super) fn printed_in_utc(time: caravan_model::UnixNanos) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or_default();
    let there = jiff::ZonedDateTime::new(at, jiff::tz::TimeZone::UTC);
    layout::format(&there, layout::DEFAULT)
}

/// A template must not fill the memory.
const MOST: usize = 1_000_000;

/// A count of things to make.
fn count(args: &[Value], at: usize) -> Result<usize, TemplateError> {
    let count = usize::try_from(whole(value(args, at)?)).unwrap_or(0);
    if count > MOST {
        return Err(fail(format!("{count} is more than a template may make")));
    }
    Ok(count)
}

fn value(args: &[Value], at: usize) -> Result<&Value, TemplateError> {
    args.get(at)
        .ok_or_else(|| fail(format!("missing argument {}", at + 1)))
}

/// A whole number made of anything; 0 where there is none in it.
fn whole(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        Value::Uint(number) => i64::try_from(*number).unwrap_or(i64::MAX),
        // As casts do: towards zero, and bounded.
        Value::Float(number) => *number as i64,
        Value::Bool(on) => i64::from(*on),
        Value::String(text) => text.parse().unwrap_or(0),
        _ => 0,
    }
}

fn fraction(value: &Value) -> f64 {
    match value {
        Value::Int(number) => *number as f64,
        Value::Uint(number) => *number as f64,
        Value::Float(number) => *number,
        Value::Bool(on) => f64::from(u8::from(*on)),
        Value::String(text) => text.parse().unwrap_or(0.0),
        _ => 0.0,
    }
}

/// All arguments that are something, as texts.
fn texts_of(args: &[Value]) -> Vec<String> {
    let there = args.iter().filter(|value| !matches!(value, Value::Nil));
    there.map(ToString::to_string).collect()
}

/// The members of a list, or the one value that is none.
fn parts(value: Option<&Value>) -> Vec<Value> {
    match value {
        None | Some(Value::Nil) => Vec::new(),
        Some(Value::List(items)) => items.to_vec(),
        Some(one) => vec![one.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_of_one_function() {
        let own = FUNCTIONS.into_iter().flatten().map(|(name, _)| *name);
        let mut known = std::collections::BTreeSet::new();
        for name in own {
            assert!(known.insert(name), "{name}");
        }
        for (alias, name) in ALIASES.into_iter().flatten() {
            assert!(known.contains(name), "{alias} is one of {name}");
        }
        for (alias, _) in ALIASES.into_iter().flatten() {
            assert!(known.insert(alias), "{alias}");
        }
        for name in [
            "sprig_tuple",
            "sprig_mustPush",
            "sprig_atoi",
            "sprig_mustRegexFind",
        ] {
            assert!(known.contains(name), "{name}");
        }
    }
}
