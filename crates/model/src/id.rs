//! Typed identifiers: 16-byte UUID ids whose nil prints as `""`, and shared-string names.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A text that should have been a UUID and was not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a UUID: expected 36 characters such as 5364b51c-f770-84e1-3459-54af14b6ff6c"
)]
pub struct InvalidId {
    /// What was given.
    pub text: String,
}

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        ///
        /// 16 bytes; nil means "none" and is written as the empty string.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            /// The id that stands for "none".
            pub const NIL: Self = Self(uuid::Uuid::nil());

            /// Whether this is the id that stands for "none".
            #[must_use]
            pub fn is_nil(&self) -> bool {
                self.0.is_nil()
            }

            /// The id made of these 128 bits.
            #[must_use]
            pub const fn from_u128(bits: u128) -> Self {
                Self(uuid::Uuid::from_u128(bits))
            }

            /// The first eight hexadecimal digits, as shown in tables.
            #[must_use]
            pub fn short(&self) -> String {
                self.to_string().chars().take(8).collect()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if self.is_nil() { Ok(()) } else { fmt::Display::fmt(&self.0.hyphenated(), f) }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.is_empty() {
                    return Ok(Self::NIL);
                }
                if text.len() != 36 {
                    return Err(InvalidId { text: text.to_owned() });
                }
                uuid::Uuid::parse_str(text).map(Self).map_err(|_| InvalidId { text: text.to_owned() })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    serializer.serialize_bytes(self.0.as_bytes())
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    deserializer.deserialize_any(UuidVisitor).map(Self)
                } else {
                    deserializer.deserialize_bytes(UuidVisitor).map(Self)
                }
            }
        }
    )*};
}

struct UuidVisitor;

impl serde::de::Visitor<'_> for UuidVisitor {
    type Value = uuid::Uuid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a UUID of 36 characters, or an empty string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<uuid::Uuid, E> {
        AllocId::from_str(text).map(|id| id.0).map_err(E::custom)
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<uuid::Uuid, E> {
        uuid::Uuid::from_slice(bytes).map_err(E::custom)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<uuid::Uuid, E> {
        Ok(uuid::Uuid::nil())
    }
}

uuid_id! {
    /// Names an allocation.
    AllocId,
    /// Names a node.
    NodeId,
    /// Names an evaluation.
    EvalId,
    /// Names a deployment.
    DeploymentId,
    /// Names a key of the keyring.
    KeyId,
}

macro_rules! name_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        ///
        /// A shared string: cloning costs one reference count.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Arc<str>);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether no name was given.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self(Arc::from(""))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Arc::from(text))
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

name_id! {
    /// Names a job within its namespace.
    JobId,
    /// Names a namespace.
    NamespaceName,
}

impl NamespaceName {
    /// The namespace of everything that names none.
    pub const DEFAULT: &'static str = "default";

    /// `default`.
    #[must_use]
    pub fn default_namespace() -> Self {
        Self::from(Self::DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nil_is_the_empty_string_and_back() {
        assert_eq!(serde_json::to_string(&AllocId::NIL).unwrap(), "\"\"");
        assert_eq!(
            serde_json::from_str::<AllocId>("\"\"").unwrap(),
            AllocId::NIL
        );
        assert_eq!(
            serde_json::from_str::<AllocId>("null").unwrap(),
            AllocId::NIL
        );
    }

    #[test]
    fn an_id_round_trips_in_json_and_in_msgpack() {
        let id: NodeId = "5364b51c-f770-84e1-3459-54af14b6ff6c".parse().unwrap();
        assert_eq!(id.short(), "5364b51c");
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<NodeId>(&json).unwrap(), id);
        let bytes = caravan_codec::msgpack::pack(&id).unwrap();
        assert_eq!(bytes.len(), 18);
        assert_eq!(
            caravan_codec::msgpack::unpack::<NodeId>(&bytes).unwrap(),
            id
        );
    }

    #[test]
    fn a_text_that_is_no_uuid_is_refused() {
        assert!("5364b51c".parse::<AllocId>().is_err());
        assert!(serde_json::from_str::<AllocId>("\"zz\"").is_err());
    }
}
