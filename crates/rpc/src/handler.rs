//! The side that answers: the [`Handler`] trait and how requests reach it.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio_util::sync::CancellationToken;

use crate::body::Body;
use crate::dialer::Io;
use crate::error::RemoteError;
use crate::limits::Limits;
use crate::msgpack::reply_error;
use crate::peer::Peer;

/// Answers requests of other agents.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. Dropped when the caller gives up. The URI holds path and query only;
    /// the request's extensions hold the [`Peer`] and [`MaxMessage`].
    async fn handle(&self, peer: Peer, request: Request<Body>) -> Response<Body>;

    /// Decides about a new connection, once its preface and certificate were found good. `secret`
    /// is what a node presents to be called back; whoever serves nodes must check it here. The
    /// text of a refusal is shown to the peer.
    async fn admit(&self, _peer: &Peer, _secret: Option<&str>) -> Result<(), String> {
        Ok(())
    }
}

/// Request extension: the largest unary body to read, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MaxMessage(pub usize);

/// Calls a handler the same way for every transport: same URI form, same extensions, and a panic
/// answers an error instead of taking the caller or the connection down.
pub(crate) async fn answer(
    handler: Arc<dyn Handler>,
    peer: Peer,
    mut request: Request<Body>,
    max_message: usize,
) -> Response<Body> {
    if let Some(path) = request.uri().path_and_query().cloned() {
        *request.uri_mut() = Uri::from(path);
    }
    request.extensions_mut().insert(peer.clone());
    request.extensions_mut().insert(MaxMessage(max_message));
    let path = request.uri().path().to_owned();
    let handled = AssertUnwindSafe(handler.handle(peer, request)).catch_unwind();
    handled.await.unwrap_or_else(|_| {
        tracing::error!(path, "a request handler panicked");
        reply_error(&RemoteError::internal(format!(
            "the handler of {path} failed"
        )))
    })
}

/// Serves requests on an admitted connection until it ends, or until `shutdown`; then open requests
/// have `limits.drain` left.
pub(crate) async fn serve_connection(
    io: Io,
    handler: Arc<dyn Handler>,
    peer: Peer,
    limits: &Limits,
    shutdown: &CancellationToken,
) -> Result<(), hyper::Error> {
    let max_message = limits.max_message;
    let service = service_fn(move |request: Request<Incoming>| {
        let (handler, peer) = (Arc::clone(&handler), peer.clone());
        async move {
            let request = request.map(Body::new);
            Ok::<_, Infallible>(answer(handler, peer, request, max_message).await)
        }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(limits.max_headers)
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        // Callers that give up many calls at once (a closed UI, a stopped follower) are no attack.
        .max_pending_accept_reset_streams(limits.max_streams as usize)
        .keep_alive_interval(limits.keep_alive_interval)
        .keep_alive_timeout(limits.keep_alive_timeout);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), service));
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.drain, connection).await {
                Ok(ended) => ended,
                Err(_still_open) => Ok(()),
            }
        }
    }
}
