//! The plain fields of a struct, read off its serialization; what is nested is never looked into.

use crate::flatten::{Fields, number_text};
use serde::ser::{Impossible, Serialize, SerializeMap, SerializeStruct, Serializer};
use std::fmt::{self, Display};

/// The plain fields of a struct: texts, numbers and truth values, and the entries of the maps named in `maps`.
/// What is nested otherwise is left to the caller; `skip` names fields that are not compared, or compared elsewhere.
pub(crate) fn plain<T: Serialize>(value: &T, maps: &[&str], skip: &[&str]) -> Fields {
    let mut fields = Fields::new();
    let reader = Members::new(Of::Struct { maps, skip }, &mut fields);
    // What is no struct has no fields.
    let _ = value.serialize(reader);
    fields
}

/// What says that a value is not plain.
#[derive(Debug)]
struct Nested;

impl Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not plain")
    }
}

impl std::error::Error for Nested {}

impl serde::ser::Error for Nested {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// A plain value as its text.
struct Leaf;

/// What has members.
#[derive(Clone, Copy)]
enum Of<'a> {
    /// A struct, or a map that stands for one.
    Struct {
        maps: &'a [&'a str],
        skip: &'a [&'a str],
    },
    /// A map that is a field of this name.
    Map(&'a str),
}

/// Takes the members that are plain.
struct Members<'a> {
    of: Of<'a>,
    fields: &'a mut Fields,
    key: String,
}

impl<'a> Members<'a> {
    fn new(of: Of<'a>, fields: &'a mut Fields) -> Self {
        let key = String::new();
        Self { of, fields, key }
    }

    fn take<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        let path = match self.of {
            Of::Struct { skip, .. } if skip.contains(&name) => return,
            Of::Struct { maps, .. } if maps.contains(&name) => {
                let entries = Members::new(Of::Map(name), self.fields);
                if value.serialize(entries).is_ok() {
                    return;
                }
                name.to_owned()
            }
            Of::Struct { .. } => name.to_owned(),
            Of::Map(map) => format!("{map}[{name}]"),
        };
        if let Ok(text) = value.serialize(Leaf) {
            self.fields.insert(path, text);
        }
    }
}

impl SerializeStruct for Members<'_> {
    type Ok = ();
    type Error = Nested;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Nested> {
        self.take(name, value);
        Ok(())
    }

    fn end(self) -> Result<(), Nested> {
        Ok(())
    }
}

impl SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Nested;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Nested> {
        self.key = key.serialize(Leaf)?;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Nested> {
        let name = std::mem::take(&mut self.key);
        self.take(&name, value);
        Ok(())
    }

    fn end(self) -> Result<(), Nested> {
        Ok(())
    }
}

/// Methods of a serializer that refuse what is nested or not there.
macro_rules! refuse {
    ($($method:ident($($type:ty),*);)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<Self::Ok, Nested> {
            Err(Nested)
        })*
    };
}

/// The same of those that lead into lists, tuples and variants.
macro_rules! refuse_inside {
    () => {
        type SerializeSeq = Impossible<Self::Ok, Nested>;
        type SerializeTuple = Impossible<Self::Ok, Nested>;
        type SerializeTupleStruct = Impossible<Self::Ok, Nested>;
        type SerializeTupleVariant = Impossible<Self::Ok, Nested>;
        type SerializeStructVariant = Impossible<Self::Ok, Nested>;

        fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Nested> {
            Err(Nested)
        }
        fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Nested> {
            Err(Nested)
        }
        fn serialize_tuple_struct(
            self,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleStruct, Nested> {
            Err(Nested)
        }
        fn serialize_tuple_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeTupleVariant, Nested> {
            Err(Nested)
        }
        fn serialize_struct_variant(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: usize,
        ) -> Result<Self::SerializeStructVariant, Nested> {
            Err(Nested)
        }
        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Result<Self::Ok, Nested> {
            Err(Nested)
        }
        fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Self::Ok, Nested> {
            value.serialize(self)
        }
        fn serialize_newtype_struct<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            value: &T,
        ) -> Result<Self::Ok, Nested> {
            value.serialize(self)
        }
        refuse! {
            serialize_bytes(&[u8]);
            serialize_none();
            serialize_unit();
            serialize_unit_struct(&'static str);
        }
    };
}

impl<'a> Serializer for Members<'a> {
    type Ok = ();
    type Error = Nested;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Members<'a>;

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Nested> {
        Ok(self)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Nested> {
        match self.of {
            Of::Struct { .. } => Ok(self),
            Of::Map(_) => Err(Nested),
        }
    }
    refuse_inside!();
    refuse! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }
}

/// Methods that take what the text of is wanted.
macro_rules! texts {
    ($($method:ident($type:ty);)*) => {
        $(fn $method(self, value: $type) -> Result<String, Nested> {
            Ok(value.to_string())
        })*
    };
}

impl Serializer for Leaf {
    type Ok = String;
    type Error = Nested;
    type SerializeMap = Impossible<String, Nested>;
    type SerializeStruct = Impossible<String, Nested>;

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Nested> {
        Err(Nested)
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Nested> {
        Err(Nested)
    }
    refuse_inside!();
    texts! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_char(char);
        serialize_str(&str);
    }
    fn serialize_f32(self, value: f32) -> Result<String, Nested> {
        self.serialize_f64(f64::from(value))
    }
    fn serialize_f64(self, value: f64) -> Result<String, Nested> {
        serde_json::Number::from_f64(value)
            .map(|number| number_text(&number))
            .ok_or(Nested)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<String, Nested> {
        Ok(variant.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::plain;
    use serde::Serialize;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Everything {
        text: &'static str,
        number: i64,
        share: f64,
        truth: bool,
        nothing: Option<u8>,
        something: Option<u8>,
        list: Vec<u8>,
        map: BTreeMap<&'static str, serde_json::Value>,
        other: BTreeMap<&'static str, &'static str>,
        unwanted: u8,
        nested: Nested,
    }

    #[derive(Serialize)]
    struct Nested {
        inside: u8,
    }

    #[test]
    fn what_is_nested_is_left_out() {
        let value = Everything {
            text: "a",
            number: -1,
            share: 1e6,
            truth: true,
            nothing: None,
            something: Some(2),
            list: vec![1],
            map: [("k", serde_json::json!(1)), ("l", serde_json::json!([1]))].into(),
            other: [("k", "v")].into(),
            unwanted: 3,
            nested: Nested { inside: 4 },
        };
        let fields = plain(&value, &["map"], &["unwanted"]);
        let shown: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let expected = [
            "map[k]=1",
            "number=-1",
            "share=1e+06",
            "something=2",
            "text=a",
            "truth=true",
        ];
        assert_eq!(shown, expected);
    }
}
