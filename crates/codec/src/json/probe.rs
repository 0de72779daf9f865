//! What a list or map would hold: asked of the type itself, to name it in an error (`[]string`).

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// The name of a list type.
pub(super) fn list<'de, V: Visitor<'de>>(visitor: V) -> String {
    match visitor.visit_seq(Probe) {
        Err(Answer(element)) => format!("[]{element}"),
        Ok(_) => "[]interface {}".to_owned(),
    }
}

/// The name of a map type.
pub(super) fn map<'de, V: Visitor<'de>>(visitor: V) -> String {
    match visitor.visit_map(Probe) {
        Err(Answer(element)) => format!("map[string]{element}"),
        Ok(_) => "map[string]interface {}".to_owned(),
    }
}

struct Probe;

/// The "error" that carries the name back.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Answer(String);

impl de::Error for Answer {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self("interface {}".to_owned())
    }
}

impl<'de> SeqAccess<'de> for Probe {
    type Error = Answer;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Answer> {
        seed.deserialize(Probe).map(Some)
    }
}

impl<'de> MapAccess<'de> for Probe {
    type Error = Answer;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Answer> {
        seed.deserialize(de::value::StrDeserializer::new(""))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Answer> {
        seed.deserialize(Probe)
    }
}

macro_rules! kinds {
    ($($method:ident $kind:literal;)+) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
            Err(Answer($kind.to_owned()))
        }
    )+};
}

impl<'de> Deserializer<'de> for Probe {
    type Error = Answer;

    kinds! {
        deserialize_any "interface {}";
        deserialize_bool "bool";
        deserialize_i8 "int8";
        deserialize_i16 "int16";
        deserialize_i32 "int";
        deserialize_i64 "int";
        deserialize_u8 "uint8";
        deserialize_u16 "uint16";
        deserialize_u32 "uint32";
        deserialize_u64 "uint64";
        deserialize_f32 "float32";
        deserialize_f64 "float64";
        deserialize_char "string";
        deserialize_str "string";
        deserialize_string "string";
        deserialize_bytes "[]uint8";
        deserialize_byte_buf "[]uint8";
        deserialize_unit "interface {}";
        deserialize_identifier "string";
        deserialize_ignored_any "interface {}";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer(format!("api.{}", super::read::go_name(name))))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Answer> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        Err(Answer(list(visitor)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Answer> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Answer> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        Err(Answer(map(visitor)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer(format!("*api.{name}")))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Answer> {
        Err(Answer("string".to_owned()))
    }
}
