//! How bytes look on disk and between agents: frames and msgpack bodies.
//!
//! A [`Format`] names one kind of record. `Format::encode` packs a value and puts it into a frame
//! (type, layout version, length, checksum); `Format::decode` checks all four before it looks at
//! the body. [`pack`] and [`unpack`] are the bodies alone, for transports that frame by themselves.
//!
//! Invariants:
//! - Structs are written with field *names*, so an older reader skips fields that it does not
//!   know, and a newer reader fills missing ones by `#[serde(default)]`. The layout version is
//!   raised only when that is not enough.
//! - No length that was read is trusted: each is compared with the format's bound first.
//!
//! This room must never know what a record means, nor where it is stored or sent.

mod error;
mod format;
mod msgpack;

pub use error::WireError;
pub use format::{Format, HEADER_LEN, Header};
pub use msgpack::{pack, unpack};
