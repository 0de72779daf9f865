//! Starts the rooms that the configuration asks for, joins them behind one public API, and stops them in order.

use super::circle::Circle;
use super::gateway::{Gateway, ServerSide};
use super::link::{Beside, InProcess};
use super::logging::Log;
use super::reload::Reloader;
use super::rpc::{NodeCalls, ServerCalls};
use super::secure::Certificates;
use super::server::{Running, Wires};
use super::signals::Stop;
use super::upstream::Upstream;
use super::{leave, signals};
use crate::agent_api::{self, AgentOps};
use crate::announce;
use crate::config::AgentConfig;
use caravan_client::{Client, Prepared, ServerLink};
use caravan_http::{Api, CancellationToken, Listener, Server as HttpServer, Settings, TlsConfig};
use caravan_rpc::preface::Preface;
use caravan_rpc::{Dialer, Handler, NodeSessions, Pool};
use caravan_server::Server;
use http::{HeaderName, HeaderValue};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What runs.
pub(super) struct Rooms {
    pub(super) server: Option<Running>,
    pub(super) node: Option<Arc<Client>>,
    pub(super) server_id: Option<String>,
    pub(super) reloader: Arc<Reloader>,
    gateway: Arc<Gateway>,
}

impl Rooms {
    /// Ends as it was told to; a second signal while it leaves says not to wait. Ending without having left is no
    /// success.
    pub(super) async fn end(&self, config: &AgentConfig, stop: Stop) -> ExitCode {
        let mut code = ExitCode::FAILURE;
        if stop == Stop::Leaving {
            println!("{}", announce::LEAVING);
            tokio::select! {
                () = leave::leave(config, &self.gateway) => code = ExitCode::SUCCESS,
                () = signals::again() => {}
            }
        }
        self.stop().await;
        code
    }

    /// Stops what runs: first what serves, then what is served.
    async fn stop(&self) {
        if let Some(node) = &self.node {
            node.shutdown().await;
        }
        if let Some(running) = &self.server {
            running.server.shutdown().await;
        }
    }
}

/// Starts every room that the configuration asks for.
pub(super) async fn start(
    config: &Arc<AgentConfig>,
    args: Vec<String>,
    log: Arc<Log>,
    closing: &CancellationToken,
) -> Result<Rooms, String> {
    let listeners = bind(config).await?;
    let certificates = Certificates::load(config)?;
    let reloader = Arc::new(Reloader::new(
        args,
        Arc::clone(config),
        log,
        certificates.clone(),
    ));
    let wires = wires(config, &certificates);
    // The machine is looked at while the server starts.
    let prepared = match config.settings.client.enabled {
        true => Some(super::node::prepare(config)?),
        false => None,
    };
    let mut server = match config.settings.server.enabled {
        true => Some(super::server::start(config, &wires).await?),
        false => None,
    };
    let (side, upstream) = match &server {
        Some(running) => (Some(side(config, &wires, running)), None),
        None => (None, Some(upstream(config, &wires))),
    };
    let ops = ops(config, side.as_ref(), upstream.as_ref(), &reloader);
    let settings = &config.settings;
    let gateway = Arc::new(Gateway::new(
        settings.region.clone(),
        settings.acl.enabled,
        side,
        upstream,
        ops,
    ));
    let calls: Arc<dyn Handler> = Arc::new(ServerCalls(Arc::clone(&gateway)));
    if let Some(side) = gateway.server_side() {
        side.server
            .set_node_volumes(Arc::new(super::volumes::Nodes(Arc::downgrade(&gateway))));
    }
    if let Some(running) = &mut server {
        running.serve(&calls, &wires.sessions, closing);
        join_others(config, &gateway, closing);
        running.ready(config).await?;
    }
    let node = match prepared {
        Some(prepared) => {
            Some(start_node(config, prepared, &wires, &gateway, calls, closing).await?)
        }
        None => None,
    };
    let tls = certificates.https();
    serve(config, &gateway, node.as_ref(), listeners, tls, closing)?;
    let server_id = server.as_ref().map(|running| running.id.clone());
    Ok(Rooms {
        server,
        node,
        server_id,
        reloader,
        gateway,
    })
}

/// Serves the public API, also inside of tasks, and pushes figures.
fn serve(
    config: &AgentConfig,
    gateway: &Arc<Gateway>,
    node: Option<&Arc<Client>>,
    listeners: Vec<TcpListener>,
    tls: Option<TlsConfig>,
    closing: &CancellationToken,
) -> Result<(), String> {
    let http = HttpServer::new(Arc::clone(gateway) as Arc<dyn Api>, http_settings(config)?);
    gateway.set_http(http.clone());
    if let Some(node) = node {
        node.serve_in_tasks(http.clone());
    }
    let (figures, ends) = (Arc::clone(gateway), closing.clone());
    tokio::spawn(async move { figures.push_figures(ends).await });
    for listener in listeners {
        let (http, closing) = (http.clone(), closing.clone());
        let listener = match tls.clone() {
            Some(tls) => Listener::Tls(listener, tls),
            None => Listener::Tcp(listener),
        };
        tokio::spawn(async move { http.serve(listener, closing).await });
    }
    Ok(())
}

/// What connections between agents are made with.
fn wires(config: &AgentConfig, certificates: &Certificates) -> Wires {
    let tls = certificates.rpc();
    let dialer = Dialer::new(preface(config), tls.clone(), super::secure::limits(config));
    Wires {
        pool: Pool::new(dialer.clone()),
        dialer,
        sessions: NodeSessions::default(),
        tls,
    }
}

/// What this agent answers about itself.
fn ops(
    config: &Arc<AgentConfig>,
    side: Option<&ServerSide>,
    upstream: Option<&Arc<Upstream>>,
    reloader: &Arc<Reloader>,
) -> AgentOps {
    let server = side.map(|side| agent_api::ServerSide {
        server: Arc::clone(&side.server),
        pool: side.pool.clone(),
        circle: Arc::clone(&side.circle),
    });
    AgentOps::new(
        Arc::clone(config),
        server,
        upstream.cloned(),
        Arc::clone(reloader),
    )
}

fn preface(config: &AgentConfig) -> Preface {
    let region = config.settings.region.clone();
    if config.settings.server.enabled {
        Preface::Server {
            name: format!("{}.{region}", config.name),
            region,
        }
    } else {
        // Which node it is, is proven with each call.
        Preface::Client {
            node_id: String::new(),
            region,
        }
    }
}

fn side(config: &AgentConfig, wires: &Wires, running: &Running) -> ServerSide {
    ServerSide {
        server: Arc::clone(&running.server),
        api: running.server.api(),
        link: near_link(config, &running.server),
        pool: wires.pool.clone(),
        sessions: wires.sessions.clone(),
        circle: Arc::new(Circle::new(running.hello(config))),
        region: config.settings.region.clone(),
    }
}

fn near_link(config: &AgentConfig, server: &Arc<Server>) -> InProcess {
    let (log, own) = (server.consensus().clone(), config.net.advertise_rpc.clone());
    let servers = move || match log.members() {
        members if members.is_empty() => vec![own.clone()],
        members => members.into_iter().map(|member| member.address).collect(),
    };
    InProcess::new(server.node_service(), Arc::new(servers))
}

fn upstream(config: &AgentConfig, wires: &Wires) -> Arc<Upstream> {
    let client = &config.settings.client;
    let join = &client.server_join;
    let addresses = super::secure::addresses([&client.servers, &join.start_join, &join.retry_join]);
    Upstream::new(
        wires.pool.clone(),
        config.settings.region.clone(),
        addresses,
    )
}

fn join_others(config: &AgentConfig, gateway: &Gateway, closing: &CancellationToken) {
    let Some(side) = gateway.server_side() else {
        return;
    };
    let server = &config.settings.server;
    let join = &server.server_join;
    let addresses = super::secure::addresses([
        &server.start_join,
        &server.retry_join,
        &join.start_join,
        &join.retry_join,
    ]);
    let (circle, running) = (Arc::clone(&side.circle), Arc::clone(&side.server));
    tokio::spawn(super::join::run(
        circle,
        running,
        side.pool.clone(),
        addresses,
        closing.clone(),
    ));
}

async fn start_node(
    config: &AgentConfig,
    prepared: Prepared,
    wires: &Wires,
    gateway: &Arc<Gateway>,
    calls: Arc<dyn Handler>,
    closing: &CancellationToken,
) -> Result<Arc<Client>, String> {
    let link: Arc<dyn ServerLink> = match (gateway.server_side(), gateway.upstream()) {
        (Some(side), _) => {
            let direct = near_link(config, &side.server);
            Arc::new(Beside::new(
                direct,
                calls,
                &side.region,
                side.server.leading(),
            ))
        }
        (None, Some(upstream)) => super::upstream::link(upstream),
        (None, None) => return Err("Error starting agent: a client needs servers".to_owned()),
    };
    let node = super::node::start(prepared, link).await?;
    gateway.set_node(Arc::clone(&node));
    if let Some(upstream) = gateway.upstream() {
        let handler = Arc::new(NodeCalls(Arc::clone(gateway)));
        super::upstream::call_back(upstream, wires.dialer.clone(), &node, handler, closing);
    }
    Ok(node)
}

/// Binds the addresses of the public API; an address that is taken is named.
async fn bind(config: &AgentConfig) -> Result<Vec<TcpListener>, String> {
    let mut listeners = Vec::new();
    for address in &config.net.http {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            format!(
                "Error starting agent: failed to start HTTP listener: listen tcp {address}: {error}"
            )
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn http_settings(config: &AgentConfig) -> Result<Settings, String> {
    let limits = &config.settings.limits;
    let header = |(name, value): (&String, &String)| {
        let refused = |_| {
            format!(
                "Error starting agent: http_api_response_headers: {name:?} cannot be sent as it is"
            )
        };
        let name: HeaderName = name.parse().map_err(|_| refused(()))?;
        Ok::<_, String>((name, HeaderValue::from_str(value).map_err(|_| refused(()))?))
    };
    Ok(Settings {
        headers: config
            .settings
            .http_api_response_headers
            .iter()
            .map(header)
            .collect::<Result<_, _>>()?,
        max_connections_per_ip: limits.http_max_conns_per_client as usize,
        handshake_timeout: limits.https_handshake_timeout,
        debug: config.settings.enable_debug,
        ..Settings::default()
    })
}
