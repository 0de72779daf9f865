//! Syntax trees of sources, and where errors are.
