//! The `diff` room.
