//! Packed values: what a snapshot holds, without knowing what it means.

use base64::Engine;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// A packed value. It packs again to what it was read from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Packed {
    Nil,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Packed>),
    Map(Vec<(Packed, Packed)>),
}

impl Packed {
    /// The value, if the bytes are one.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        caravan_codec::msgpack::unpack(bytes).ok()
    }

    /// As bytes.
    pub(crate) fn write(&self) -> Result<Vec<u8>, String> {
        caravan_codec::msgpack::pack(self).map_err(|error| error.to_string())
    }

    /// A member of a map.
    pub(crate) fn member(&mut self, name: &str) -> Option<&mut Self> {
        let Self::Map(members) = self else {
            return None;
        };
        let named = |key: &Self| matches!(key, Self::Text(text) if text == name);
        members
            .iter_mut()
            .find(|(key, _)| named(key))
            .map(|(_, value)| value)
    }

    /// As JSON; bytes become base64.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Nil => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Signed(value) => (*value).into(),
            Self::Unsigned(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Text(value) => value.as_str().into(),
            Self::Bytes(value) => base64::engine::general_purpose::STANDARD
                .encode(value)
                .into(),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Map(members) => {
                let name = |key: &Self| match key {
                    Self::Text(text) => text.clone(),
                    other => other.json().to_string(),
                };
                let members: Map<String, Value> = members
                    .iter()
                    .map(|(key, value)| (name(key), value.json()))
                    .collect();
                members.into()
            }
        }
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => to.serialize_unit(),
            Self::Bool(value) => to.serialize_bool(*value),
            Self::Signed(value) => to.serialize_i64(*value),
            Self::Unsigned(value) => to.serialize_u64(*value),
            Self::Float(value) => to.serialize_f64(*value),
            Self::Text(value) => to.serialize_str(value),
            Self::Bytes(value) => to.serialize_bytes(value),
            Self::List(items) => to.collect_seq(items),
            Self::Map(members) => {
                let mut map = to.serialize_map(Some(members.len()))?;
                for (key, value) in members {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Packed;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a packed value")
    }

    fn visit_unit<E>(self) -> Result<Packed, E> {
        Ok(Packed::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Packed, E> {
        Ok(Packed::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Packed, E> {
        Ok(Packed::Signed(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Packed, E> {
        Ok(Packed::Unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Packed, E> {
        Ok(Packed::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Packed, E> {
        Ok(Packed::Text(value.to_owned()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Packed, E> {
        Ok(Packed::Bytes(value.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Packed, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element()? {
            items.push(item);
        }
        Ok(Packed::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Packed, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = from.next_entry()? {
            members.push(member);
        }
        Ok(Packed::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use super::Packed;
    use serde_json::json;

    #[test]
    fn values_keep_their_shape_and_anything_else_is_none() {
        let value = json!({"a": [1, -2, "x", null, true], "b": {"c": 1.5}});
        let bytes = caravan_codec::msgpack::pack(&value).expect("packed");
        let packed = Packed::read(&bytes).expect("read");
        assert_eq!(packed.json(), value);
        assert_eq!(packed.write().expect("written"), bytes);
        assert_eq!(Packed::read(b"\xc1"), None);
    }

    #[test]
    fn bytes_stay_bytes() {
        let packed = Packed::List(vec![Packed::Bytes(vec![1, 2, 255])]);
        let bytes = packed.write().expect("written");
        assert_eq!(Packed::read(&bytes), Some(packed));
    }
}
