//! msgpack with named fields: the body of every record, message and row.
//!
//! Structs are maps from field names to values; an older reader skips fields that it does not know, a newer one fills
//! what is missing by `#[serde(default)]`. Variants of enums are their name, or a map of one entry from it to what
//! they hold. Structs by position, as rmp-serde can also write them, are not read.

mod bytes;
mod pieces;
mod read;

use std::io;

use serde::{Deserialize, Serialize};

use crate::write::{WriteError, write};
use bytes::Bytes;

/// Why bytes are not the value that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnpackError(Box<str>);

impl UnpackError {
    fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }
}

impl serde::de::Error for UnpackError {
    fn custom<T: std::fmt::Display>(text: T) -> Self {
        Self::new(text.to_string())
    }
}

/// Packs a value; the fields of structs are written by name.
///
/// # Errors
/// What the value's own way of writing itself refuses.
pub fn pack<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WriteError> {
    let mut packed = pieces::Packed::default();
    write(value, &mut packed)?;
    Ok(packed.into_bytes())
}

/// Packs a value that is too large to be held as bytes as well: they leave through `out` while they are made.
///
/// # Errors
/// What `out` does not take, and what the value's own way of writing itself refuses.
pub fn pack_into<T: Serialize + ?Sized>(value: &T, out: &mut dyn io::Write) -> io::Result<()> {
    let mut packed = pieces::Packed::poured(out);
    write(value, &mut packed).map_err(io::Error::other)?;
    packed.finish()
}

/// Unpacks the value that begins `bytes`, and tells how many bytes follow it.
///
/// # Errors
/// Bytes that end too early, are no msgpack, or hold a value of another kind.
pub fn unpack_first<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<(T, usize), UnpackError> {
    let mut bytes = Bytes::new(bytes);
    let value = T::deserialize(&mut bytes)?;
    Ok((value, bytes.left()))
}

/// Unpacks the one value that fills `bytes`.
///
/// # Errors
/// As [`unpack_first`], and bytes that follow the value.
pub fn unpack<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, UnpackError> {
    match unpack_first(bytes)? {
        (value, 0) => Ok(value),
        (_, left) => Err(UnpackError::new(format!(
            "{left} bytes follow the value that was expected alone"
        ))),
    }
}
