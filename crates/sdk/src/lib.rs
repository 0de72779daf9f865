//! The `sdk` room.
