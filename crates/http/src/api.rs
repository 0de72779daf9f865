//! The seam: what answers requests.

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::{
    answer::{Answer, Watch},
    error::ApiError,
    request::ApiRequest,
};

/// Answers requests of the public API. `server` and `client` implement it; the binary joins the two.
#[async_trait]
pub trait Api: Send + Sync + 'static {
    /// Answers once, from what is known now: `index` and `wait` are not this method's business, except that a
    /// request which is forwarded is forwarded with them (and its answer carries no `watch` then).
    async fn call(&self, request: ApiRequest) -> Result<Answer, ApiError>;

    /// Resolves as soon as something that `watch` names has changed after `watch.at`. May also resolve early:
    /// the caller asks again and compares.
    fn changed<'a>(&'a self, watch: &'a Watch) -> BoxFuture<'a, ()>;
}
