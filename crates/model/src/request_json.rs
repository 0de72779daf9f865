//! Request bodies as the reference reads them: names in any case, unknown ones passed over, `null` as not given,
//! only the first value read.
//!
//! Only members of structs are treated so; what is free-form keeps its keys and nulls. Structs that use
//! `serde(flatten)` see their members as written.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor,
};
use serde_json::{Error, Map, Value};

/// Reads the first JSON value of `body` into `T`.
///
/// # Errors
/// Text that is not JSON, no value at all, or a value of another type than the member's.
pub fn from_slice<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let value = values.next().unwrap_or_else(|| Err(Error::custom("EOF")))?;
    from_value(value)
}

/// Reads a JSON value that is already parsed.
///
/// # Errors
/// A value of another type than the member's.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(Lenient(value))
}

struct Lenient(Value);

/// The members that `fields` names, in whatever case; the last one wins.
fn members(fields: &'static [&'static str], object: Map<String, Value>) -> Map<String, Value> {
    let mut known = Map::new();
    for (key, value) in object {
        let name = fields
            .iter()
            .find(|field| **field == key)
            .or_else(|| fields.iter().find(|field| field.eq_ignore_ascii_case(&key)));
        if let Some(name) = name
            && !value.is_null()
        {
            known.insert((*name).to_owned(), value);
        }
    }
    known
}

fn visit_object<'de, V: Visitor<'de>>(
    object: Map<String, Value>,
    visitor: V,
) -> Result<V::Value, Error> {
    let entries = object.into_iter().map(|(key, value)| (key, Lenient(value)));
    visitor.visit_map(MapDeserializer::new(entries))
}

macro_rules! null_is {
    ($($method:ident => $visit:ident($zero:expr)),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            if self.0.is_null() {
                return visitor.$visit($zero);
            }
            self.deserialize_any(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Lenient {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(value) => value.deserialize_any(visitor),
            Value::String(value) => visitor.visit_string(value),
            Value::Array(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Lenient)))
            }
            Value::Object(object) => visit_object(object, visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Object(object) => visit_object(members(fields, object), visitor),
            Value::Null => visit_object(Map::new(), visitor),
            Value::Array(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            other => Lenient(other).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => Lenient(Value::Array(Vec::new())).deserialize_any(visitor),
            other => Lenient(other).deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visit_object(Map::new(), visitor),
            other => Lenient(other).deserialize_any(visitor),
        }
    }

    null_is! {
        deserialize_bool => visit_bool(false),
        deserialize_i8 => visit_i8(0),
        deserialize_i16 => visit_i16(0),
        deserialize_i32 => visit_i32(0),
        deserialize_i64 => visit_i64(0),
        deserialize_u8 => visit_u8(0),
        deserialize_u16 => visit_u16(0),
        deserialize_u32 => visit_u32(0),
        deserialize_u64 => visit_u64(0),
        deserialize_f32 => visit_f32(0.0),
        deserialize_f64 => visit_f64(0.0),
        deserialize_str => visit_str(""),
        deserialize_string => visit_str(""),
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Lenient {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::api::ApiJob;
    use crate::{Job, JobRegisterRequest};
    use serde_json::json;

    #[test]
    fn names_match_in_any_case_and_unknown_ones_are_passed_over() {
        let body =
            br#"{"job": {"id": "web", "TASKGROUPS": [{"Name": "g", "count": 3}], "Bogus": {}, "ui":
            {"links": [{"label": "a", "URL": "b"}]}}, "enforceindex": true} trailing"#;
        let request: JobRegisterRequest = super::from_slice(body).unwrap();
        let job = request.job.unwrap();
        assert!(request.enforce_index);
        assert_eq!(job.id.as_deref(), Some("web"));
        assert_eq!(job.task_groups.as_ref().unwrap()[0].count, Some(3));
        assert_eq!(Job::from(job).ui.unwrap().links[0].url, "b");
    }

    #[test]
    fn null_is_not_given_except_within_free_form() {
        let value = json!({"ID": "x", "Dispatched": null, "Namespace": null, "Payload": null,
            "TaskGroups": [{"Tasks": [{"Name": null, "Config": {"Keep": null}, "Env": {"A": null}}]}]});
        let job: ApiJob = super::from_value(value).unwrap();
        assert_eq!(job.namespace, None);
        let task = job.task_groups.unwrap()[0].tasks.clone().unwrap().remove(0);
        assert_eq!(task.name, "");
        assert_eq!(task.config.unwrap()["Keep"], json!(null));
        assert_eq!(task.env.unwrap()["A"], "");
    }

    #[test]
    fn a_wrong_type_is_an_error() {
        for text in [r#"{"ID": 1}"#, r#"{"Priority": "high"}"#, "[]", "", "{"] {
            assert!(
                super::from_slice::<ApiJob>(text.as_bytes()).is_err(),
                "{text}"
            );
        }
    }
}
