//! What this node answers about itself and its allocations (API sheet §3).

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use caravan_http::{Answer, Api, ApiError, ApiRequest, Meta, Op, Watch};
use caravan_model::AllocId;
use futures::future::BoxFuture;

use crate::handle::Runner;
use crate::shared::Shared;

pub(crate) mod contained;
mod control;
mod data;
mod exec;
mod files;
mod frames;
mod logs;
mod node;
mod wish;

pub(crate) use node::host_stats;

/// Answers requests about this node. Who may ask what was decided before a request gets here.
pub struct NodeApi {
    shared: Arc<Shared>,
}

impl NodeApi {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn alloc_id(request: &ApiRequest) -> Result<AllocId, ApiError> {
        let text = request.param("id");
        text.parse().map_err(|_| ApiError::unknown_allocation(text))
    }

    fn runner(&self, request: &ApiRequest) -> Result<Arc<Runner>, ApiError> {
        let id = Self::alloc_id(request)?;
        self.shared
            .runner(id)
            .ok_or_else(|| ApiError::unknown_allocation(request.param("id")))
    }
}

#[async_trait]
impl Api for NodeApi {
    async fn call(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        match request.op {
            Op::ClientStats => node::stats(&self.shared).await,
            Op::ClientGc => {
                crate::gc::collect_all(&self.shared).await;
                Ok(Answer::empty(Meta::none()))
            }
            Op::ClientMetadataRead => node::metadata(&self.shared),
            Op::ClientMetadataApply => node::apply_metadata(&self.shared, &request),
            Op::ClientIdentityRead => node::identity(&self.shared).await,
            Op::ClientIdentityRenew => node::renew_identity(&self.shared).await,
            Op::ClientAllocStats => {
                let task = request.query.get("task").unwrap_or_default().to_owned();
                let usage = crate::usage::of_alloc(&*self.runner(&request)?, &task).await;
                Answer::json(&usage, Meta::none())
            }
            Op::ClientAllocChecks => control::checks(&*self.runner(&request)?),
            Op::ClientAllocRestart => control::restart(&*self.runner(&request)?, &request),
            Op::ClientAllocSignal => control::signal(&*self.runner(&request)?, &request).await,
            Op::ClientAllocPauseRead => Err(ApiError::internal("Enterprise only")),
            Op::ClientAllocPause => control::pause(&request),
            Op::ClientAllocGc => {
                if crate::gc::collect(&self.shared, Self::alloc_id(&request)?).await {
                    Ok(Answer::empty(Meta::none()))
                } else {
                    Err(ApiError::internal(
                        "No such allocation on client, or allocation not eligible for GC",
                    ))
                }
            }
            // Servers alone ask for it, for another node of theirs.
            Op::ClientAllocSnapshot => data::data(self.runner(&request)?),
            Op::ClientAllocExec => exec::exec(&self.shared, self.runner(&request)?, &request),
            Op::ClientFsList => files::list(&self.shared, &request).await,
            Op::ClientFsStat => files::stat(&self.shared, &request).await,
            Op::ClientFsCat => files::cat(&self.shared, &request).await,
            Op::ClientFsReadAt => files::read_at(&self.shared, &request).await,
            Op::ClientFsStream => files::stream(&self.shared, &request).await,
            Op::ClientFsLogs => logs::logs(&self.shared, &request).await,
            _ => Err(ApiError::wrong_role()),
        }
    }

    /// Nothing a node answers can be waited on.
    fn changed<'a>(&'a self, _watch: &'a Watch) -> BoxFuture<'a, ()> {
        Box::pin(pending())
    }
}
