//! The agent: its configuration and, in `main`, the wiring of the rooms. It decides nothing itself.
//!
//! Entry point: [`startup::configure`]. This crate may know every room; no room may know it.
#![recursion_limit = "256"]

pub mod agent;
mod agent_api;
pub mod announce;
pub mod config;
pub mod folders;
pub mod startup;
mod telemetry;
