//! The node agent against servers in memory, with real processes, networks and files.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod artifacts;
mod attacks;
mod cleaning;
mod consul;
mod identities;
mod lifecycle;
mod migration;
mod network;
mod registration;
mod store;
mod support;
mod tasks;
mod templates;
