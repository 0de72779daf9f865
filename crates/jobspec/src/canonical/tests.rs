//! Defaults do nothing to what they made.
