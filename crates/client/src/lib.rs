//! The node agent: it finds out what its machine has, registers it, runs the allocations placed on it and tells
//! the servers how they do.
//!
//! Entry point: [`Client::start`]. It talks to servers only through [`ServerLink`]; requests about this node are
//! answered by [`NodeApi`].
//!
//! Invariants: what decides (task and allocation runners, restart arithmetic, health) is a synchronous function of
//! its inputs and of `now`; what acts carries actions out. Everything needed after a crash is in the state
//! database before it is relied upon.
//!
//! Must never know: other nodes, scheduling, how servers store anything.

mod alloc;
mod alloc_hooks;
mod api;
mod beginnings;
mod client;
mod clock;
mod config;
mod consul;
mod file_turns;
mod fingerprint;
mod gc;
mod grant;
mod handle;
mod heartbeat;
mod hooks;
mod host_volumes;
mod identities;
mod inspect;
pub mod link;
mod metadata;
pub mod metrics;
mod migrate;
mod network;
mod node_identity;
mod node_keys;
mod piped;
mod plugins;
mod runner;
mod samples;
mod secret_plugins;
mod services;
mod shared;
mod store;
mod tallies;
mod task;
mod tear_downs;
mod templates;
mod tls;
mod tokens;
mod untold;
mod updates;
mod usage;
mod users;
mod vault;
mod view;
mod watch;

pub use api::NodeApi;
pub use client::{Client, Contact, Prepared, StartError};
pub use config::{ArtifactConfig, ClientConfig, GcConfig, Reserved, TemplateConfig};
pub use consul::ConsulConfig;
pub use host_volumes::Made as MadeVolume;
pub use inspect::client_state;
pub use link::{LinkError, RpcLink, ServerLink};
pub use node_keys::NodeKeys;
pub use templates::{with_sprig, words_of_parsing, wrong_blocks};
pub use tls::TlsConfig;
pub use vault::VaultConfig;
