//! Values of expressions.
//!
//! Lists, sets and maps have members of one type, tuples and objects of several. [`Value::Unknown`] is the value of an
//! expression that failed: the error was told, and whatever is made of it is unknown too.

use crate::number::Number;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Members by name.
pub(crate) type Members = BTreeMap<Rc<str>, Value>;

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Unknown,
    Null,
    Bool(bool),
    Number(Number),
    Text(Rc<str>),
    List(Items),
    /// In order and without doubles.
    Set(Items),
    Tuple(Items),
    Map(Fields),
    Object(Fields),
}

/// Several values and how many there are in all of them, counted as often as they are reachable. Values share
/// their parts, so without it a few lines could build one that nobody can walk through.
#[derive(Clone, Debug)]
pub(crate) struct Items {
    items: Rc<[Value]>,
    weight: usize,
    depth: u16,
}

/// The same by name.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    fields: Rc<Members>,
    weight: usize,
    depth: u16,
}

/// Values nested deeper than this are refused.
pub(crate) const MOST_DEPTH: u16 = 250;
/// Values of more parts than this are refused.
pub(crate) const MOST_WEIGHT: usize = 150_000;

impl std::ops::Deref for Items {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.items
    }
}

impl std::ops::Deref for Fields {
    type Target = Members;
    fn deref(&self) -> &Members {
        &self.fields
    }
}

impl From<Vec<Value>> for Items {
    fn from(items: Vec<Value>) -> Self {
        let weight = items
            .iter()
            .fold(1usize, |sum, v| sum.saturating_add(v.weight()));
        let depth = items.iter().map(Value::depth).max().unwrap_or(0);
        Self {
            items: items.into(),
            weight,
            depth: depth.saturating_add(1),
        }
    }
}

impl From<Members> for Fields {
    fn from(fields: Members) -> Self {
        let weight = fields.iter().fold(1usize, |sum, (key, v)| {
            sum.saturating_add(v.weight())
                .saturating_add(1 + key.len() / 64)
        });
        let depth = fields.values().map(Value::depth).max().unwrap_or(0);
        Self {
            fields: Rc::new(fields),
            weight,
            depth: depth.saturating_add(1),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Self::Number(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Number(value.into())
    }
}

impl Value {
    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(items.into())
    }

    pub(crate) fn tuple(items: Vec<Self>) -> Self {
        Self::Tuple(items.into())
    }

    pub(crate) fn set(mut items: Vec<Self>) -> Self {
        items.sort();
        items.dedup();
        Self::Set(items.into())
    }

    pub(crate) fn map(fields: Members) -> Self {
        Self::Map(fields.into())
    }

    pub(crate) fn object(fields: Members) -> Self {
        Self::Object(fields.into())
    }

    /// How many parts it has, long texts counting for several.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => 1 + text.len() / 64,
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => items.weight,
            Self::Map(fields) | Self::Object(fields) => fields.weight,
            _ => 1,
        }
    }

    /// How many levels of lists and maps there are.
    pub(crate) fn depth(&self) -> u16 {
        match self {
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => items.depth,
            Self::Map(fields) | Self::Object(fields) => fields.depth,
            _ => 0,
        }
    }

    /// What it costs to look at it once.
    pub(crate) fn cost(&self) -> usize {
        match self {
            Self::Text(_) => self.weight(),
            _ => 1 + self.weight() / 16,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Whether it or anything in it is unknown.
    pub(crate) fn has_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => {
                items.iter().any(Self::has_unknown)
            }
            Self::Map(fields) | Self::Object(fields) => fields.values().any(Self::has_unknown),
            _ => false,
        }
    }

    /// What it is called in messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown value",
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Tuple(_) => "tuple",
            Self::Map(_) => "map",
            Self::Object(_) => "object",
        }
    }

    /// The members of a list, set or tuple.
    pub(crate) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The members of a map or object.
    pub(crate) fn fields(&self) -> Option<&Members> {
        match self {
            Self::Map(fields) | Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// Keys and values of anything that can be iterated over; a set's members are their own keys.
    pub(crate) fn pairs(&self) -> Option<Vec<(Self, Self)>> {
        Some(match self {
            Self::List(items) | Self::Tuple(items) => {
                let pairs = items.iter().enumerate();
                pairs.map(|(at, v)| (Self::from(at), v.clone())).collect()
            }
            Self::Set(items) => items.iter().map(|v| (v.clone(), v.clone())).collect(),
            Self::Map(fields) | Self::Object(fields) => fields
                .iter()
                .map(|(key, v)| (Self::Text(key.clone()), v.clone()))
                .collect(),
            _ => return None,
        })
    }

    /// Plain JSON. Whole numbers stay whole where they fit.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Unknown | Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(number) => match number.as_i64() {
                Some(whole) => Json::from(whole),
                None => number
                    .to_string()
                    .parse::<u64>()
                    .map_or_else(|_| Json::from(number.as_f64()), Json::from),
            },
            Self::Text(text) => Json::from(&**text),
            Self::List(items) | Self::Set(items) | Self::Tuple(items) => {
                items.iter().map(Self::to_json).collect()
            }
            Self::Map(fields) | Self::Object(fields) => Json::Object(
                fields
                    .iter()
                    .map(|(key, v)| (key.to_string(), v.to_json()))
                    .collect(),
            ),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Null => 1,
            Self::Bool(_) => 2,
            Self::Number(_) => 3,
            Self::Text(_) => 4,
            Self::List(_) => 5,
            Self::Set(_) => 6,
            Self::Tuple(_) => 7,
            Self::Map(_) => 8,
            Self::Object(_) => 9,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of a set's members: by type, then by value.
impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::List(a), Self::List(b))
            | (Self::Set(a), Self::Set(b))
            | (Self::Tuple(a), Self::Tuple(b)) => a.items.cmp(&b.items),
            (Self::Map(a), Self::Map(b)) | (Self::Object(a), Self::Object(b)) => {
                a.fields.cmp(&b.fields)
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}
