//! Joins the rooms behind one public API: each request goes to the room that its route names.

use super::server::Running;
use crate::config::AgentConfig;
use async_trait::async_trait;
use caravan_http::{
    Answer, Api, ApiError, ApiRequest, CancellationToken, Forward, Listener, Server as HttpServer, Settings, Watch,
};
use caravan_rpc::NodeSessions;
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What runs.
pub(super) struct Rooms {
    pub(super) server: Option<Running>,
    pub(super) node: Option<Arc<caravan_client::Client>>,
    pub(super) server_id: Option<String>,
}

impl Rooms {
    /// Stops what runs: first what serves, then what is served.
    pub(super) async fn stop(&self, _config: &AgentConfig) {
        if let Some(node) = &self.node {
            node.shutdown().await;
        }
        if let Some(running) = &self.server {
            running.server.shutdown().await;
        }
    }
}

/// Starts every room that the configuration asks for.
pub(super) async fn start(config: &Arc<AgentConfig>, closing: &CancellationToken) -> Result<Rooms, String> {
    let listeners = bind(config).await?;
    let sessions = NodeSessions::default();
    let server = if config.settings.server.enabled {
        Some(super::server::start(config, sessions.clone()).await?)
    } else {
        None
    };
    let node = match (&server, config.settings.client.enabled) {
        (Some(running), true) => {
            let servers = vec![config.net.advertise_rpc.clone()];
            let link = super::link::InProcess::new(running.server.node_service(), servers);
            Some(super::node::start(config, Arc::new(link)).await?)
        }
        _ => None,
    };
    let api = Arc::new(AgentApi {
        config: Arc::clone(config),
        server: server.as_ref().map(|running| Arc::new(running.server.api()) as Arc<dyn Api>),
        node: node.as_ref().map(|node| node.api() as Arc<dyn Api>),
    });
    let http = HttpServer::new(api, http_settings(config));
    for listener in listeners {
        let (http, closing) = (http.clone(), closing.clone());
        tokio::spawn(async move { http.serve(Listener::Tcp(listener), closing).await });
    }
    let server_id = server.as_ref().map(|running| running.id.clone());
    Ok(Rooms { server, node, server_id })
}

/// Binds the addresses of the public API; an address that is taken is named.
async fn bind(config: &AgentConfig) -> Result<Vec<TcpListener>, String> {
    let mut listeners = Vec::new();
    for address in &config.net.http {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            format!("Error starting agent: failed to start HTTP listener: listen tcp {address}: {error}")
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn http_settings(config: &AgentConfig) -> Settings {
    let limits = &config.settings.limits;
    Settings {
        max_connections_per_ip: limits.http_max_conns_per_client as usize,
        handshake_timeout: limits.https_handshake_timeout,
        debug: config.settings.enable_debug,
        ..Settings::default()
    }
}

/// The public API of this agent.
struct AgentApi {
    config: Arc<AgentConfig>,
    server: Option<Arc<dyn Api>>,
    node: Option<Arc<dyn Api>>,
}

impl AgentApi {
    fn room(&self, request: &ApiRequest) -> Result<&Arc<dyn Api>, ApiError> {
        match request.route().forward {
            Forward::ClientAlloc | Forward::ClientNode => {
                self.node.as_ref().ok_or_else(ApiError::no_path_to_node)
            }
            Forward::Local | Forward::AnyServer | Forward::Leader | Forward::AgentTarget => {
                self.server.as_ref().ok_or_else(ApiError::no_leader)
            }
            Forward::ServerOnly => self.server.as_ref().ok_or_else(ApiError::server_only),
        }
    }

    fn checked_region(&self, request: &ApiRequest) -> Result<(), ApiError> {
        match &request.options.region {
            Some(region) if *region != self.config.settings.region => Err(ApiError::no_path_to_region()),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Api for AgentApi {
    async fn call(&self, request: ApiRequest) -> Result<Answer, ApiError> {
        self.checked_region(&request)?;
        self.room(&request)?.call(request).await
    }

    fn changed<'a>(&'a self, watch: &'a Watch) -> BoxFuture<'a, ()> {
        match &self.server {
            Some(server) => server.changed(watch),
            None => Box::pin(std::future::pending()),
        }
    }
}
