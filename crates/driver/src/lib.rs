//! The `driver` room.
