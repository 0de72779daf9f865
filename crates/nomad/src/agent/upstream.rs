//! The servers of a node that is no server: which one is asked, the next one when it fails, and what is asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use caravan_client::link::{
    AllocUpdate, Beat, DataOf, Found, Heartbeat, LinkError, Lookup, NodeEvents, Pull, Pulled,
    ServerLink, ServiceUpdate,
};
use caravan_client::{Client, RpcLink};
use caravan_http::{Answer, ApiError, ApiRequest, ByteStream};
use caravan_model::Node;
use caravan_rpc::{
    Body, Channel, Dialer, ErrorKind, Handler, Lane, Peer, Pool, RemoteError, Reverse,
    ReverseConfig, ReverseState, RpcError, Target, msgpack, reply_error,
};
use http::{Request, Response};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::carry::{self, Failure};

/// The servers that are known; the first is asked.
pub(crate) struct Upstream {
    pool: Pool,
    region: String,
    configured: Vec<String>,
    servers: Mutex<VecDeque<String>>,
    /// The server that is asked, once it knows this node.
    chosen: watch::Sender<Option<Target>>,
    registered: watch::Sender<bool>,
}

impl Upstream {
    pub(super) fn new(pool: Pool, region: String, configured: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            pool,
            region,
            servers: Mutex::new(configured.iter().cloned().collect()),
            configured,
            chosen: watch::Sender::new(None),
            registered: watch::Sender::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The servers that are known, the one asked first.
    pub(crate) fn servers(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    /// Asks these servers from now on, until they tell of others.
    pub(crate) fn ask_these(&self, addresses: Vec<String>) {
        *self.lock() = addresses.into();
        self.choose();
    }

    fn first(&self) -> Option<Target> {
        self.lock().front().map(|address| self.target(address))
    }

    fn target(&self, address: &str) -> Target {
        Target::new(address, self.region.as_str())
    }

    /// Lets the server that is called back through be the one that is asked.
    fn choose(&self) {
        let first = self.first().filter(|_| *self.registered.borrow());
        self.chosen.send_if_modified(|chosen| {
            let changed = *chosen != first;
            chosen.clone_from(&first);
            changed
        });
    }

    /// A server failed: the next one is asked from now on, unless that has happened already.
    fn failed(&self, address: &str) {
        {
            let mut servers = self.lock();
            if servers.front().is_some_and(|first| first == address) {
                servers.rotate_left(1);
            }
        }
        self.choose();
    }

    /// Takes in the servers that a server told of.
    fn adopt(&self, told: &[String]) {
        if told.is_empty() {
            return;
        }
        {
            let mut servers = self.lock();
            let first = servers.front().cloned();
            let mut all: VecDeque<String> = told.iter().cloned().collect();
            all.extend(
                self.configured
                    .iter()
                    .filter(|address| !told.contains(address))
                    .cloned(),
            );
            if let Some(at) =
                first.and_then(|first| all.iter().position(|address| *address == first))
            {
                all.rotate_left(at);
            }
            *servers = all;
        }
        self.registered.send_replace(true);
        self.choose();
    }

    /// Asks the servers what a user asked this agent.
    pub(super) async fn api(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        self.send(carry::ANY, &request).await
    }

    /// Asks the servers whether the caller may make a request that is answered here.
    pub(super) async fn permit(&self, request: &ApiRequest) -> Result<(), ApiError> {
        self.send(carry::PERMIT, request).await.map(drop)
    }

    async fn send(&self, path: &str, request: &ApiRequest) -> Result<Answer, ApiError> {
        let mut last = None;
        for address in self.servers() {
            let channel = self.pool.channel(&self.target(&address), Lane::Calls);
            match carry::call(&channel, path, request).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Answered(error)) => return Err(error),
                Err(failure) => {
                    let again = failure.is_unsent();
                    tracing::debug!(address, ?failure, "a server did not answer");
                    self.failed(&address);
                    last = Some(failure);
                    if !again {
                        break;
                    }
                }
            }
        }
        Err(last.map_or_else(|| ApiError::internal("no servers"), ApiError::from))
    }

    /// Calls through this go to whichever server answers.
    pub(super) fn channel(self: &Arc<Self>) -> Channel {
        let calls: Arc<dyn Handler> = Arc::new(Calls(Arc::clone(self)));
        Channel::in_process(calls, Peer::in_process(self.region.as_str()))
    }

    async fn ask(&self, request: Request<Body>) -> Result<Response<Body>, RpcError> {
        let path = request.uri().path().to_owned();
        let body = carry::whole(request.into_body()).await?;
        let mut last = None;
        for address in self.servers() {
            let channel = self.pool.channel(&self.target(&address), Lane::Calls);
            match channel
                .call(msgpack::request(&path, Body::full(body.clone()))?)
                .await
            {
                Ok(response) => {
                    // A server without a leader may be cut off from one that others still have.
                    if response.status() == http::StatusCode::SERVICE_UNAVAILABLE {
                        self.failed(&address);
                    }
                    return Ok(response);
                }
                Err(error) => {
                    self.failed(&address);
                    let again = error.is_unsent();
                    last = Some(error);
                    if !again {
                        break;
                    }
                }
            }
        }
        Err(last.unwrap_or(RpcError::Connect {
            address: "any server".to_owned(),
            what: "none is known".to_owned(),
        }))
    }
}

/// Sends calls to whichever server answers.
struct Calls(Arc<Upstream>);

#[async_trait]
impl Handler for Calls {
    async fn handle(&self, _: Peer, request: Request<Body>) -> Response<Body> {
        match self.0.ask(request).await {
            Ok(response) => response,
            Err(error) => reply_error(&RemoteError::new(ErrorKind::NotReady, error.to_string())),
        }
    }
}

/// The link of a node to servers elsewhere.
pub(super) fn link(upstream: &Arc<Upstream>) -> Arc<dyn ServerLink> {
    let channel = upstream.channel();
    Arc::new(FarLink {
        upstream: Arc::clone(upstream),
        rpc: RpcLink::new(move || Some(channel.clone())),
    })
}

struct FarLink<F> {
    upstream: Arc<Upstream>,
    rpc: RpcLink<F>,
}

#[async_trait]
impl<F: Fn() -> Option<Channel> + Send + Sync + 'static> ServerLink for FarLink<F> {
    async fn register(&self, node: Node) -> Result<Beat, LinkError> {
        let beat = self.rpc.register(node).await?;
        self.upstream.adopt(&beat.servers);
        Ok(beat)
    }

    async fn heartbeat(&self, request: Heartbeat) -> Result<Beat, LinkError> {
        let beat = self.rpc.heartbeat(request).await?;
        self.upstream.adopt(&beat.servers);
        Ok(beat)
    }

    async fn pull(&self, request: Pull) -> Result<Pulled, LinkError> {
        self.rpc.pull(request).await
    }

    async fn update_allocs(&self, update: AllocUpdate) -> Result<(), LinkError> {
        self.rpc.update_allocs(update).await
    }

    async fn update_services(&self, update: ServiceUpdate) -> Result<(), LinkError> {
        self.rpc.update_services(update).await
    }

    async fn node_events(&self, request: NodeEvents) -> Result<(), LinkError> {
        self.rpc.node_events(request).await
    }

    async fn lookup(&self, request: Lookup) -> Result<Found, LinkError> {
        self.rpc.lookup(request).await
    }

    async fn data(&self, request: DataOf) -> Result<ByteStream, LinkError> {
        self.rpc.data(request).await
    }
}

/// Keeps a connection open through which the server that is asked can ask this node.
pub(super) fn call_back(
    upstream: &Arc<Upstream>,
    dialer: Dialer,
    node: &Client,
    handler: Arc<dyn Handler>,
    closing: &CancellationToken,
) {
    let config = ReverseConfig {
        dialer,
        node_id: node.node_id().to_string(),
        secret: node.node().secret_id.clone(),
        server: upstream.chosen.subscribe(),
        handler,
    };
    let reverse = Reverse::spawn(config, closing);
    let (upstream, closing) = (Arc::clone(upstream), closing.clone());
    tokio::spawn(async move {
        let mut state = reverse.state();
        closing
            .run_until_cancelled(follow(&upstream, &mut state))
            .await;
        reverse.stop().await;
    });
}

/// A server that cannot be reached is not waited for while there are others.
async fn follow(upstream: &Upstream, state: &mut watch::Receiver<ReverseState>) {
    loop {
        if let ReverseState::Failed { error } = &*state.borrow_and_update() {
            tracing::debug!(%error, "no server can call this node back");
            let failed = upstream
                .chosen
                .borrow()
                .as_ref()
                .map(|target| target.address().to_owned());
            if let Some(address) = failed {
                upstream.failed(&address);
            }
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}
