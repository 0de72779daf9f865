//! The `drivers` room.
