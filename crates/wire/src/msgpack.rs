//! msgpack with named fields: the body of every record.

use std::io::{self, Write};

use serde::{Serialize, de::DeserializeOwned};

use crate::WireError;

/// Packs a value; struct fields are written by name. `what` appears in errors.
pub fn pack<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<Vec<u8>, WireError> {
    rmp_serde::to_vec_named(value).map_err(|source| WireError::Encode { what, source })
}

/// Packs a value behind what `out` already holds, and refuses to grow it by more than `limit`.
pub fn pack_bounded<T: Serialize + ?Sized>(
    what: &'static str,
    value: &T,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let start = out.len();
    let mut bounded = Bounded { out, left: limit };
    let mut serializer = rmp_serde::Serializer::new(&mut bounded).with_struct_map();
    let result = value.serialize(&mut serializer);
    let overflow = bounded.left == OVERFLOW;
    match result {
        Ok(()) => Ok(()),
        Err(_) if overflow => {
            out.truncate(start);
            Err(WireError::TooLarge {
                what,
                size: limit.saturating_add(1),
                limit,
            })
        }
        Err(source) => {
            out.truncate(start);
            Err(WireError::Encode { what, source })
        }
    }
}

/// Unpacks exactly one value that fills `bytes`; fields that `T` does not know are skipped.
pub fn unpack<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, WireError> {
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    let value =
        T::deserialize(&mut deserializer).map_err(|source| WireError::Decode { what, source })?;
    match rest.len() {
        0 => Ok(value),
        extra => Err(WireError::TrailingBytes { what, extra }),
    }
}

const OVERFLOW: usize = usize::MAX;

/// Stops the serializer as soon as the limit is passed, before the bytes are copied.
struct Bounded<'a> {
    out: &'a mut Vec<u8>,
    left: usize,
}

impl Write for Bounded<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.left == OVERFLOW || buf.len() > self.left {
            self.left = OVERFLOW;
            return Err(io::Error::other("too large"));
        }
        self.left -= buf.len();
        self.out.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
