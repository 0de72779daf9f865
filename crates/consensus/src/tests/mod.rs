//! What needs the inside: the library's conformance suite on both stores, and stored bytes.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod conformance;
mod records;
