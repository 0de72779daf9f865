//! [`Channel`]: a way to call some agent, whatever carries it.

use std::sync::Arc;

use http::{Request, Response};

use crate::body::Body;
use crate::cancel;
use crate::connection::Connection;
use crate::error::RpcError;
use crate::handler::{Handler, answer};
use crate::limits::Limits;
use crate::peer::Peer;
use crate::pool::{Lane, Pool};
use crate::{Target, pool};

/// Calls one agent. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Channel(Kind);

#[derive(Clone)]
enum Kind {
    Connection(Connection),
    Pooled {
        pool: Pool,
        target: Target,
        lane: Lane,
    },
    Local {
        handler: Arc<dyn Handler>,
        peer: Peer,
        max_message: usize,
    },
}

impl Channel {
    /// Calls a handler in this process, without sockets; it sees `peer` as the caller.
    #[must_use]
    pub fn in_process(handler: Arc<dyn Handler>, peer: Peer) -> Self {
        Self(Kind::Local {
            handler,
            peer,
            max_message: Limits::default().max_message,
        })
    }

    pub(crate) fn connection(connection: Connection) -> Self {
        Self(Kind::Connection(connection))
    }

    pub(crate) fn pooled(pool: Pool, target: Target, lane: Lane) -> Self {
        Self(Kind::Pooled { pool, target, lane })
    }

    /// Sends a request; returns when the head of the answer is there. Both bodies may stream, at
    /// the same time. The call is over when the response's body is dropped: a streaming request
    /// is broken off then.
    pub async fn call(&self, request: Request<Body>) -> Result<Response<Body>, RpcError> {
        let (request, guard) = cancel::attach(request);
        let response = match &self.0 {
            Kind::Connection(connection) => connection
                .call(request)
                .await
                .map_err(|failed| failed.error)?,
            Kind::Pooled { pool, target, lane } => pool::call(pool, target, *lane, request).await?,
            Kind::Local {
                handler,
                peer,
                max_message,
            } => answer(Arc::clone(handler), peer.clone(), request, *max_message).await,
        };
        Ok(guard.hold(response))
    }

    /// The connection is gone for good. A channel out of a pool never is: it connects again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match &self.0 {
            Kind::Connection(connection) => connection.is_closed(),
            Kind::Pooled { .. } | Kind::Local { .. } => false,
        }
    }

    /// Where calls go, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.0 {
            Kind::Connection(connection) => connection.name(),
            Kind::Pooled { target, .. } => target.address(),
            Kind::Local { .. } => "this agent",
        }
    }

    /// The agent at the other end, where it is known before a call.
    #[must_use]
    pub fn peer(&self) -> Option<&Peer> {
        match &self.0 {
            Kind::Connection(connection) => Some(connection.peer()),
            Kind::Pooled { .. } | Kind::Local { .. } => None,
        }
    }

    /// Largest unary answer that is read.
    #[must_use]
    pub fn max_message(&self) -> usize {
        match &self.0 {
            Kind::Connection(connection) => connection.max_message(),
            Kind::Pooled { pool, .. } => pool.limits().max_message,
            Kind::Local { max_message, .. } => *max_message,
        }
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Channel({})", self.name())
    }
}
