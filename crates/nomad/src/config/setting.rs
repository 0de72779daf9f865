//! How a written value lands in a typed setting. Applying a later file onto the same settings *is*
//! the merge: scalars and lists are replaced, maps merged, blocks applied key by key.
//!
//! `section!` declares a block once: its keys, types and defaults. From that one list come the struct,
//! what is known (so that anything else can be refused) and what is accepted but has no effect yet.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::syntax::{Entry, Node, Pos, Value};
use super::units::{Bytes, parse_bytes, parse_duration};

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File(PathBuf),
    Flag(String),
    Environment(String),
}

/// A complaint with its place: `agent.hcl:3:5: client: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub origin: Origin,
    pub pos: Pos,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File(path) => write!(
                out,
                "{}:{}:{}: {}",
                path.display(),
                self.pos.line,
                self.pos.column,
                self.message
            ),
            Origin::Flag(name) => write!(out, "-{name}: {}", self.message),
            Origin::Environment(name) => write!(out, "{name}: {}", self.message),
        }
    }
}

/// What applying entries collects: all problems of a file, not only the first.
#[derive(Debug)]
pub struct Context {
    pub origin: Origin,
    pub path: Vec<String>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
}

impl Context {
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            path: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn located(&self, pos: Pos, message: String) -> Problem {
        let path = self.path.join(".");
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}: ")
        };
        Problem {
            origin: self.origin.clone(),
            pos,
            message: prefix + &message,
        }
    }

    pub fn problem(&mut self, pos: Pos, message: impl Into<String>) {
        let problem = self.located(pos, message.into());
        self.problems.push(problem);
    }

    pub fn warn(&mut self, pos: Pos, message: impl Into<String>) {
        let warning = self.located(pos, message.into());
        self.warnings.push(warning);
    }

    fn expected(&mut self, node: &Node, what: &str) {
        self.problem(
            node.pos,
            format!("expected {what}, found {}", node.value.describe()),
        );
    }

    /// Runs `body` with `key` added to the path that messages name.
    pub fn within(&mut self, key: &str, body: impl FnOnce(&mut Self)) {
        self.path.push(key.to_owned());
        body(self);
        self.path.pop();
    }
}

/// Something that a written value can be applied to.
pub trait Setting {
    fn apply(&mut self, entry: &Entry, cx: &mut Context);
}

/// A block with a fixed set of keys.
pub trait Section {
    const KEYS: &'static [&'static str];
    /// The setting behind `key` and, when it has no effect yet, why.
    fn slot(&mut self, key: &str) -> Option<(&mut dyn Setting, Option<&'static str>)>;
}

/// Applies the entries of one block (or of a whole file) to a section.
pub fn apply_entries<S: Section>(section: &mut S, entries: &[Entry], cx: &mut Context) {
    for entry in entries {
        match section.slot(&entry.key) {
            Some(_) if entry.node.value == Value::Null => {}
            Some((setting, later)) => cx.within(&entry.key, |cx| {
                if let Some(why) = later {
                    cx.warn(
                        entry.pos,
                        format!("accepted, but without effect so far: {why}"),
                    );
                }
                setting.apply(entry, cx);
            }),
            None => {
                let hint = closest(&entry.key, S::KEYS)
                    .map(|name| format!("; did you mean {name:?}?"))
                    .unwrap_or_default();
                cx.problem(entry.pos, format!("unexpected key {:?}{hint}", entry.key));
            }
        }
    }
}

/// Applies an entry that must be a block without labels; a JSON list of blocks is applied in order.
pub fn apply_section<S: Section>(section: &mut S, entry: &Entry, cx: &mut Context) {
    if let Some(label) = entry.labels.first() {
        return cx.problem(
            entry.pos,
            format!("this block takes no label, found {label:?}"),
        );
    }
    for_each_block(&entry.node, cx, |entries, cx| {
        apply_entries(section, entries, cx)
    });
}

/// Calls `body` for the block, or for each block of a list.
pub fn for_each_block(node: &Node, cx: &mut Context, mut body: impl FnMut(&[Entry], &mut Context)) {
    match &node.value {
        Value::Object(entries) => body(entries, cx),
        Value::List(items) => {
            for item in items {
                match &item.value {
                    Value::Object(entries) => body(entries, cx),
                    _ => cx.expected(item, "a block"),
                }
            }
        }
        _ => cx.expected(node, "a block"),
    }
}

/// The known name that `written` is most likely a misspelling of.
pub fn closest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let limit = (written.len() / 3).clamp(1, 3);
    known
        .iter()
        .map(|name| (distance(&written.to_ascii_lowercase(), name), *name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Edits (insert, delete, replace) that turn one text into the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $( $(#[$field_meta:meta])* $key:ident : $ty:ty = $default:expr $(, later $why:expr)? ; )* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $( $(#[$field_meta])* pub $key: $ty, )* }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )* }
            }
        }

        impl $crate::config::setting::Section for $name {
            const KEYS: &'static [&'static str] = &[$( $crate::config::setting::plain(stringify!($key)), )*];

            fn slot(&mut self, key: &str) -> Option<(&mut dyn $crate::config::setting::Setting, Option<&'static str>)> {
                $( if key == $crate::config::setting::plain(stringify!($key)) {
                    let later: &[&'static str] = &[$( $why )?];
                    return Some((&mut self.$key, later.first().copied()));
                } )*
                None
            }
        }

        impl $crate::config::setting::Setting for $name {
            fn apply(&mut self, entry: &$crate::config::syntax::Entry, cx: &mut $crate::config::setting::Context) {
                $crate::config::setting::apply_section(self, entry, cx);
            }
        }
    };
}
pub(crate) use section;

/// The text of a scalar, as HCL1 lets numbers and booleans stand for text.
fn scalar_text(node: &Node) -> Option<String> {
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

fn whole(node: &Node) -> Option<i128> {
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

impl Setting for Vec<String> {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        let Value::List(items) = &entry.node.value else {
            return cx.expected(&entry.node, "a list such as [\"a\", \"b\"]");
        };
        self.clear();
        for item in items {
            match scalar_text(item) {
                Some(text) => self.push(text),
                None => cx.expected(item, "text"),
            }
        }
    }
}

impl Setting for BTreeMap<String, String> {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        for_each_block(&entry.node, cx, |entries, cx| {
            for inner in entries {
                cx.within(&inner.key, |cx| match scalar_text(&inner.node) {
                    Some(text) => drop(self.insert(inner.key.clone(), text)),
                    None => cx.expected(&inner.node, "text"),
                });
            }
        });
    }
}

impl<T: Setting + Default> Setting for Option<T> {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        self.get_or_insert_with(T::default).apply(entry, cx);
    }
}

/// Blocks told apart by their label: `plugin "docker" { … }`; in JSON the label is a key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labelled<T>(pub BTreeMap<String, T>);

impl<T: Setting + Default> Setting for Labelled<T> {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        if let [label, rest @ ..] = entry.labels.as_slice() {
            let inner = Entry {
                labels: rest.to_vec(),
                ..entry.clone()
            };
            let one = self.0.entry(label.clone()).or_default();
            return cx.within(label, |cx| one.apply(&inner, cx));
        }
        for_each_block(&entry.node, cx, |entries, cx| {
            for inner in entries {
                let one = self.0.entry(inner.key.clone()).or_default();
                cx.within(&inner.key, |cx| one.apply(inner, cx));
            }
        });
    }
}

/// Blocks told apart by a `name` inside; without one it is `default`.
#[derive(Clone, Debug, PartialEq)]
pub struct ByName<T>(pub BTreeMap<String, T>);

impl<T: Default> Default for ByName<T> {
    fn default() -> Self {
        Self(BTreeMap::from([("default".to_owned(), T::default())]))
    }
}

impl<T: Section + Default> Setting for ByName<T> {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        if let Some(label) = entry.labels.first() {
            return cx.problem(
                entry.pos,
                format!("this block takes no label; write name = {label:?} inside"),
            );
        }
        for_each_block(&entry.node, cx, |entries, cx| {
            let named = entries
                .iter()
                .find(|inner| inner.key == "name")
                .and_then(|inner| scalar_text(&inner.node));
            let one = self
                .0
                .entry(named.unwrap_or_else(|| "default".into()))
                .or_default();
            apply_entries(one, entries, cx);
        });
    }
}

/// A block whose keys belong to somebody else, such as a driver's configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FreeForm(pub serde_json::Map<String, serde_json::Value>);

impl Setting for FreeForm {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        for_each_block(&entry.node, cx, |entries, _| {
            let serde_json::Value::Object(fresh) = object_json(entries) else {
                return;
            };
            merge_json(&mut self.0, fresh);
        });
    }
}

fn merge_json(
    into: &mut serde_json::Map<String, serde_json::Value>,
    from: serde_json::Map<String, serde_json::Value>,
) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(serde_json::Value::Object(old)), serde_json::Value::Object(new)) => {
                merge_json(old, new)
            }
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

/// Entries as JSON; a block that is written several times becomes a list of blocks.
fn object_json(entries: &[Entry]) -> serde_json::Value {
    let mut map = serde_json::Map::new();
    for entry in entries {
        let labelled = |value, label: &String| serde_json::json!({ label: value });
        let value = entry
            .labels
            .iter()
            .rev()
            .fold(node_json(&entry.node), labelled);
        match map.get_mut(&entry.key) {
            None => drop(map.insert(entry.key.clone(), value)),
            Some(serde_json::Value::Array(list)) => list.push(value),
            Some(first) => *first = serde_json::Value::Array(vec![first.take(), value]),
        }
    }
    serde_json::Value::Object(map)
}

fn node_json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Number(text) => match whole(node).map(i64::try_from) {
            Some(Ok(value)) => value.into(),
            _ => text.parse::<f64>().unwrap_or_default().into(),
        },
        Value::List(items) => items.iter().map(node_json).collect::<Vec<_>>().into(),
        Value::Object(entries) => object_json(entries),
    }
}

/// `r#type` is the key `type`.
pub(crate) const fn plain(name: &str) -> &str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}
