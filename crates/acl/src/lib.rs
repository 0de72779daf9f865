//! The `acl` room.
