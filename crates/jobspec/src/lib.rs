//! The `jobspec` room.
