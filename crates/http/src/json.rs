//! JSON as the API reads and writes it.
//!
//! Reading is that of `codec`; writing differs from it in numbers.

mod indent;
mod write;

use bytes::Bytes;
use caravan_codec::WriteError;
use serde::{Serialize, de::DeserializeOwned};

pub use caravan_codec::json::DecodeError;
pub use indent::indent;

/// What is answered when a body is needed and there is none.
pub const EMPTY_BODY: &str = "Request body is empty";

/// Writes a value: integral floats keep one decimal, as do all numbers in free-form members; exponents only for the
/// very small and very large.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, WriteError> {
    write(value, write::Compact::default())
}

/// Writes what was never stored: numbers in free-form members stay as they are.
pub fn encode_literal<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, WriteError> {
    write(value, write::Compact::literal())
}

fn write<T: Serialize + ?Sized>(
    value: &T,
    mut format: write::Compact,
) -> Result<Bytes, WriteError> {
    caravan_codec::write(value, &mut format)?;
    Ok(Bytes::from(format.finish()?))
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
    caravan_codec::json::decode(body, package)
}

#[cfg(test)]
mod tests;
