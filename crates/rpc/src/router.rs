//! A [`Handler`] made of endpoints, for agents that answer by path.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::Body;
use crate::error::{ErrorKind, RemoteError};
use crate::handler::Handler;
use crate::msgpack::{read_msgpack, reply_error, reply_result};
use crate::peer::Peer;

/// Endpoints by exact path or by prefix (the longest wins); anything else is an unknown endpoint.
#[derive(Clone, Default)]
pub struct Router {
    exact: BTreeMap<String, Arc<dyn Handler>>,
    prefixes: Vec<(String, Arc<dyn Handler>)>,
}

impl Router {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A typed endpoint.
    #[must_use]
    pub fn typed<Req, Resp, F, Fut>(self, path: impl Into<String>, endpoint: F) -> Self
    where
        Req: DeserializeOwned + Send + 'static,
        Resp: Serialize + Send + 'static,
        F: Fn(Peer, Req) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Resp, RemoteError>> + Send + 'static,
    {
        let endpoint = Arc::new(endpoint);
        self.raw(path, move |peer, request| {
            let endpoint = Arc::clone(&endpoint);
            async move {
                let answered = match read_msgpack::<Req>(request).await {
                    Ok(message) => endpoint(peer, message).await,
                    Err(error) => Err(error),
                };
                reply_result(answered)
            }
        })
    }

    /// An endpoint that works on the request itself, to stream for example.
    #[must_use]
    pub fn raw<F, Fut>(mut self, path: impl Into<String>, endpoint: F) -> Self
    where
        F: Fn(Peer, Request<Body>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Response<Body>> + Send + 'static,
    {
        let path = path.into();
        let before = self
            .exact
            .insert(path.clone(), Arc::new(Endpoint(endpoint)));
        debug_assert!(before.is_none(), "{path} is routed twice");
        self
    }

    /// A handler for all paths that begin with `prefix`.
    #[must_use]
    pub fn nest(mut self, prefix: impl Into<String>, handler: Arc<dyn Handler>) -> Self {
        self.prefixes.push((prefix.into(), handler));
        self.prefixes
            .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self
    }
}

#[async_trait]
impl Handler for Router {
    async fn handle(&self, peer: Peer, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        let nested = || {
            self.prefixes
                .iter()
                .find(|(prefix, _)| path.starts_with(prefix.as_str()))
        };
        let handler = self
            .exact
            .get(path)
            .or_else(|| nested().map(|(_, handler)| handler));
        match handler {
            Some(handler) => handler.handle(peer, request).await,
            None => {
                let message = format!("this agent has no endpoint {path}");
                reply_error(&RemoteError::new(ErrorKind::UnknownEndpoint, message))
            }
        }
    }
}

struct Endpoint<F>(F);

#[async_trait]
impl<F, Fut> Handler for Endpoint<F>
where
    F: Fn(Peer, Request<Body>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    async fn handle(&self, peer: Peer, request: Request<Body>) -> Response<Body> {
        (self.0)(peer, request).await
    }
}
