//! From packed bytes to a type. What is here is made anew for every type, so each function does as little as it can.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::UnpackError;
use super::bytes::{Bytes, Head, unfit};

type Result<T> = std::result::Result<T, UnpackError>;

/// All kinds of numbers are read alike: visitors tell whether one fits.
macro_rules! numbers {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.head()? {
                Head::Unsigned(value) => visitor.visit_u64(value),
                Head::Signed(value) => visitor.visit_i64(value),
                Head::Float(value) => visitor.visit_f64(value),
                found => Err(unfit("a number", found)),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for &mut Bytes<'_> {
    type Error = UnpackError;

    fn is_human_readable(&self) -> bool {
        false
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_f32 deserialize_f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek()? {
            Head::Nil => self.deserialize_unit(visitor),
            Head::Bool(_) => self.deserialize_bool(visitor),
            Head::Unsigned(_) | Head::Signed(_) | Head::Float(_) => self.deserialize_u64(visitor),
            Head::Text(_) => self.deserialize_str(visitor),
            Head::Binary(_) => self.deserialize_bytes(visitor),
            Head::List(_) => self.deserialize_seq(visitor),
            Head::Map(_) => self.deserialize_map(visitor),
            found @ Head::Extension(_) => Err(unfit("a value", found)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Bool(value) => visitor.visit_bool(value),
            found => Err(unfit("a boolean", found)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_str(self.text()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Binary(length) => visitor.visit_bytes(self.take(length)?),
            Head::Text(length) => visitor.visit_str(self.text_of(length)?),
            found => Err(unfit("bytes", found)),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.take_nil() {
            true => visitor.visit_none(),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Nil => visitor.visit_unit(),
            found => Err(unfit("nil", found)),
        }
    }

    /// Units with a name are written as empty lists.
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        match self.head()? {
            Head::Nil | Head::List(0) => visitor.visit_unit(),
            found => Err(unfit("nil", found)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let mut left = self.list()?;
        self.enter()?;
        let value = visitor.visit_seq(Items {
            bytes: self,
            left: &mut left,
        })?;
        self.leave(left)?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let mut left = self.map()?;
        self.enter()?;
        let value = visitor.visit_map(Items {
            bytes: self,
            left: &mut left,
        })?;
        self.leave(left)?;
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.head()? {
            Head::Text(length) => {
                let name = self.text_of(length)?;
                visitor.visit_enum(Variant { name, holds: None })
            }
            Head::Map(1) => {
                let name = self.text()?;
                self.enter()?;
                let value = visitor.visit_enum(Variant {
                    name,
                    holds: Some(&mut *self),
                })?;
                self.leave(0)?;
                Ok(value)
            }
            found => Err(unfit("the name of a variant, or a map from it", found)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }
}

/// What is left of a list or a map.
struct Items<'r, 'b> {
    bytes: &'r mut Bytes<'b>,
    left: &'r mut usize,
}

impl Items<'_, '_> {
    /// Whether another one follows, which then counts as read.
    fn next(&mut self) -> bool {
        let more = *self.left > 0;
        *self.left -= usize::from(more);
        more
    }

    /// How many follow, as far as the bytes that are there can hold them.
    fn hint(&self) -> Option<usize> {
        Some((*self.left).min(self.bytes.left()))
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = UnpackError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        match self.next() {
            true => seed.deserialize(&mut *self.bytes).map(Some),
            false => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> MapAccess<'de> for Items<'_, '_> {
    type Error = UnpackError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        match self.next() {
            true => seed.deserialize(&mut *self.bytes).map(Some),
            false => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.bytes)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

/// A variant of an enum; what it holds follows in the bytes.
struct Variant<'r, 'b> {
    name: &'b str,
    holds: Option<&'r mut Bytes<'b>>,
}

impl<'r, 'b> Variant<'r, 'b> {
    fn content(self) -> Result<&'r mut Bytes<'b>> {
        self.holds.ok_or_else(|| {
            let name = self.name;
            UnpackError::new(format!("variant {name:?} comes without what it holds"))
        })
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, '_> {
    type Error = UnpackError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let name = seed.deserialize(IntoDeserializer::<UnpackError>::into_deserializer(
            self.name,
        ))?;
        Ok((name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = UnpackError;

    fn unit_variant(self) -> Result<()> {
        match self.holds {
            Some(bytes) => bytes.skip(),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.content()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.content()?.deserialize_map(visitor)
    }
}
