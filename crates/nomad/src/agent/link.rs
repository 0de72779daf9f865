//! A node that runs in the same process as its server: the same calls, without a connection.

use async_trait::async_trait;
use caravan_client::link::{
    AllocUpdate, Allocations, Beat, Found, Heartbeat, LinkError, Lookup, NodeEvents, Pull, Pulled, ServerLink,
    ServiceUpdate, What,
};
use caravan_model::Node;
use caravan_server::{NodeError, NodeService};

/// The servers' side, called directly.
pub(super) struct InProcess {
    service: NodeService,
    /// The servers to name in answers.
    servers: Vec<String>,
}

impl InProcess {
    pub(super) fn new(service: NodeService, servers: Vec<String>) -> Self {
        Self { service, servers }
    }

    fn beat(&self, ttl: caravan_model::Duration) -> Beat {
        Beat { heartbeat_ttl: ttl.to_std(), servers: self.servers.clone(), eligibility: None }
    }
}

fn link_error(error: NodeError) -> LinkError {
    match error {
        NodeError::Unknown(_) => LinkError::NodeNotFound,
        NodeError::Propose(caravan_server::ProposeError::Refused(refused)) => LinkError::Refused(refused.to_string()),
        NodeError::Propose(error) => LinkError::Unavailable(error.to_string()),
        NodeError::NotReady { .. } => LinkError::Unavailable(error.to_string()),
        NodeError::Invalid(text) => LinkError::Refused(text),
    }
}

#[async_trait]
impl ServerLink for InProcess {
    async fn register(&self, node: Node) -> Result<Beat, LinkError> {
        self.service.register(node).await.map(|ttl| self.beat(ttl)).map_err(link_error)
    }

    async fn heartbeat(&self, request: Heartbeat) -> Result<Beat, LinkError> {
        let ttl = self.service.heartbeat(request.caller.node_id, request.status).await;
        ttl.map(|ttl| self.beat(ttl)).map_err(link_error)
    }

    async fn pull(&self, request: Pull) -> Result<Pulled, LinkError> {
        let after = request.min_index;
        let (index, allocs) = self.service.allocations(request.caller.node_id, after, request.wait).await;
        let present = allocs.iter().map(|alloc| alloc.id).collect();
        let changed = allocs.into_iter().filter(|alloc| alloc.alloc_modify_index > after).collect::<Vec<_>>();
        Ok(Pulled { index, changed: Allocations(changed), present: Some(present) })
    }

    async fn update_allocs(&self, update: AllocUpdate) -> Result<(), LinkError> {
        self.service.update_allocations(update.allocs).await.map(|_| ()).map_err(link_error)
    }

    async fn update_services(&self, update: ServiceUpdate) -> Result<(), LinkError> {
        if !update.upsert.is_empty() {
            self.service.register_services(update.upsert).await.map_err(link_error)?;
        }
        if !update.delete.is_empty() {
            self.service.deregister_services(update.delete).await.map_err(link_error)?;
        }
        Ok(())
    }

    async fn node_events(&self, request: NodeEvents) -> Result<(), LinkError> {
        self.service.events(request.caller.node_id, request.events).await.map_err(link_error)
    }

    async fn lookup(&self, request: Lookup) -> Result<Found, LinkError> {
        match request.what {
            What::Alloc(id) => Ok(Found::Alloc(self.service.allocation(id))),
            What::Service { namespace, name } => {
                Ok(Found::Services(self.service.service_instances(&namespace, &name)))
            }
            What::Variable { .. } => Ok(Found::Variable(None)),
            What::Variables { .. } => Ok(Found::Variables(Vec::new())),
            What::Identities { .. } => Ok(Found::Identities(Vec::new())),
        }
    }
}
