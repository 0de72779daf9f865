//! What needs the inside: the library's conformance suite on both stores.

mod conformance;
