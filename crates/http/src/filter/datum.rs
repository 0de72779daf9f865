//! An object as a tree that still knows what is a member of a structure and what a key of a map, which kind of
//! number it is, and which members were left out of the JSON.

use serde::{
    Serialize, Serializer,
    ser::{
        self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Datum {
    Nil,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
    List(Vec<Datum>),
    Map(Vec<(String, Datum)>),
    /// `None`: known, but empty and left out, or not asked for.
    Struct(Vec<(&'static str, Option<Datum>)>),
}

/// Cannot happen with the model's types.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unwritable(String);

impl ser::Error for Unwritable {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// The tree of an object; of its own members only those `wanted`.
pub(super) fn of<T: Serialize + ?Sized>(
    object: &T,
    wanted: &[String],
) -> Result<Datum, Unwritable> {
    object.serialize(Tree {
        wanted: Some(wanted),
    })
}

#[derive(Clone, Copy)]
struct Tree<'w> {
    wanted: Option<&'w [String]>,
}

fn inner<T: Serialize + ?Sized>(value: &T) -> Result<Datum, Unwritable> {
    value.serialize(Tree { wanted: None })
}

impl<'w> Serializer for Tree<'w> {
    type Ok = Datum;
    type Error = Unwritable;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Members<'w>;
    type SerializeStructVariant = Members<'w>;

    fn serialize_bool(self, v: bool) -> Result<Datum, Unwritable> {
        Ok(Datum::Bool(v))
    }
    fn serialize_i8(self, v: i8) -> Result<Datum, Unwritable> {
        Ok(Datum::Int(v.into()))
    }
    fn serialize_i16(self, v: i16) -> Result<Datum, Unwritable> {
        Ok(Datum::Int(v.into()))
    }
    fn serialize_i32(self, v: i32) -> Result<Datum, Unwritable> {
        Ok(Datum::Int(v.into()))
    }
    fn serialize_i64(self, v: i64) -> Result<Datum, Unwritable> {
        Ok(Datum::Int(v))
    }
    fn serialize_u8(self, v: u8) -> Result<Datum, Unwritable> {
        Ok(Datum::Uint(v.into()))
    }
    fn serialize_u16(self, v: u16) -> Result<Datum, Unwritable> {
        Ok(Datum::Uint(v.into()))
    }
    fn serialize_u32(self, v: u32) -> Result<Datum, Unwritable> {
        Ok(Datum::Uint(v.into()))
    }
    fn serialize_u64(self, v: u64) -> Result<Datum, Unwritable> {
        Ok(Datum::Uint(v))
    }
    fn serialize_f32(self, v: f32) -> Result<Datum, Unwritable> {
        Ok(Datum::Float(v.into()))
    }
    fn serialize_f64(self, v: f64) -> Result<Datum, Unwritable> {
        Ok(Datum::Float(v))
    }
    fn serialize_char(self, v: char) -> Result<Datum, Unwritable> {
        Ok(Datum::Text(v.to_string()))
    }
    fn serialize_str(self, v: &str) -> Result<Datum, Unwritable> {
        Ok(Datum::Text(v.to_owned()))
    }
    fn serialize_bytes(self, v: &[u8]) -> Result<Datum, Unwritable> {
        Ok(Datum::List(
            v.iter().map(|byte| Datum::Uint((*byte).into())).collect(),
        ))
    }
    fn serialize_none(self) -> Result<Datum, Unwritable> {
        Ok(Datum::Nil)
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Datum, Unwritable> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<Datum, Unwritable> {
        Ok(Datum::Nil)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<Datum, Unwritable> {
        Ok(Datum::Nil)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Datum, Unwritable> {
        Ok(Datum::Text(variant.to_owned()))
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Datum, Unwritable> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Datum, Unwritable> {
        Ok(Datum::Map(vec![(variant.to_owned(), inner(value)?)]))
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Items, Unwritable> {
        Ok(Items(Vec::new()))
    }
    fn serialize_tuple(self, _: usize) -> Result<Items, Unwritable> {
        Ok(Items(Vec::new()))
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items, Unwritable> {
        Ok(Items(Vec::new()))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Items, Unwritable> {
        Ok(Items(Vec::new()))
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Entries, Unwritable> {
        Ok(Entries {
            done: Vec::new(),
            key: None,
        })
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'w>, Unwritable> {
        Ok(Members {
            done: Vec::new(),
            wanted: self.wanted,
        })
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Members<'w>, Unwritable> {
        Ok(Members {
            done: Vec::new(),
            wanted: self.wanted,
        })
    }
}

struct Items(Vec<Datum>);

macro_rules! items {
    ($($trait:ident :: $method:ident),+) => {$(
        impl $trait for Items {
            type Ok = Datum;
            type Error = Unwritable;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
                self.0.push(inner(value)?);
                Ok(())
            }
            fn end(self) -> Result<Datum, Unwritable> {
                Ok(Datum::List(self.0))
            }
        }
    )+};
}
items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

struct Entries {
    done: Vec<(String, Datum)>,
    key: Option<String>,
}

impl SerializeMap for Entries {
    type Ok = Datum;
    type Error = Unwritable;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unwritable> {
        self.key = Some(match inner(key)? {
            Datum::Text(text) => text,
            Datum::Int(number) => number.to_string(),
            Datum::Uint(number) => number.to_string(),
            other => return Err(Unwritable(format!("{other:?} is no key of a map"))),
        });
        Ok(())
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unwritable> {
        let key = self.key.take().unwrap_or_default();
        self.done.push((key, inner(value)?));
        Ok(())
    }
    fn end(self) -> Result<Datum, Unwritable> {
        Ok(Datum::Map(self.done))
    }
}

struct Members<'w> {
    done: Vec<(&'static str, Option<Datum>)>,
    wanted: Option<&'w [String]>,
}

impl Members<'_> {
    fn push<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Unwritable> {
        let wanted = self
            .wanted
            .is_none_or(|wanted| wanted.iter().any(|name| name == key));
        self.done
            .push((key, if wanted { Some(inner(value)?) } else { None }));
        Ok(())
    }
}

macro_rules! members {
    ($($trait:ident),+) => {$(
        impl $trait for Members<'_> {
            type Ok = Datum;
            type Error = Unwritable;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Unwritable> {
                self.push(key, value)
            }
            fn skip_field(&mut self, key: &'static str) -> Result<(), Unwritable> {
                self.done.push((key, None));
                Ok(())
            }
            fn end(self) -> Result<Datum, Unwritable> {
                Ok(Datum::Struct(self.done))
            }
        }
    )+};
}
members!(SerializeStruct, SerializeStructVariant);
