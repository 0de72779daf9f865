//! A call ends when its caller lets go of it, also while the request is still being sent.
//!
//! HTTP/2 resets a stream only when both halves were let go. The half that sends a streaming
//! request belongs to the connection, so it has to be told.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use crate::body::{Body, BodyError};

/// Held by whoever waits for the answer; when dropped, the request's body is broken off.
pub(crate) struct CallGuard(Option<DropGuard>);

/// Ties the request's body to the guard. A body in memory needs none.
pub(crate) fn attach(request: Request<Body>) -> (Request<Body>, CallGuard) {
    if request.body().is_full() {
        return (request, CallGuard(None));
    }
    let token = CancellationToken::new();
    let guard = CallGuard(Some(token.clone().drop_guard()));
    let request = request.map(|inner| {
        Body::new(Cancellable {
            inner,
            cancelled: Box::pin(token.cancelled_owned()),
            done: false,
        })
    });
    (request, guard)
}

impl CallGuard {
    /// From now on the response's body keeps the call alive.
    pub(crate) fn hold(self, response: Response<Body>) -> Response<Body> {
        match self.0 {
            Some(guard) => response.map(|inner| {
                Body::new(Guarded {
                    inner,
                    _guard: guard,
                })
            }),
            None => response,
        }
    }
}

struct Cancellable {
    inner: Body,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    done: bool,
}

impl http_body::Body for Cancellable {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.done {
            return Poll::Ready(None);
        }
        if self.cancelled.as_mut().poll(cx).is_ready() {
            self.done = true;
            self.inner = Body::empty();
            return Poll::Ready(Some(Err(BodyError::Cancelled)));
        }
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        self.done = matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.done || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

struct Guarded {
    inner: Body,
    _guard: DropGuard,
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
