//! The public API of this agent: each request is answered by the agent that its route names, which may be another.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use caravan_client::Client;
use caravan_http::{Answer, Api, ApiError, ApiRequest, CancellationToken, Forward, Op, Watch};
use caravan_model::{AllocId, NodeId};
use caravan_rpc::{Lane, NodeSessions, Pool, Target};
use caravan_server::{Server, ServerApi};
use futures::future::BoxFuture;
use serde::Deserialize;
use tokio::time::Instant;

use crate::agent_api::AgentOps;

use super::carry::{self, Failure};
use super::circle::{Circle, Known};
use super::link::InProcess;
use super::upstream::Upstream;

/// How long a request waits for a leader.
const HOLD: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// What a server agent works with.
pub(super) struct ServerSide {
    pub(super) server: Arc<Server>,
    pub(super) api: ServerApi,
    pub(super) link: InProcess,
    pub(super) pool: Pool,
    pub(super) sessions: NodeSessions,
    pub(super) circle: Arc<Circle>,
    pub(super) region: String,
}

impl ServerSide {
    /// This server leads and has taken up its duties.
    pub(super) fn leads(&self) -> bool {
        *self.server.leading().borrow()
    }

    /// The address of another server that leads.
    pub(super) fn leader(&self) -> Option<String> {
        let leader = self.server.consensus().leader()?;
        (leader.id != self.server.consensus().node_id()).then_some(leader.address)
    }

    pub(super) fn target(&self, address: &str) -> Target {
        Target::new(address, self.region.as_str())
    }

    /// Addresses of the other servers that can be asked.
    pub(super) fn others(&self) -> Vec<String> {
        let own = self.server.consensus().node_id();
        let members = self.server.consensus().members();
        let mut all: Vec<String> = members
            .into_iter()
            .filter(|member| member.id != own)
            .map(|member| member.address)
            .collect();
        all.extend(
            self.circle
                .others()
                .into_iter()
                .filter(Known::alive)
                .map(|known| known.hello.address),
        );
        all.sort();
        all.dedup();
        all
    }
}

/// Finds who answers, and asks there.
pub(super) struct Gateway {
    region: String,
    acl: bool,
    server: Option<ServerSide>,
    upstream: Option<Arc<Upstream>>,
    ops: AgentOps,
    node: OnceLock<Arc<Client>>,
}

impl Gateway {
    pub(super) fn new(
        region: String,
        acl: bool,
        server: Option<ServerSide>,
        upstream: Option<Arc<Upstream>>,
        ops: AgentOps,
    ) -> Self {
        Self {
            region,
            acl,
            server,
            upstream,
            ops,
            node: OnceLock::new(),
        }
    }

    /// The public API is served. The server asks this gateway in turn: both last as long as the agent.
    pub(super) fn set_http(&self, http: caravan_http::Server) {
        self.ops.set_http(http);
    }

    /// Sends figures to where the configuration wants them, until the agent ends.
    pub(super) async fn push_figures(&self, closing: CancellationToken) {
        self.ops.push_figures(closing).await;
    }

    /// The node of this agent was started.
    pub(super) fn set_node(&self, node: Arc<Client>) {
        self.ops.set_node(Arc::clone(&node));
        // It is started once.
        let _ = self.node.set(node);
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    pub(super) fn server_side(&self) -> Option<&ServerSide> {
        self.server.as_ref()
    }

    pub(super) fn node(&self) -> Option<&Arc<Client>> {
        self.node.get()
    }

    /// The servers that a node without a server asks.
    pub(super) fn upstream(&self) -> Option<&Arc<Upstream>> {
        self.upstream.as_ref()
    }

    /// Answers what the user of this agent asks.
    async fn any(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        let forward = request.route().forward;
        let Some(side) = &self.server else {
            return self.without_server(forward, request).await;
        };
        match forward {
            Forward::ClientAlloc => self.on_alloc(side, request, true).await,
            Forward::ClientNode => self.on_node(side, request).await,
            Forward::AgentTarget => self.on_agent(side, request).await,
            Forward::Local if AgentOps::answers(request.op) => self.of_itself(request).await,
            Forward::Local | Forward::ServerOnly => side.api.call(request).await,
            // Any server knows who leads and who takes part.
            _ if matches!(
                request.op,
                Op::StatusLeader | Op::StatusPeers | Op::RegionList
            ) =>
            {
                side.api.call(request).await
            }
            _ if request.op == Op::JobActionRun => {
                let state = side.server.store().snapshot();
                let exec = super::actions::as_exec(&state, &request)?;
                drop(state);
                self.on_alloc(side, exec, true).await
            }
            Forward::AnyServer if request.options.stale => side.api.call(request).await,
            Forward::AnyServer | Forward::Leader => self.on_leader(side, request).await,
        }
    }

    /// A node that is no server answers for itself and asks the servers for everything else.
    async fn without_server(
        &self,
        forward: Forward,
        request: ApiRequest,
    ) -> Result<Answer, ApiError> {
        let upstream = self.upstream.as_ref().ok_or_else(ApiError::no_leader)?;
        match forward {
            Forward::ServerOnly => Err(ApiError::server_only()),
            // Only servers know the members.
            Forward::Local if request.op == Op::AgentMembers => upstream.api(request).await,
            Forward::Local if AgentOps::answers(request.op) => self.of_itself(request).await,
            Forward::AgentTarget if !names_an_agent(&request) => self.of_itself(request).await,
            // Only servers know what a token may do.
            _ if self.acl => upstream.api(request).await,
            Forward::ClientAlloc => match (self.node(), alloc_id(&request)) {
                (Some(node), Ok(id)) if node.has_alloc(id) => node.api().call(request).await,
                _ => upstream.api(request).await,
            },
            Forward::ClientNode => match (self.node(), node_id(&request)) {
                (Some(node), None) => node.api().call(request).await,
                (Some(node), Some(id)) if node.node_id().to_string() == id => {
                    node.api().call(request).await
                }
                _ => upstream.api(request).await,
            },
            _ => upstream.api(request).await,
        }
    }

    /// Answers what this agent is asked about itself.
    async fn of_itself(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        self.permit(&request).await?;
        self.ops.call(&request).await
    }

    /// Refuses whoever may not make this request.
    pub(super) async fn permit(&self, request: &ApiRequest) -> Result<(), ApiError> {
        match (&self.server, &self.upstream) {
            (Some(side), _) => side.api.permit(request),
            (None, Some(upstream)) if self.acl => upstream.permit(request).await,
            (None, _) => Ok(()),
        }
    }

    /// Answers for this agent alone.
    pub(super) async fn here(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        match (request.route().forward, &self.server, self.node()) {
            // Who sent it here has seen that the caller may.
            (Forward::AgentTarget, ..) if AgentOps::answers(request.op) => {
                self.ops.call(&request).await
            }
            (Forward::ClientAlloc | Forward::ClientNode, _, Some(node)) => {
                node.api().call(request).await
            }
            (_, _, Some(node)) if request.op == Op::ClientAllocSnapshot => {
                node.api().call(request).await
            }
            (Forward::ClientAlloc | Forward::ClientNode, _, None) => {
                Err(ApiError::no_path_to_node())
            }
            (_, Some(side), _) => side.api.call(request).await,
            (_, None, Some(node)) => node.api().call(request).await,
            (_, None, None) => Err(ApiError::no_leader()),
        }
    }

    /// Answers what another agent asks of the leader.
    pub(super) async fn as_leader(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        let side = self.server.as_ref().ok_or_else(ApiError::no_leader)?;
        if request.route().forward == Forward::ClientAlloc {
            return self.on_alloc(side, request, false).await;
        }
        if side.leads() {
            side.api.call(request).await
        } else {
            Err(ApiError::no_leader())
        }
    }

    async fn on_leader(&self, side: &ServerSide, request: ApiRequest) -> Result<Answer, ApiError> {
        let deadline = Instant::now() + HOLD;
        let reads = request.route().forward == Forward::AnyServer;
        loop {
            if side.leads() {
                return side.api.call(request).await;
            }
            if let Some(address) = side.leader() {
                let channel = side.pool.channel(&side.target(&address), Lane::Calls);
                match carry::call(&channel, carry::LEADER, &request).await {
                    Ok(answer) => return Ok(answer),
                    Err(Failure::Answered(error)) => return Err(error),
                    // A read may be asked twice, a write only when it had no effect.
                    Err(failure) if reads || failure.is_unsent() => {
                        tracing::debug!(address, ?failure, "the leader did not answer");
                    }
                    Err(failure) => return Err(failure.into()),
                }
            }
            if Instant::now() >= deadline {
                return Err(ApiError::no_leader());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn on_alloc(
        &self,
        side: &ServerSide,
        request: ApiRequest,
        first: bool,
    ) -> Result<Answer, ApiError> {
        let id = alloc_id(&request)?;
        let state = side.server.store().snapshot();
        let Some(alloc) = state.alloc(&id) else {
            // This server may be behind the leader.
            if first && !side.leads() {
                return self.on_leader(side, request).await;
            }
            return Err(ApiError::unknown_allocation(request.param("id")));
        };
        side.api
            .authorize(&request, Some(alloc.namespace.as_str()))?;
        let node = alloc.node_id;
        drop(state);
        self.to_node(side, node, request).await
    }

    async fn on_node(&self, side: &ServerSide, request: ApiRequest) -> Result<Answer, ApiError> {
        side.api.authorize(&request, None)?;
        let Some(wanted) = node_id(&request) else {
            return match self.node() {
                Some(node) => node.api().call(request).await,
                None => Err(ApiError::no_local_node()),
            };
        };
        if wanted.len() != 36 {
            return Err(ApiError::id_length("node"));
        }
        let state = side.server.store().snapshot();
        let id = wanted
            .parse::<NodeId>()
            .ok()
            .filter(|id| state.node(id).is_some());
        let Some(id) = id else {
            let status = if request.op == Op::ClientStats {
                404
            } else {
                500
            };
            return Err(ApiError::unknown_node(status, wanted));
        };
        drop(state);
        self.to_node(side, id, request).await
    }

    async fn on_agent(&self, side: &ServerSide, request: ApiRequest) -> Result<Answer, ApiError> {
        // Both at once are refused.
        if ["node_id", "server_id"]
            .iter()
            .all(|name| request.query.text(name).is_some())
        {
            return self.of_itself(request).await;
        }
        if let Some(node) = request.query.text("node_id") {
            side.api.authorize(&request, None)?;
            let id = node
                .parse::<NodeId>()
                .map_err(|_| ApiError::id_length("node"))?;
            if side.server.store().snapshot().node(&id).is_none() {
                return Err(ApiError::internal(format!(
                    "RPC Error:: 404,Unknown node {node:?}"
                )));
            }
            return self.to_node(side, id, request).await;
        }
        let Some(wanted) = request.query.text("server_id") else {
            return self.of_itself(request).await;
        };
        let me = side.circle.me(&side.server);
        if wanted == me.name || wanted == me.id || (wanted == "leader" && side.leads()) {
            return self.of_itself(request).await;
        }
        side.api.permit(&request)?;
        let others = side.circle.others();
        let named = others
            .iter()
            .map(|known| &known.hello)
            .find(|hello| hello.name == wanted || hello.id == wanted);
        let address = match named {
            Some(hello) => Some(hello.address.clone()),
            None if wanted == "leader" => Some(side.leader().ok_or_else(ApiError::no_leader)?),
            None => None,
        };
        let address = address
            .ok_or_else(|| ApiError::bad_request(format!("unknown Nomad server {wanted}")))?;
        let channel = side.pool.channel(&side.target(&address), Lane::Calls);
        Ok(carry::call(&channel, carry::HERE, &request).await?)
    }

    /// Asks a node: this agent's, one that keeps a connection open here, or one that another server holds.
    pub(super) async fn to_node(
        &self,
        side: &ServerSide,
        id: NodeId,
        request: ApiRequest,
    ) -> Result<Answer, ApiError> {
        if self.node().is_some_and(|own| own.node_id() == id) {
            return self.here(request).await;
        }
        let id = id.to_string();
        if let Some(channel) = side.sessions.get(&id) {
            match carry::call(&channel, carry::HERE, &request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) if failure.is_unsent() => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        let path = format!("{}{id}", carry::HELD);
        for address in side.others() {
            let channel = side.pool.channel(&side.target(&address), Lane::Calls);
            match carry::call(&channel, &path, &request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) if failure.is_unsent() => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(ApiError::no_path_to_node())
    }
}

/// Whether a request is for the agent that it names, and not for the one that is asked.
fn names_an_agent(request: &ApiRequest) -> bool {
    ["node_id", "server_id"]
        .iter()
        .any(|name| request.query.text(name).is_some())
}

fn alloc_id(request: &ApiRequest) -> Result<AllocId, ApiError> {
    let text = request.param("id");
    text.parse().map_err(|_| ApiError::unknown_allocation(text))
}

/// The node that a request names, in its query or in its body.
fn node_id(request: &ApiRequest) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "NodeID", default)]
        node_id: Option<String>,
    }
    let body = || serde_json::from_slice::<Named>(&request.body).ok()?.node_id;
    request
        .query
        .text("node_id")
        .map(str::to_owned)
        .or_else(body)
        .filter(|id| !id.is_empty())
}

#[async_trait]
impl Api for Gateway {
    async fn call(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        match &request.options.region {
            Some(region) if *region != self.region => Err(ApiError::no_path_to_region()),
            _ => self.any(request).await,
        }
    }

    fn changed<'a>(&'a self, watch: &'a Watch) -> BoxFuture<'a, ()> {
        match &self.server {
            Some(side) => side.api.changed(watch),
            None => Box::pin(std::future::pending()),
        }
    }
}
