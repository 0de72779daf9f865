//! `yamldecode`: one document of plain data.

use super::{Call, Outcome};
use crate::number::Number;
use crate::value::{MOST_WEIGHT, Members, Value};
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::BTreeMap;

/// Deeper data than anybody writes.
const MOST_DEPTH: usize = 100;

pub(super) fn yamldecode(call: &mut Call<'_>) -> Outcome {
    let text = call.text(0);
    let mut builder = Builder::default();
    for event in Parser::new_from_str(&text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        builder.event(event)?;
    }
    match builder.documents {
        0 | 1 => Ok(builder.root.unwrap_or(Value::Null)),
        _ => Err("only a single document is allowed".into()),
    }
}

/// A list or mapping that is being read.
enum Open {
    Items(Vec<Value>, usize),
    Fields(Members, Option<Value>, usize),
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Value>,
    anchors: BTreeMap<usize, Value>,
    documents: usize,
    weight: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(_) => self.documents += 1,
            Event::SequenceStart(anchor, _) => self.deeper(Open::Items(Vec::new(), anchor))?,
            Event::MappingStart(anchor, _) => {
                self.deeper(Open::Fields(Members::new(), None, anchor))?;
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::Items(items, anchor)) => self.value(Value::tuple(items), anchor)?,
                Some(Open::Fields(fields, _, anchor)) => {
                    self.value(Value::object(fields), anchor)?
                }
                None => {}
            },
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| tag.suffix.clone());
                let value = scalar(&text, style == ScalarStyle::Plain, tag.as_deref());
                self.value(value, anchor)?;
            }
            Event::Alias(anchor) => {
                let value = self.anchors.get(&anchor).cloned();
                let value = value.ok_or("an alias refers to an anchor that contains it")?;
                self.value(value, 0)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn deeper(&mut self, open: Open) -> Result<(), String> {
        if self.open.len() >= MOST_DEPTH {
            return Err("nested too deeply".to_owned());
        }
        self.open.push(open);
        Ok(())
    }

    fn value(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        self.weight = self.weight.saturating_add(value.weight());
        if self.weight > MOST_WEIGHT * 4 {
            return Err("the result would be too large".to_owned());
        }
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::Items(items, _)) => items.push(value),
            Some(Open::Fields(fields, key, _)) => match key.take() {
                None => *key = Some(value),
                Some(Value::Text(key)) if &*key == "<<" => merge(fields, &value)?,
                Some(Value::Text(key)) => {
                    fields.insert(key, value);
                }
                Some(Value::Number(number)) => {
                    fields.insert(number.to_string().into(), value);
                }
                Some(Value::Bool(key)) => {
                    fields.insert(key.to_string().into(), value);
                }
                Some(_) => return Err("mapping keys must be strings".to_owned()),
            },
        }
        Ok(())
    }
}

fn merge(fields: &mut Members, value: &Value) -> Result<(), String> {
    let sources = match value.items() {
        Some(items) => items.to_vec(),
        None => vec![value.clone()],
    };
    for source in sources {
        let Some(source) = source.fields() else {
            return Err("cannot merge what is no mapping".to_owned());
        };
        for (key, value) in source {
            fields.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(())
}

fn scalar(text: &str, plain: bool, tag: Option<&str>) -> Value {
    match tag {
        Some("str" | "binary") => return Value::from(text),
        Some("int" | "float") => {
            if let Some(number) = Number::parse(text) {
                return Value::Number(number);
            }
        }
        _ if !plain => return Value::from(text),
        _ => {}
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Value::from(text);
    }
    if let Some(time) = timestamp(text) {
        return Value::from(time);
    }
    let digits = text.replace('_', "");
    let radix = |prefix: &str, radix: u32| {
        let digits = digits.strip_prefix(prefix)?;
        i64::from_str_radix(digits, radix).ok()
    };
    let bases = [("0x", 16), ("0o", 8), ("0b", 2)];
    match bases
        .into_iter()
        .find_map(|(prefix, base)| radix(prefix, base))
    {
        Some(whole) => Value::Number(Number::from(whole)),
        None => match Number::parse(&digits) {
            Some(number) => Value::Number(number),
            None => Value::from(text),
        },
    }
}

/// A date, with or without a time of day, as the functions of time want it.
fn timestamp(text: &str) -> Option<String> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((&text[at..at + 1], &text[at + 1..]))),
        None => (text, None),
    };
    let date = numbers(date, '-', &[4, 2, 2])?;
    let (clock, zone) = match time {
        None => ([0, 0, 0], "Z"),
        // Without a `T` there is no zone.
        Some((" ", clock)) => (numbers(seconds(clock)?, ':', &[2, 2, 2])?, "Z"),
        Some((_, rest)) => {
            let at = rest.find(['Z', '+', '-'])?;
            (
                numbers(seconds(&rest[..at])?, ':', &[2, 2, 2])?,
                &rest[at..],
            )
        }
    };
    let ([year, month, day], [hour, minute, second]) = (date, clock);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}");
    text.parse::<jiff::Timestamp>().is_ok().then_some(text)
}

/// A time of day without parts of a second.
fn seconds(clock: &str) -> Option<&str> {
    let (clock, parts) = clock.split_once('.').unwrap_or((clock, "0"));
    parts.bytes().all(|c| c.is_ascii_digit()).then_some(clock)
}

/// Three numbers of so many digits; where two are usual, one will do.
fn numbers(text: &str, between: char, digits: &[usize; 3]) -> Option<[u16; 3]> {
    let mut out = [0; 3];
    let mut parts = text.split(between);
    for (number, usual) in out.iter_mut().zip(digits) {
        let part = parts.next()?;
        let fits = part.len() == *usual || (*usual, part.len()) == (2, 1);
        if !fits || !part.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}
