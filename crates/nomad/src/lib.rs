//! The agent: its configuration and, in `main`, the wiring of the rooms. It decides nothing itself.
#![recursion_limit = "256"]

pub mod announce;
pub mod config;
