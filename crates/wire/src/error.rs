//! Why bytes were refused, or could not be made.

/// An encoding or decoding failure; `what` is the name of the format.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("{what}: truncated: {have} of {need} bytes are there")]
    Truncated {
        what: &'static str,
        have: usize,
        need: usize,
    },
    #[error("{what}: unexpected bytes follow the record")]
    TrailingBytes { what: &'static str },
    #[error("{what}: record type {found:#06x} found where {expected:#06x} was expected")]
    WrongType {
        what: &'static str,
        found: u16,
        expected: u16,
    },
    #[error(
        "{what}: layout version {found} is newer than {supported}, the newest that this release reads; upgrade this agent"
    )]
    TooNew {
        what: &'static str,
        found: u16,
        supported: u16,
    },
    #[error("{what}: {size} bytes exceed the limit of {limit} bytes")]
    TooLarge {
        what: &'static str,
        size: usize,
        limit: usize,
    },
    #[error("{what}: checksum mismatch: stored {stored:#010x}, computed {computed:#010x}")]
    Checksum {
        what: &'static str,
        stored: u32,
        computed: u32,
    },
    #[error("{what}: cannot encode: {source}")]
    Encode {
        what: &'static str,
        source: caravan_codec::WriteError,
    },
    #[error("{what}: cannot decode: {source}")]
    Decode {
        what: &'static str,
        source: caravan_codec::msgpack::UnpackError,
    },
}
