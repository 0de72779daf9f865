//! How values become bytes and values again, in as little code as can be.
//!
//! serde makes the code of every type anew for every kind of reader and writer, and that is what fills a binary. So
//! all rooms go through the few functions here. One serializer stands behind them for every form: a type tells it its
//! pieces, and it tells them to a [`Sink`], which knows nothing of types. The reader likewise looks at the bytes in
//! plain functions, and what is generic only passes on what they found.
//!
//! This room must never know what a value means, nor where its bytes are kept or sent.

pub mod json;
pub mod msgpack;
pub mod quote;
#[cfg(test)]
mod tests;
mod write;

pub use write::{Sink, WriteError, write};
