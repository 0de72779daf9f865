//! msgpack with named fields: the body of every record.
//!
//! All rooms pack and unpack by the same two functions of rmp-serde: serde makes the code of each type anew for
//! every kind of writer and reader, and that is what fills a binary.

use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::WireError;

/// Packs a value; struct fields are written by name. `what` appears in errors.
pub fn pack<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<Vec<u8>, WireError> {
    rmp_serde::to_vec_named(value).map_err(|source| WireError::Encode { what, source })
}

/// Unpacks exactly one value that fills `bytes`; fields that `T` does not know are skipped.
pub fn unpack<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, WireError> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    let value =
        T::deserialize(&mut deserializer).map_err(|source| WireError::Decode { what, source })?;
    match IgnoredAny::deserialize(&mut deserializer) {
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err(WireError::TrailingBytes { what }),
    }
}
