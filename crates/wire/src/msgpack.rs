//! msgpack with named fields: the body of every record.

use serde::{Deserialize, Serialize};

use crate::WireError;

/// Packs a value; struct fields are written by name. `what` appears in errors.
pub fn pack<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<Vec<u8>, WireError> {
    caravan_codec::msgpack::pack(value).map_err(|source| WireError::Encode { what, source })
}

/// Unpacks exactly one value that fills `bytes`; fields that `T` does not know are skipped.
pub fn unpack<T: for<'de> Deserialize<'de>>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, WireError> {
    match caravan_codec::msgpack::unpack_first(bytes) {
        Ok((value, 0)) => Ok(value),
        Ok(_) => Err(WireError::TrailingBytes { what }),
        Err(source) => Err(WireError::Decode { what, source }),
    }
}
