//! Starts the server room from the agent's configuration.

use super::circle::Hello;
use super::peers::Peers;
use crate::config::{AgentConfig, settings};
use caravan_model::{Identity, SchedulerConfiguration};
use caravan_rpc::{Dialer, Handler, Listener, ListenerConfig, NodeSessions, Pool, Tls};
use caravan_server::{GcThresholds, Pace, RaftTuning, RejectionLimit, Server, ServerConfig};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A running server and its id.
pub(super) struct Running {
    pub(super) server: Arc<Server>,
    pub(super) id: String,
    ports: Vec<Listener>,
    expect: usize,
}

/// What a server needs of its connections.
pub(super) struct Wires {
    pub(super) dialer: Dialer,
    pub(super) pool: Pool,
    pub(super) sessions: NodeSessions,
    pub(super) tls: Option<Arc<Tls>>,
}

/// Binds the ports and starts the server; it does not serve yet.
pub(super) async fn start(config: &AgentConfig, wires: &Wires) -> Result<Running, String> {
    let ports = bind(config, wires.tls.clone())?;
    let id = super::identity::server_id(config)?;
    let resolved = resolve(config);
    let expect = resolved.bootstrap_expect;
    let peers = Peers {
        pool: wires.pool.clone(),
        region: config.settings.region.clone(),
    };
    let server = Server::start(resolved, id.as_u64_pair().0, Arc::new(peers))
        .await
        .map_err(|error| format!("Error starting agent: server setup failed: {error}"))?;
    let id = caravan_server::server_uuid(server.consensus().node_id());
    Ok(Running {
        server: Arc::new(server),
        id,
        ports,
        expect,
    })
}

/// The port of servers, and the one where the field looks for members: both answer alike.
fn bind(config: &AgentConfig, tls: Option<Arc<Tls>>) -> Result<Vec<Listener>, String> {
    let settings = ListenerConfig {
        name: format!("{}.{}", config.name, config.settings.region),
        region: config.settings.region.clone(),
        tls,
        limits: super::secure::limits(config),
    };
    let mut ports = Vec::new();
    for (what, address) in [("RPC", config.net.rpc), ("Serf", config.net.serf)] {
        let listener = Listener::bind(address, settings.clone()).map_err(|error| {
            format!("Error starting agent: failed to start {what} listener: listen tcp {address}: {error}")
        })?;
        ports.push(listener);
    }
    Ok(ports)
}

impl Running {
    /// What this server tells the others of itself.
    pub(super) fn hello(&self, config: &AgentConfig) -> Hello {
        Hello {
            node: self.server.consensus().node_id(),
            id: self.id.clone(),
            name: format!("{}.{}", config.name, config.settings.region),
            address: config.net.advertise_rpc.clone(),
            gossip: config.net.advertise_serf.clone(),
            region: config.settings.region.clone(),
            datacenter: config.settings.datacenter.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            expect: self.expect,
            formed: false,
        }
    }

    /// Answers the other agents until the agent stops.
    pub(super) fn serve(
        &mut self,
        calls: &Arc<dyn Handler>,
        sessions: &NodeSessions,
        closing: &CancellationToken,
    ) {
        for port in self.ports.drain(..) {
            tokio::spawn(port.serve(Arc::clone(calls), sessions.clone(), closing.clone()));
        }
    }

    /// Waits until a server that is alone leads. With others it may take them to have a leader.
    pub(super) async fn ready(&self, config: &AgentConfig) -> Result<(), String> {
        if self.server.consensus().members().len() != 1 {
            return Ok(());
        }
        let mut leading = self.server.leading();
        let led = tokio::time::timeout(
            config.settings.server.start_timeout,
            leading.wait_for(|leads| *leads),
        )
        .await;
        match led {
            Ok(_) => Ok(()),
            Err(_) => Err(
                "Error starting agent: the server did not become leader in time; see the log above"
                    .to_owned(),
            ),
        }
    }
}

/// The Vault clusters that jobs may use.
/// The identities that tasks get for other systems, by cluster.
fn identities<C>(
    clusters: &BTreeMap<String, C>,
    given: impl Fn(&C) -> Option<&settings::Identity>,
) -> BTreeMap<String, Identity> {
    let each = clusters.iter().filter_map(|(name, cluster)| {
        let given = given(cluster)?;
        let identity = Identity {
            audience: given.aud.clone(),
            env: given.env,
            file: given.file,
            filepath: given.filepath.clone(),
            ttl: given.ttl.into(),
            extra_claims: given.extra_claims.keys().cloned().collect(),
            ..Identity::default()
        };
        Some((name.clone(), identity))
    });
    each.collect()
}

fn enabled_vaults(config: &AgentConfig) -> std::collections::BTreeSet<String> {
    let vaults = &config.settings.vault.0;
    vaults
        .iter()
        .filter(|(_, vault)| vault.enabled == Some(true))
        .map(|(name, _)| name.clone())
        .collect()
}

/// How a cluster schedules that this server is the first of.
fn scheduler(server: &settings::Server) -> SchedulerConfiguration {
    let mut scheduler = SchedulerConfiguration::initial();
    if let Some(wanted) = &server.default_scheduler_config {
        scheduler
            .scheduler_algorithm
            .clone_from(&wanted.scheduler_algorithm);
        scheduler.memory_oversubscription_enabled = wanted.memory_oversubscription_enabled;
        scheduler.reject_job_registration = wanted.reject_job_registration;
        scheduler.pause_eval_broker = wanted.pause_eval_broker;
        let preemption = &mut scheduler.preemption_config;
        preemption.system_scheduler_enabled = wanted.preemption_config.system_scheduler_enabled;
        preemption.sys_batch_scheduler_enabled =
            wanted.preemption_config.sysbatch_scheduler_enabled;
        preemption.batch_scheduler_enabled = wanted.preemption_config.batch_scheduler_enabled;
        preemption.service_scheduler_enabled = wanted.preemption_config.service_scheduler_enabled;
    }
    scheduler
}

fn resolve(config: &AgentConfig) -> ServerConfig {
    let settings = &config.settings;
    let server = &settings.server;
    let length = |length: Duration| caravan_model::Duration::from(length);
    let defaults = ServerConfig::default();
    ServerConfig {
        name: format!("{}.{}", config.name, settings.region),
        region: settings.region.clone(),
        datacenter: settings.datacenter.clone(),
        data_dir: config.dev.is_none().then(|| config.dirs.server.clone()),
        rpc_address: config.net.advertise_rpc.clone(),
        schedulers: server
            .num_schedulers
            .map_or(defaults.schedulers, |count| count as usize),
        bootstrap_expect: if config.dev.is_some() {
            1
        } else {
            server.bootstrap_expect as usize
        },
        default_scheduler_config: scheduler(server),
        pace: Pace {
            min_ttl: length(server.min_heartbeat_ttl),
            max_per_second: server.max_heartbeats_per_second,
            grace: length(server.heartbeat_grace),
            failover_ttl: length(server.failover_heartbeat_ttl),
        },
        plan_rejections: server
            .plan_rejection_tracker
            .enabled
            .then(|| RejectionLimit {
                threshold: server.plan_rejection_tracker.node_threshold as usize,
                window: length(server.plan_rejection_tracker.node_window),
            }),
        job_max_source_size: usize::try_from(server.job_max_source_size.0).unwrap_or(usize::MAX),
        job_max_priority: i64::from(server.job_max_priority),
        job_default_priority: i64::from(server.job_default_priority),
        job_max_count: i64::from(server.job_max_count),
        vault_clusters: enabled_vaults(config),
        vault_identities: identities(&settings.vault.0, |vault| vault.default_identity.as_ref()),
        consul_identities: identities(&settings.consul.0, |consul| consul.task_identity.as_ref()),
        consul_service_identities: identities(&settings.consul.0, |consul| {
            consul.service_identity.as_ref()
        }),
        event_buffer_size: if server.enable_event_broker {
            server.event_buffer_size as usize
        } else {
            0
        },
        acl_enabled: settings.acl.enabled,
        token_life: (
            length(settings.acl.token_min_expiration_ttl),
            length(settings.acl.token_max_expiration_ttl),
        ),
        gc: GcThresholds {
            eval: length(server.eval_gc_threshold),
            batch_eval: length(server.batch_eval_gc_threshold),
            job: length(server.job_gc_threshold),
            node: length(server.node_gc_threshold),
            acl_token: length(server.acl_token_gc_threshold),
            deployment: length(server.deployment_gc_threshold),
            interval: length(server.job_gc_interval),
        },
        raft: RaftTuning {
            multiplier: server.raft_multiplier.max(1),
            snapshot_threshold: server.raft_snapshot_threshold.max(1),
            trailing_logs: server.raft_trailing_logs,
        },
    }
}
