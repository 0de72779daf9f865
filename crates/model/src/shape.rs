//! Serde helpers for the reference's rules about `null`, `[]`, absent members and numbers.
//!
//! Use: `#[serde(default, with = "shape::nullable")]` writes an empty collection or text map as `null` and reads
//! `null` as empty; `#[serde(default, deserialize_with = "shape::null_default")]` only reads `null` as the default;
//! `#[serde(skip_serializing_if = "shape::is_default")]` drops zero values of objects that omit what is empty.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whether a value is its type's default: for `skip_serializing_if`.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads `null` as the default.
///
/// # Errors
/// Whatever the value's own form refuses.
pub fn null_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Something that can be empty, and then is `null` in JSON.
pub trait Emptiable {
    /// Whether nothing is in it.
    fn is_nothing(&self) -> bool;
}

impl<T> Emptiable for Vec<T> {
    fn is_nothing(&self) -> bool {
        self.is_empty()
    }
}

impl<K, V> Emptiable for std::collections::BTreeMap<K, V> {
    fn is_nothing(&self) -> bool {
        self.is_empty()
    }
}

impl Emptiable for serde_json::Map<String, serde_json::Value> {
    fn is_nothing(&self) -> bool {
        self.is_empty()
    }
}

/// `with = "shape::nullable"`: empty is written as `null`; `null` is read as empty.
pub mod nullable {
    use super::{Deserialize, Deserializer, Emptiable, Serialize, Serializer};

    /// Writes `null` when nothing is in it.
    ///
    /// # Errors
    /// Whatever the serializer refuses.
    pub fn serialize<S: Serializer, T: Serialize + Emptiable>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if value.is_nothing() {
            serializer.serialize_none()
        } else {
            value.serialize(serializer)
        }
    }

    /// Reads `null` as empty.
    ///
    /// # Errors
    /// Whatever the value's own form refuses.
    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de> + Default,
    {
        super::null_default(deserializer)
    }
}

/// `with = "shape::base64_bytes"`: bytes as standard base64 text, `null` when empty.
pub mod base64_bytes {
    use super::{Deserialize, Deserializer, Serializer};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    /// Writes base64 text, or `null` when empty.
    ///
    /// # Errors
    /// Whatever the serializer refuses.
    pub fn serialize<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_empty() {
            serializer.serialize_none()
        } else {
            serializer.serialize_str(&STANDARD.encode(value))
        }
    }

    /// Reads base64 text or `null`.
    ///
    /// # Errors
    /// Text that is not base64.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        STANDARD.decode(&text).map_err(|error| {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _)
                | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
                    text.len()
                }
            };
            serde::de::Error::custom(format!("illegal base64 data at input byte {at}"))
        })
    }
}

/// `with = "shape::duration_text"`: a duration as text such as `1h0m0s`, `""` when zero; integers are read too.
pub mod duration_text {
    use super::{Deserializer, Serialize, Serializer};
    use crate::time::Duration;

    /// Writes text, or integer nanoseconds where nobody reads.
    ///
    /// # Errors
    /// Whatever the serializer refuses.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        match (serializer.is_human_readable(), value.is_zero()) {
            (false, _) => value.serialize(serializer),
            (true, true) => serializer.serialize_str(""),
            (true, false) => serializer.collect_str(value),
        }
    }

    /// Reads text, integer nanoseconds or `null`.
    ///
    /// # Errors
    /// Text that is not a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::deserialize_lenient(deserializer)
    }
}

/// `with = "shape::duration_text_zero"`: like [`duration_text`], but zero is `"0s"`.
pub mod duration_text_zero {
    pub use super::duration_text::deserialize;
    use super::{Serialize, Serializer};
    use crate::time::Duration;

    /// Writes text, or integer nanoseconds where nobody reads.
    ///
    /// # Errors
    /// Whatever the serializer refuses.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(value)
        } else {
            value.serialize(serializer)
        }
    }
}

#[cfg(test)]
mod tests {
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Sample {
        #[serde(default, with = "super::nullable")]
        list: Vec<u8>,
        #[serde(default, with = "super::base64_bytes")]
        payload: Vec<u8>,
        #[serde(default, skip_serializing_if = "super::is_default")]
        count: u32,
    }

    #[test]
    fn empty_is_null_and_zero_is_absent() {
        let empty = Sample {
            list: vec![],
            payload: vec![],
            count: 0,
        };
        let text = serde_json::to_string(&empty).unwrap();
        assert_eq!(text, r#"{"list":null,"payload":null}"#);
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), empty);
        assert_eq!(serde_json::from_str::<Sample>("{}").unwrap(), empty);
    }
}
