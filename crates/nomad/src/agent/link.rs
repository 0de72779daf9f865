//! A node that runs in the same process as its server: the same calls, without a connection.

use async_trait::async_trait;
use caravan_client::RpcLink;
use caravan_client::link::{
    AllocUpdate, Allocations, Beat, DataOf, Found, Heartbeat, LinkError, Lookup, NodeEvents, Pull,
    Pulled, ServerLink, ServiceUpdate, SignedIdentity, WantedIdentity, What,
};
use caravan_http::ByteStream;
use caravan_model::{AllocId, Node, NodeId};
use caravan_rpc::{Channel, Handler, Peer};
use caravan_server::{IdentityOf, NodeError, NodeService};
use std::sync::Arc;
use tokio::sync::watch;

/// The servers' side, called directly.
pub(super) struct InProcess {
    service: NodeService,
    /// The servers to name in answers.
    servers: Servers,
}

/// Tells the addresses of the servers.
pub(super) type Servers = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

impl InProcess {
    pub(super) fn new(service: NodeService, servers: Servers) -> Self {
        Self { service, servers }
    }

    fn beat(&self, ttl: caravan_model::Duration) -> Beat {
        Beat {
            heartbeat_ttl: ttl.to_std(),
            servers: (self.servers)(),
            eligibility: None,
        }
    }

    fn sign(
        &self,
        node: NodeId,
        alloc: AllocId,
        wanted: WantedIdentity,
    ) -> Result<SignedIdentity, LinkError> {
        let of = if wanted.is_service {
            IdentityOf::Service(&wanted.workload)
        } else {
            IdentityOf::Task(&wanted.workload)
        };
        let signed = self
            .service
            .sign(node, alloc, of, &wanted.identity)
            .map_err(link_error)?;
        Ok(SignedIdentity {
            token: signed.token,
            expires: signed.expires,
            wanted,
        })
    }
}

fn link_error(error: NodeError) -> LinkError {
    match error {
        NodeError::Unknown(_) => LinkError::NodeNotFound,
        NodeError::Propose(caravan_server::ProposeError::Refused(refused)) => {
            LinkError::Refused(refused.to_string())
        }
        NodeError::Propose(error) => LinkError::Unavailable(error.to_string()),
        NodeError::NotReady { .. } | NodeError::Keys(_) => {
            LinkError::Unavailable(error.to_string())
        }
        NodeError::Invalid(text) => LinkError::Refused(text),
    }
}

#[async_trait]
impl ServerLink for InProcess {
    async fn register(&self, node: Node) -> Result<Beat, LinkError> {
        self.service
            .register(node)
            .await
            .map(|ttl| self.beat(ttl))
            .map_err(link_error)
    }

    async fn heartbeat(&self, request: Heartbeat) -> Result<Beat, LinkError> {
        let ttl = self
            .service
            .heartbeat(request.caller.node_id, request.status)
            .await;
        ttl.map(|ttl| self.beat(ttl)).map_err(link_error)
    }

    async fn pull(&self, request: Pull) -> Result<Pulled, LinkError> {
        let after = request.min_index;
        let (index, allocs) = self
            .service
            .allocations(request.caller.node_id, after, request.wait)
            .await;
        let present = allocs.iter().map(|alloc| alloc.id).collect();
        let changed = allocs
            .into_iter()
            .filter(|alloc| alloc.alloc_modify_index > after)
            .collect::<Vec<_>>();
        Ok(Pulled {
            index,
            changed: Allocations(changed),
            present: Some(present),
        })
    }

    async fn update_allocs(&self, update: AllocUpdate) -> Result<(), LinkError> {
        self.service
            .update_allocations(update.allocs)
            .await
            .map(|_| ())
            .map_err(link_error)
    }

    async fn update_services(&self, update: ServiceUpdate) -> Result<(), LinkError> {
        if !update.upsert.is_empty() {
            self.service
                .register_services(update.upsert)
                .await
                .map_err(link_error)?;
        }
        if !update.delete.is_empty() {
            self.service
                .deregister_services(update.delete)
                .await
                .map_err(link_error)?;
        }
        Ok(())
    }

    async fn node_events(&self, request: NodeEvents) -> Result<(), LinkError> {
        self.service
            .events(request.caller.node_id, request.events)
            .await
            .map_err(link_error)
    }

    async fn lookup(&self, request: Lookup) -> Result<Found, LinkError> {
        let node = request.caller.node_id;
        match request.what {
            What::Alloc(id) => Ok(Found::Alloc(self.service.allocation(id))),
            What::Service { namespace, name } => Ok(Found::Services(
                self.service.service_instances(&namespace, &name),
            )),
            What::ServiceTags { namespace } => {
                Ok(Found::ServiceTags(self.service.service_tags(&namespace)))
            }
            What::Variable { alloc, task, path } => {
                let found = self
                    .service
                    .variable(node, alloc, &task, &path)
                    .map_err(link_error)?;
                Ok(Found::Variable(found.map(Box::new)))
            }
            What::Variables {
                alloc,
                task,
                prefix,
            } => self
                .service
                .variables(node, alloc, &task, &prefix)
                .map(Found::Variables)
                .map_err(link_error),
            What::Identities { alloc, wanted } => {
                let signed = wanted
                    .into_iter()
                    .map(|wanted| self.sign(node, alloc, wanted));
                signed.collect::<Result<_, _>>().map(Found::Identities)
            }
            What::NodeIdentity => {
                let signed = self.service.sign_node(node).map_err(link_error)?;
                Ok(Found::NodeIdentity {
                    token: signed.token,
                    expires: signed.expires,
                })
            }
        }
    }
}

/// The link of a node beside a server: direct while that server leads, else through it to the one that does.
pub(super) struct Beside {
    direct: InProcess,
    handed_on: Box<dyn ServerLink>,
    leading: watch::Receiver<bool>,
}

impl Beside {
    /// `calls` is what answers the nodes elsewhere.
    pub(super) fn new(
        direct: InProcess,
        calls: Arc<dyn Handler>,
        region: &str,
        leading: watch::Receiver<bool>,
    ) -> Self {
        let channel = Channel::in_process(calls, Peer::in_process(region));
        Self {
            direct,
            handed_on: Box::new(RpcLink::new(move || Some(channel.clone()))),
            leading,
        }
    }

    fn now(&self) -> &dyn ServerLink {
        if *self.leading.borrow() {
            &self.direct
        } else {
            self.handed_on.as_ref()
        }
    }
}

#[async_trait]
impl ServerLink for Beside {
    async fn register(&self, node: Node) -> Result<Beat, LinkError> {
        self.now().register(node).await
    }

    async fn heartbeat(&self, request: Heartbeat) -> Result<Beat, LinkError> {
        self.now().heartbeat(request).await
    }

    async fn pull(&self, request: Pull) -> Result<Pulled, LinkError> {
        self.now().pull(request).await
    }

    async fn update_allocs(&self, update: AllocUpdate) -> Result<(), LinkError> {
        self.now().update_allocs(update).await
    }

    async fn update_services(&self, update: ServiceUpdate) -> Result<(), LinkError> {
        self.now().update_services(update).await
    }

    async fn node_events(&self, request: NodeEvents) -> Result<(), LinkError> {
        self.now().node_events(request).await
    }

    async fn lookup(&self, request: Lookup) -> Result<Found, LinkError> {
        self.now().lookup(request).await
    }

    async fn data(&self, request: DataOf) -> Result<ByteStream, LinkError> {
        self.handed_on.data(request).await
    }
}
