//! From a scanned value to a type.

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::{error::DecodeError, probe, scan::Value};

/// Reads one value; knows where in the object it stands.
#[derive(Clone, Copy)]
pub(super) struct Reader<'v> {
    value: &'v Value<'v>,
    package: &'v str,
    at: Option<&'v At<'v>>,
}

/// The member that is being read, and those around it.
#[derive(Clone, Copy)]
struct At<'v> {
    /// The structure that has the member.
    owner: &'static str,
    /// The member; `None` for elements of lists and maps, which leave no trace in the path.
    member: &'static str,
    around: Option<&'v At<'v>>,
}

impl<'v> Reader<'v> {
    pub(super) fn root(value: &'v Value<'v>, package: &'v str) -> Self {
        Self {
            value,
            package,
            at: None,
        }
    }

    fn inside(&self, value: &'v Value<'v>) -> Self {
        Self { value, ..*self }
    }

    /// The value is not of the kind that is wanted.
    fn mismatch(&self, wanted: &str) -> DecodeError {
        let found = match self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(_) => "bool".to_owned(),
            Value::Number(text) if is_number(wanted) => format!("number {text}"),
            Value::Number(_) => "number".to_owned(),
            Value::Text(_) => "string".to_owned(),
            Value::List(_) => "array".to_owned(),
            Value::Object(_) => "object".to_owned(),
        };
        match self.at {
            None => DecodeError(format!(
                "json: cannot unmarshal {found} into Go value of type {wanted}"
            )),
            Some(at) => DecodeError(format!(
                "json: cannot unmarshal {found} into Go struct field {}.{} of type {wanted}",
                go_name(at.owner),
                at.path()
            )),
        }
    }

    fn named(&self, name: &str) -> String {
        let name = go_name(name);
        match self.at {
            None => format!("{}.{name}", self.package),
            Some(_) => format!("api.{name}"),
        }
    }
}

/// The reference's name of a type: ours for jobs as users send them begin with the name of its package.
pub(super) fn go_name(name: &str) -> &str {
    name.strip_prefix("Api")
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        .unwrap_or(name)
}

fn is_number(kind: &str) -> bool {
    kind.starts_with("int") || kind.starts_with("uint") || kind.starts_with("float")
}

impl At<'_> {
    fn path(&self) -> String {
        match self.around {
            Some(around) => format!("{}.{}", around.path(), self.member),
            None => self.member.to_owned(),
        }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty, $kind:literal;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.value {
                Value::Null => visitor.$visit(<$type>::default()),
                Value::Number(text) => match text.parse::<$type>() {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => Err(self.mismatch($kind)),
                },
                _ => Err(self.mismatch($kind)),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = DecodeError;

    numbers! {
        deserialize_i8 visit_i8 i8, "int8";
        deserialize_i16 visit_i16 i16, "int16";
        deserialize_i32 visit_i32 i32, "int";
        deserialize_i64 visit_i64 i64, "int";
        deserialize_u8 visit_u8 u8, "uint8";
        deserialize_u16 visit_u16 u16, "uint16";
        deserialize_u32 visit_u32 u32, "uint32";
        deserialize_u64 visit_u64 u64, "uint64";
        deserialize_f32 visit_f32 f32, "float32";
        deserialize_f64 visit_f64 f64, "float64";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(text) => {
                if let Ok(number) = text.parse::<u64>() {
                    visitor.visit_u64(number)
                } else if let Ok(number) = text.parse::<i64>() {
                    visitor.visit_i64(number)
                } else {
                    visitor.visit_f64(text.parse().map_err(|_| self.mismatch("float64"))?)
                }
            }
            Value::Text(text) => visitor.visit_str(text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_bool(false),
            Value::Bool(value) => visitor.visit_bool(*value),
            _ => Err(self.mismatch("bool")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_str(""),
            Value::Text(text) => visitor.visit_str(text),
            _ => Err(self.mismatch("string")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_str(""),
            Value::Text(text) => visitor.visit_str(text),
            _ => Err(self.mismatch("[]uint8")),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match (name, self.value) {
            // Texts such as `30s` are for those few members that say so.
            ("Duration", Value::Text(_) | Value::Bool(_) | Value::List(_) | Value::Object(_)) => {
                Err(self.mismatch("time.Duration"))
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Null => visitor.visit_seq(Items {
                reader: self,
                items: [].iter(),
            }),
            Value::List(items) => visitor.visit_seq(Items {
                reader: self,
                items: items.iter(),
            }),
            _ => Err(self.mismatch(&probe::list(visitor))),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let entries = match self.value {
            Value::Null => &[][..],
            Value::Object(entries) => entries,
            _ => return Err(self.mismatch(&probe::map(visitor))),
        };
        visitor.visit_map(Entries {
            reader: self,
            entries: last_of_each(entries.iter().map(|(k, v)| (&**k, v))),
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let members = match self.value {
            Value::Null => &[][..],
            Value::Object(members) => members,
            _ => return Err(self.mismatch(&self.named(name))),
        };
        let known = members
            .iter()
            .filter_map(|(key, value)| Some((member(fields, key)?, value)));
        visitor.visit_map(Members {
            reader: self,
            owner: name,
            members: last_of_each(known),
            value: None,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.value {
            Value::Text(text) => visitor.visit_enum(text.as_ref().into_deserializer()),
            Value::Null => visitor.visit_enum("".into_deserializer()),
            Value::Object(entries) if entries.len() == 1 => visitor.visit_enum(Variant {
                name: &entries[0].0,
                reader: self.inside(&entries[0].1),
            }),
            _ => Err(self.mismatch(&self.named(name))),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }
}

/// The member that a key means: its exact name, else the same letters in any case.
fn member(fields: &'static [&'static str], key: &str) -> Option<&'static str> {
    let exact = fields.iter().find(|field| **field == key);
    exact
        .or_else(|| fields.iter().find(|field| field.eq_ignore_ascii_case(key)))
        .copied()
}

/// Keys may come twice: the last counts.
fn last_of_each<'v, K: PartialEq + Copy>(
    entries: impl Iterator<Item = (K, &'v Value<'v>)>,
) -> std::vec::IntoIter<(K, &'v Value<'v>)> {
    let mut kept: Vec<(K, &'v Value<'v>)> = Vec::new();
    for (key, value) in entries {
        match kept.iter_mut().find(|(other, _)| *other == key) {
            Some(entry) => entry.1 = value,
            None => kept.push((key, value)),
        }
    }
    kept.into_iter()
}

struct Items<'v> {
    reader: Reader<'v>,
    items: std::slice::Iter<'v, Value<'v>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        self.items
            .next()
            .map(|item| seed.deserialize(self.reader.inside(item)))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'v> {
    reader: Reader<'v>,
    entries: std::vec::IntoIter<(&'v str, &'v Value<'v>)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        let key = self.entries.as_slice().first().map(|(key, _)| *key);
        key.map(|key| seed.deserialize(key.into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        match self.entries.next() {
            Some((_, value)) => seed.deserialize(self.reader.inside(value)),
            None => Err(de::Error::custom("a value was asked for without its key")),
        }
    }
}

struct Members<'v> {
    reader: Reader<'v>,
    owner: &'static str,
    members: std::vec::IntoIter<(&'static str, &'v Value<'v>)>,
    value: Option<(&'static str, &'v Value<'v>)>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        self.value = self.members.next();
        self.value
            .map(|(name, _)| seed.deserialize(name.into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let Some((member, value)) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for without its key"));
        };
        let at = At {
            owner: self.owner,
            member,
            around: self.reader.at,
        };
        seed.deserialize(Reader {
            value,
            package: self.reader.package,
            at: Some(&at),
        })
    }
}

struct Variant<'v> {
    name: &'v str,
    reader: Reader<'v>,
}

impl<'de, 'v> EnumAccess<'de> for Variant<'v> {
    type Error = DecodeError;
    type Variant = Reader<'v>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Reader<'v>), DecodeError> {
        Ok((
            seed.deserialize(self.name.into_deserializer())?,
            self.reader,
        ))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_struct("", fields, visitor)
    }
}
