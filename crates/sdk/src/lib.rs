//! A small client of the public HTTP API.
//!
//! [`Client`] sends [`Request`]s over HTTP/1.1 (TCP, TLS or a Unix socket) and keeps one idle connection for the
//! next call, so that a command that asks three things dials once. Answers are read into any type that
//! deserializes; [`Meta`] holds what the answer's headers say (index, leader, next page).
//!
//! Invariants: nothing is retried here, and every error names the method, the address and the reason in the words that
//! scripts already match on. This crate must never know how a server answers, nor anything about terminals.

mod address;
mod client;
mod config;
mod connect;
mod error;
mod exec;
mod payload;
mod query;
mod stream;
mod tls;

pub use address::Address;
pub use client::{Client, Request, Response};
pub use config::{Config, TlsConfig, parse_bool};
pub use error::Error;
pub use exec::{ExecEvent, ExecSession};
pub use http::Method;
pub use payload::Payload;
pub use query::{Meta, Query, escape_path};
pub use stream::{Frame, FrameStream};
