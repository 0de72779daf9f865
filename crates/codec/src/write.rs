//! From a type to the pieces of which every form is made. What is here is made anew for every type, so each function
//! does as little as it can.

use std::fmt::Display;

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

/// Why a value could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WriteError(Box<str>);

impl WriteError {
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }
}

impl serde::ser::Error for WriteError {
    fn custom<T: Display>(text: T) -> Self {
        Self::new(text.to_string())
    }
}

/// A form that a value is told to, piece by piece: the next piece is the next item of the list, or key or value of the
/// map, that was begun last.
pub trait Sink {
    /// Whether people read the form. Ids and times are texts then, and binary otherwise.
    fn is_text(&self) -> bool;
    /// Nothing at all.
    fn nil(&mut self);
    /// A truth value.
    fn boolean(&mut self, value: bool);
    /// A whole number that is not negative.
    fn unsigned(&mut self, value: u64);
    /// A whole number.
    fn signed(&mut self, value: i64);
    /// A number.
    fn float(&mut self, value: f64);
    /// A number of half the size.
    fn single(&mut self, value: f32);
    /// A text.
    fn text(&mut self, value: &str);
    /// Bytes.
    fn binary(&mut self, value: &[u8]);
    /// Begins a list of `length` items, where that is known.
    fn begin_list(&mut self, length: Option<usize>);
    /// Says that an item of the list follows.
    fn next_item(&mut self);
    /// Ends the list that was begun last.
    fn end_list(&mut self);
    /// Begins a map of `length` entries, where that is known.
    fn begin_map(&mut self, length: Option<usize>);
    /// Says that a key of the map follows.
    fn next_key(&mut self);
    /// Says that the value of the last key follows.
    fn next_value(&mut self);
    /// Ends the map that was begun last.
    fn end_map(&mut self);
}

/// Tells a value to a form.
///
/// # Errors
/// What the value's own way of writing itself refuses.
pub fn write<T: Serialize + ?Sized>(value: &T, sink: &mut dyn Sink) -> Result<(), WriteError> {
    value.serialize(Writer { sink })
}

type Written = Result<(), WriteError>;

/// The one serializer that every type is made for.
struct Writer<'s> {
    sink: &'s mut dyn Sink,
}

impl<'s> Writer<'s> {
    fn list(self, length: Option<usize>, closes_map: bool) -> Parts<'s> {
        self.sink.begin_list(length);
        Parts {
            sink: self.sink,
            closes_map,
        }
    }

    fn map(self, length: Option<usize>, closes_map: bool) -> Parts<'s> {
        self.sink.begin_map(length);
        Parts {
            sink: self.sink,
            closes_map,
        }
    }

    /// The map from the name of a variant to what it holds, up to that.
    fn variant(self, name: &str) -> Self {
        self.sink.begin_map(Some(1));
        self.sink.next_key();
        self.sink.text(name);
        self.sink.next_value();
        self
    }
}

macro_rules! scalars {
    ($($method:ident($type:ty) $piece:ident;)+) => {$(
        fn $method(self, value: $type) -> Written {
            self.sink.$piece(value.into());
            Ok(())
        }
    )+};
}

impl<'s> Serializer for Writer<'s> {
    type Ok = ();
    type Error = WriteError;
    type SerializeSeq = Parts<'s>;
    type SerializeTuple = Parts<'s>;
    type SerializeTupleStruct = Parts<'s>;
    type SerializeTupleVariant = Parts<'s>;
    type SerializeMap = Parts<'s>;
    type SerializeStruct = Parts<'s>;
    type SerializeStructVariant = Parts<'s>;

    fn is_human_readable(&self) -> bool {
        self.sink.is_text()
    }

    scalars! {
        serialize_bool(bool) boolean;
        serialize_i8(i8) signed;
        serialize_i16(i16) signed;
        serialize_i32(i32) signed;
        serialize_i64(i64) signed;
        serialize_u8(u8) unsigned;
        serialize_u16(u16) unsigned;
        serialize_u32(u32) unsigned;
        serialize_u64(u64) unsigned;
        serialize_f32(f32) single;
        serialize_f64(f64) float;
        serialize_str(&str) text;
        serialize_bytes(&[u8]) binary;
    }

    fn serialize_char(self, value: char) -> Written {
        self.sink.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_none(self) -> Written {
        self.sink.nil();
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.sink.nil();
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.sink.nil();
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        self.sink.text(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let Writer { sink } = self.variant(variant);
        value.serialize(Writer { sink })?;
        sink.end_map();
        Ok(())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Parts<'s>, WriteError> {
        Ok(self.list(length, false))
    }

    fn serialize_tuple(self, length: usize) -> Result<Parts<'s>, WriteError> {
        Ok(self.list(Some(length), false))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<Parts<'s>, WriteError> {
        Ok(self.list(Some(length), false))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Parts<'s>, WriteError> {
        Ok(self.variant(variant).list(Some(length), true))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Parts<'s>, WriteError> {
        Ok(self.map(length, false))
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Parts<'s>, WriteError> {
        Ok(self.map(Some(length), false))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Parts<'s>, WriteError> {
        Ok(self.variant(variant).map(Some(length), true))
    }
}

/// A list or map that has begun.
struct Parts<'s> {
    sink: &'s mut dyn Sink,
    /// Whether it is what a variant holds, so that the map around it ends with it.
    closes_map: bool,
}

impl Parts<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.sink.next_item();
        value.serialize(Writer { sink: self.sink })
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.sink.next_key();
        key.serialize(Writer { sink: self.sink })
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.sink.next_value();
        value.serialize(Writer { sink: self.sink })
    }

    fn name(&mut self, name: &'static str) {
        self.sink.next_key();
        self.sink.text(name);
    }

    fn end_list(self) -> Written {
        self.sink.end_list();
        self.end_variant()
    }

    fn end_map(self) -> Written {
        self.sink.end_map();
        self.end_variant()
    }

    fn end_variant(self) -> Written {
        if self.closes_map {
            self.sink.end_map();
        }
        Ok(())
    }
}

macro_rules! lists {
    ($($trait:ident $method:ident;)+) => {$(
        impl $trait for Parts<'_> {
            type Ok = ();
            type Error = WriteError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                self.item(value)
            }

            fn end(self) -> Written {
                self.end_list()
            }
        }
    )+};
}

lists! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

macro_rules! structs {
    ($($trait:ident)+) => {$(
        impl $trait for Parts<'_> {
            type Ok = ();
            type Error = WriteError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Written {
                self.name(name);
                self.value(value)
            }

            fn end(self) -> Written {
                self.end_map()
            }
        }
    )+};
}

structs! { SerializeStruct SerializeStructVariant }

impl SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = WriteError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.value(value)
    }

    fn end(self) -> Written {
        self.end_map()
    }
}
