//! Settings of one value: texts, truths, numbers, durations, sizes, paths.

use std::path::PathBuf;
use std::time::Duration;

use super::{Context, Setting};
use crate::config::syntax::{Entry, Node, Value};
use crate::config::units::{Bytes, parse_bytes, parse_duration};

/// The text of a scalar, as HCL1 lets numbers and booleans stand for text.
pub(super) fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) | Value::Number(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Object(_) => None,
    }
}

/// A value that is read from one scalar.
trait Scalar: Sized {
    const WHAT: &'static str;
    /// `None`: not of this kind at all; `Some(Err)`: of the kind, but wrong.
    fn read(node: &Node) -> Option<Result<Self, String>>;
}

fn apply_scalar<T: Scalar>(target: &mut T, entry: &Entry, cx: &mut Context) {
    if let Some(label) = entry.labels.first() {
        return cx.problem(
            entry.pos,
            format!(
                "expected {}, found a block with the label {label:?}",
                T::WHAT
            ),
        );
    }
    match T::read(&entry.node) {
        Some(Ok(value)) => *target = value,
        Some(Err(message)) => cx.problem(entry.node.pos, message),
        None => cx.expected(&entry.node, T::WHAT),
    }
}

macro_rules! scalar {
    ($($ty:ty),*) => { $( impl Setting for $ty {
        fn apply(&mut self, entry: &Entry, cx: &mut Context) { apply_scalar(self, entry, cx); }
    } )* };
}
scalar!(
    bool, String, u16, u32, u64, i64, f64, Duration, Bytes, PathBuf
);

impl Scalar for bool {
    const WHAT: &'static str = "true or false";
    fn read(node: &Node) -> Option<Result<Self, String>> {
        match scalar_text(node)?.as_str() {
            "true" | "TRUE" | "True" | "t" | "T" | "1" => Some(Ok(true)),
            "false" | "FALSE" | "False" | "f" | "F" | "0" => Some(Ok(false)),
            _ => None,
        }
    }
}

impl Scalar for String {
    const WHAT: &'static str = "text";
    fn read(node: &Node) -> Option<Result<Self, String>> {
        scalar_text(node).map(Ok)
    }
}

impl Scalar for PathBuf {
    const WHAT: &'static str = "a path";
    fn read(node: &Node) -> Option<Result<Self, String>> {
        match &node.value {
            Value::Text(text) => Some(Ok(PathBuf::from(text))),
            _ => None,
        }
    }
}

/// A whole number, in any of the ways that HCL1 writes them.
pub(super) fn whole(node: &Node) -> Option<i128> {
    let (Value::Number(text) | Value::Text(text)) = &node.value else {
        return None;
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = |prefix: [&str; 2], base| {
        prefix
            .iter()
            .find_map(|p| digits.strip_prefix(p))
            .map(|d| (d, base))
    };
    let (digits, base) = radix(["0x", "0X"], 16)
        .or_else(|| radix(["0o", "0O"], 8))
        .or_else(|| radix(["0b", "0B"], 2))
        .unwrap_or(
            if digits.len() > 1 && digits.starts_with('0') && !digits.contains('.') {
                (digits, 8)
            } else {
                (digits, 10)
            },
        );
    let value = i128::from(u64::from_str_radix(digits, base).ok()?);
    Some(if negative { -value } else { value })
}

macro_rules! whole_number {
    ($($ty:ty),*) => { $( impl Scalar for $ty {
        const WHAT: &'static str = "a whole number";
        fn read(node: &Node) -> Option<Result<Self, String>> {
            let value = whole(node)?;
            Some(Self::try_from(value).map_err(|_| format!("{value} is out of range; it must be from {} to {}", Self::MIN, Self::MAX)))
        }
    } )* };
}
whole_number!(u16, u32, u64, i64);

impl Scalar for f64 {
    const WHAT: &'static str = "a number";
    fn read(node: &Node) -> Option<Result<Self, String>> {
        let (Value::Number(text) | Value::Text(text)) = &node.value else {
            return None;
        };
        text.parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
            .map(Ok)
    }
}

impl Scalar for Duration {
    const WHAT: &'static str = "a duration such as \"30s\"";
    fn read(node: &Node) -> Option<Result<Self, String>> {
        match &node.value {
            Value::Text(text) => Some(parse_duration(text)),
            Value::Number(text) if text == "0" => Some(Ok(Duration::ZERO)),
            _ => None,
        }
    }
}

impl Scalar for Bytes {
    const WHAT: &'static str = "a size such as \"100GB\"";
    fn read(node: &Node) -> Option<Result<Self, String>> {
        let (Value::Number(text) | Value::Text(text)) = &node.value else {
            return None;
        };
        Some(parse_bytes(text))
    }
}
