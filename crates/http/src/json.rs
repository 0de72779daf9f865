//! JSON as the API reads and writes it.
//!
//! Reading follows the reference: only the first value counts, names match in any case, unknown ones are passed
//! over, `null` is the zero value, and errors have its words. Types say `#[serde(default)]` for what may be absent.

mod error;
mod indent;
mod probe;
mod read;
mod scan;
mod write;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

pub use error::DecodeError;
pub use indent::indent;

/// What is answered when a body is needed and there is none.
pub const EMPTY_BODY: &str = "Request body is empty";

/// Writes a value: integral floats keep one decimal, as do all numbers in free-form members; exponents only for the
/// very small and very large.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, serde_json::Error> {
    write(value, write::Compact::default())
}

/// Writes what was never stored: numbers in free-form members stay as they are.
pub fn encode_literal<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, serde_json::Error> {
    write(value, write::Compact::literal())
}

fn write<T: Serialize + ?Sized>(
    value: &T,
    format: write::Compact,
) -> Result<Bytes, serde_json::Error> {
    let mut out = Vec::with_capacity(256);
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut out, format,
    ))?;
    Ok(Bytes::from(out))
}

/// Reads the first value of a body into `T`. In error texts its name gets the prefix `structs.`.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    decode_from(body, "structs")
}

/// The same for types that the reference keeps in another package, such as `api`.
pub fn decode_from<T: DeserializeOwned>(body: &[u8], package: &str) -> Result<T, DecodeError> {
    if body.is_empty() {
        return Err(DecodeError(EMPTY_BODY.to_owned()));
    }
    let value = scan::first_value(body)?;
    T::deserialize(read::Reader::root(&value, package))
}

#[cfg(test)]
mod tests;
