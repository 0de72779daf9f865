//! The `consensus` room.
