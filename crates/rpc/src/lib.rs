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
