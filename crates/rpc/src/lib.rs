//! Requests between agents: HTTP/2 over TCP or mutual TLS, in both directions.
//!
//! An agent that listens is a [`Listener`]; it hands every request to a [`Handler`], together with
//! the [`Peer`] that sent it. An agent that calls holds a [`Channel`]: to a server address out of a
//! [`Pool`], to a node that dialled us out of [`NodeSessions`] (the node keeps such a connection
//! open with [`Reverse`]), or to a handler in the same process. Callers cannot tell which.
//!
//! Requests and responses are ordinary `http` types with a [`Body`]; [`msgpack`] gives typed calls
//! over them and [`messages`] typed streams.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use caravan_rpc::{
//!     Dialer, Lane, Limits, Listener, ListenerConfig, NodeSessions, Pool, Router, Target,
//!     call_msgpack, preface::Preface,
//! };
//! # let shutdown = tokio_util::sync::CancellationToken::new();
//! // A server: endpoints by path, and a registry of the nodes that it may call back.
//! let endpoints = Router::new().typed("/rpc/double", |_peer, n: u64| async move { Ok(n * 2) });
//! let config = ListenerConfig { region: "global".into(), ..ListenerConfig::default() };
//! let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), config).unwrap();
//! let target = Target::new(listener.local_addr().to_string(), "global");
//! tokio::spawn(listener.serve(std::sync::Arc::new(endpoints), NodeSessions::new(), shutdown));
//!
//! // A node that calls it.
//! let who = Preface::Client { node_id: "n1".into(), region: "global".into() };
//! let pool = Pool::new(Dialer::new(who, None, Limits::default()));
//! let server = pool.channel(&target, Lane::Calls);
//! let doubled: u64 = call_msgpack(&server, "/rpc/double", &21u64).await.unwrap();
//! assert_eq!(doubled, 42);
//! # });
//! ```
//!
//! Invariants:
//! - Every connection begins with a [`preface`]; nothing is served before it was understood, the
//!   certificate was found to match it, and [`Handler::admit`] agreed.
//! - A reader that does not read stops its writer: no queue between the two is unbounded.
//! - Dropping a response body (or the call before it) ends the call on both sides.
//! - A call that may have reached the peer is never sent twice; see [`RpcError::is_unsent`].
//!
//! It must never know what a job, a node's state or a leader is: it moves requests.

mod backoff;
mod body;
mod cancel;
mod channel;
mod connection;
mod dialer;
mod error;
mod handler;
mod limits;
mod listener;
pub mod messages;
pub mod msgpack;
mod peer;
mod pool;
pub mod preface;
mod reverse;
mod router;
mod sessions;
mod tls;

pub use body::{Body, BodyError, BodySender, BoxError};
pub use channel::Channel;
pub use dialer::{Dialer, Target};
pub use error::{ErrorKind, RemoteError, RpcError};
pub use handler::{Handler, MaxMessage};
pub use limits::Limits;
pub use listener::{Listener, ListenerConfig};
pub use messages::{MessageReader, MessageSender};
pub use msgpack::{call_msgpack, read_msgpack, reply_error, reply_msgpack, reply_result};
pub use peer::{Claim, Identity, Peer, Role};
pub use pool::{Lane, Pool};
pub use reverse::{Reverse, ReverseConfig, ReverseState};
pub use router::Router;
pub use sessions::{NodeSessions, SessionGuard};
pub use tls::{Tls, TlsConfig, TlsError, TlsVersion};
