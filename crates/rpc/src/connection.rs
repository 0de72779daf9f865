//! The calling side of one HTTP/2 connection.

use std::sync::Arc;

use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;

use crate::body::{Body, with_causes};
use crate::dialer::Io;
use crate::error::RpcError;
use crate::limits::Limits;
use crate::peer::Peer;

/// A connection that requests can be sent on, by many callers at once. When all its clones are
/// gone, it closes after the last open call.
#[derive(Clone)]
pub(crate) struct Connection {
    sender: SendRequest<Body>,
    about: Arc<About>,
}

struct About {
    /// Named in errors: an address, or a node.
    name: String,
    peer: Peer,
    max_message: usize,
    closed: CancellationToken,
    abort: CancellationToken,
}

/// A request that got no answer; with it, if it was not sent.
pub(crate) struct Failed {
    pub(crate) error: RpcError,
    pub(crate) unsent: Option<Request<Body>>,
}

impl Connection {
    /// Starts HTTP/2 on an admitted connection and drives it in the background.
    pub(crate) async fn start(
        io: Io,
        name: String,
        peer: Peer,
        limits: &Limits,
    ) -> Result<Self, RpcError> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_max_send_streams(limits.max_streams as usize)
            .max_header_list_size(limits.max_headers)
            .initial_stream_window_size(limits.stream_window)
            .initial_connection_window_size(limits.connection_window)
            .max_concurrent_reset_streams(limits.max_streams as usize)
            .keep_alive_interval(limits.keep_alive_interval)
            .keep_alive_timeout(limits.keep_alive_timeout)
            .keep_alive_while_idle(true);
        let started = builder.handshake(TokioIo::new(io)).await;
        let (sender, driver) = started.map_err(|error| RpcError::Connect {
            address: name.clone(),
            what: with_causes(&error),
        })?;
        let closed = CancellationToken::new();
        let ended = closed.clone().drop_guard();
        let abort = CancellationToken::new();
        let (described, aborted) = (name.clone(), abort.clone());
        tokio::spawn(async move {
            if let Some(Err(error)) = aborted.run_until_cancelled(driver).await {
                tracing::debug!(
                    peer = described,
                    error = with_causes(&error),
                    "connection lost"
                );
            }
            drop(ended);
        });
        let about = About {
            name,
            peer,
            max_message: limits.max_message,
            closed,
            abort,
        };
        Ok(Self {
            sender,
            about: Arc::new(about),
        })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.about.closed.is_cancelled()
    }

    /// Cancelled when the connection has ended; does not keep it open.
    pub(crate) fn closed(&self) -> CancellationToken {
        self.about.closed.clone()
    }

    /// Ends the connection when cancelled, open calls included.
    pub(crate) fn abort_handle(&self) -> CancellationToken {
        self.about.abort.clone()
    }

    pub(crate) fn name(&self) -> &str {
        &self.about.name
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.about.peer
    }

    pub(crate) fn max_message(&self) -> usize {
        self.about.max_message
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn call(&self, request: Request<Body>) -> Result<Response<Body>, Failed> {
        let request = absolute(request);
        let path = request.uri().path().to_owned();
        let mut sender = self.sender.clone();
        match sender.try_send_request(request).await {
            Ok(response) => Ok(response.map(Body::new)),
            Err(mut failed) => {
                let address = self.about.name.clone();
                let unsent = failed.take_message();
                let error = match unsent {
                    Some(_) => RpcError::Closed { address },
                    None => RpcError::Broken {
                        address,
                        path,
                        what: with_causes(failed.error()),
                    },
                };
                Err(Failed { error, unsent })
            }
        }
    }
}

/// HTTP/2 wants a scheme and an authority; between agents they carry no meaning.
fn absolute(mut request: Request<Body>) -> Request<Body> {
    if request.uri().authority().is_some() {
        return request;
    }
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(Authority::from_static("agent"));
    // Only a URI without a path could fail, and a relative one always has one.
    *request.uri_mut() =
        Uri::from_parts(parts).unwrap_or_else(|_| Uri::from_static("http://agent/"));
    request
}
