//! JSON as the API reads and writes it.

mod indent;
mod write;

use bytes::Bytes;
pub use indent::indent;
use serde::{Serialize, de::DeserializeOwned};

/// What is answered when a body is needed and there is none.
pub const EMPTY_BODY: &str = "Request body is empty";

/// Why a body could not be decoded, in the words of the reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub String);

/// Writes a value: integral floats keep one decimal, exponents only for the very small and very large.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, serde_json::Error> {
    let mut out = Vec::with_capacity(256);
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut out,
        write::Compact,
    ))?;
    Ok(Bytes::from(out))
}

/// Reads the first value of a body into `T`.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    if body.is_empty() {
        return Err(DecodeError(EMPTY_BODY.to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| DecodeError(error.to_string()))
}
