//! What an agent answers about itself: configuration, members, health, host, schedulers, statistics.
//!
//! Everything here is answered by the agent that is asked, whatever its role; one file a theme.

mod export;
mod gauges;
mod health;
mod host;
mod members;
mod metrics;
mod monitor;
mod schedulers;
mod stats;
mod ticks;

use crate::agent::{Circle, Reloader, Upstream};
use crate::config::AgentConfig;
use crate::telemetry::Telemetry;
use caravan_client::Client;
use caravan_consensus::Consensus;
use caravan_http::{Answer, ApiError, ApiRequest, Meta, Op};
use caravan_rpc::Pool;
use caravan_server::{Fsm, Server};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

type Answered = Result<Answer, ApiError>;

/// The server inside of this agent, as far as the agent speaks of it.
pub(crate) struct ServerSide {
    pub(crate) server: Arc<Server>,
    pub(crate) pool: Pool,
    pub(crate) circle: Arc<Circle>,
}

impl ServerSide {
    fn consensus(&self) -> &Consensus<Fsm> {
        self.server.consensus()
    }
}

/// What this agent knows of itself.
pub(crate) struct AgentOps {
    config: Arc<AgentConfig>,
    server: Option<ServerSide>,
    /// The servers of a node that is no server.
    upstream: Option<Arc<Upstream>>,
    reloader: Arc<Reloader>,
    has_node: bool,
    /// The node of this agent, once it was started.
    node: OnceLock<Arc<Client>>,
    /// What serves the public API, once it does.
    http: OnceLock<caravan_http::Server>,
    telemetry: Telemetry,
    ticks: Mutex<ticks::Ticks>,
    started: Instant,
    started_at: caravan_model::Timestamp,
}

impl AgentOps {
    /// The answers of an agent of this configuration: with the server in it, or with the servers that it asks.
    pub(crate) fn new(
        config: Arc<AgentConfig>,
        server: Option<ServerSide>,
        upstream: Option<Arc<Upstream>>,
        reloader: Arc<Reloader>,
    ) -> Self {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let started_at =
            caravan_model::Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        let has_node = config.settings.client.enabled;
        Self {
            telemetry: Telemetry::start(&config),
            ticks: Mutex::default(),
            config,
            server,
            upstream,
            reloader,
            has_node,
            node: OnceLock::new(),
            http: OnceLock::new(),
            started: Instant::now(),
            started_at,
        }
    }

    /// The public API is served.
    pub(crate) fn set_http(&self, http: caravan_http::Server) {
        // It is served once.
        let _ = self.http.set(http);
    }

    /// The node of this agent was started.
    pub(crate) fn set_node(&self, node: Arc<Client>) {
        // It is started once.
        let _ = self.node.set(node);
    }

    /// Addresses of the servers that this agent knows, in order.
    fn servers(&self) -> Vec<String> {
        let mut known: Vec<String> = match &self.server {
            Some(side) => side
                .consensus()
                .members()
                .into_iter()
                .map(|member| member.address)
                .collect(),
            None => self
                .upstream
                .as_ref()
                .map(|upstream| upstream.servers())
                .unwrap_or_default(),
        };
        known.sort();
        known
    }

    /// Sends figures to where the configuration wants them, until the agent ends.
    pub(crate) async fn push_figures(&self, closing: tokio_util::sync::CancellationToken) {
        metrics::push(self, closing).await;
    }

    /// Whether an operation is answered here.
    pub(crate) fn answers(op: Op) -> bool {
        matches!(op, Op::Metrics) || op.name().starts_with("Agent")
    }

    /// Answers an operation. Whoever calls has checked that the caller may.
    ///
    /// # Errors
    /// As the API has it.
    pub(crate) async fn call(&self, request: &ApiRequest) -> Answered {
        match request.op {
            Op::AgentSelf => members::agent_self(self),
            Op::AgentMembers => members::members(self),
            Op::AgentServersRead => members::servers(self),
            Op::AgentServersUpdate => members::set_servers(self, request).await,
            Op::AgentJoin => members::join(self, request).await,
            Op::AgentForceLeave => members::force_leave(self, request),
            Op::AgentHealth => health::health(self, request),
            Op::AgentHost => {
                one_target(request)?;
                host::host()
            }
            Op::AgentReload => {
                self.reloader.reload().map_err(ApiError::internal)?;
                Ok(Answer::empty(Meta::none()))
            }
            Op::AgentSchedulers => schedulers::list(self),
            Op::AgentSchedulersConfigRead => schedulers::config(self),
            Op::AgentSchedulersConfigUpdate => schedulers::set_config(self, request),
            Op::AgentKeyringList
            | Op::AgentKeyringInstall
            | Op::AgentKeyringUse
            | Op::AgentKeyringRemove => {
                self.need_server()?;
                Err(ApiError::internal("1/1 nodes reported failure"))
            }
            Op::AgentMonitor => {
                monitor::check(request)?;
                monitor::follow(self, request)
            }
            Op::AgentMonitorExport => {
                monitor::check(request)?;
                export::export(self, request).await
            }
            Op::AgentPprof => {
                one_target(request)?;
                profile(request)
            }
            Op::Metrics => metrics::metrics(self, request).await,
            op => Err(ApiError::internal(format!(
                "{} is not answered by an agent",
                op.name()
            ))),
        }
    }

    fn need_server(&self) -> Result<&ServerSide, ApiError> {
        self.server.as_ref().ok_or_else(ApiError::wrong_role)
    }
}

fn one_target(request: &ApiRequest) -> Result<(), ApiError> {
    if request.query.text("node_id").is_some() && request.query.text("server_id").is_some() {
        return Err(ApiError::bad_request(
            "Cannot target node and server simultaneously",
        ));
    }
    Ok(())
}

/// The profiles that tools ask for by name.
const PROFILES: &[&str] = &[
    "allocs",
    "block",
    "goroutine",
    "heap",
    "mutex",
    "profile",
    "threadcreate",
    "trace",
];

/// The reference's runtime profiles itself; here, whichever is asked for, it is the threads that are told.
fn profile(request: &ApiRequest) -> Answered {
    match request.param("name") {
        "cmdline" => Ok(Answer::text(
            std::env::args_os()
                .map(|word| word.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join("\0"),
        )),
        name if PROFILES.contains(&name) => {
            Ok(Answer::bytes("application/octet-stream", threads()))
        }
        name => Err(ApiError::not_found(format!(
            "Pprof profile not found profile: {name}"
        ))),
    }
}

/// A line for each thread: its number, its name, its state.
fn threads() -> String {
    let entries = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let mut lines: Vec<String> = entries
        .filter_map(|entry| {
            let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
            let field = |name: &str| {
                status
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .map(str::trim)
            };
            Some(format!(
                "{} {} {}\n",
                field("Pid:")?,
                field("Name:")?,
                field("State:")?
            ))
        })
        .collect();
    lines.sort();
    lines.concat()
}
