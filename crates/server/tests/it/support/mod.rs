//! A server without a network, with everything in memory.

use async_trait::async_trait;
use bytes::Bytes;
use caravan_consensus::{PeerCall, PeerTransport, TransportError};
use caravan_model::*;
use caravan_server::{Server, ServerConfig};
use caravan_state::Command;
use std::sync::Arc;

/// The time of everything that is written here.
pub(crate) const NOW: UnixNanos = UnixNanos(1_800_000_000_000_000_000);

/// Reaches nobody.
struct Nobody;

#[async_trait]
impl PeerTransport for Nobody {
    async fn call(&self, _: u64, _: &str, _: PeerCall, _: Bytes) -> Result<Bytes, TransportError> {
        Err(TransportError::Unreachable("there are no peers".to_owned()))
    }
}

/// A server that leads.
pub(crate) async fn start(config: ServerConfig) -> Server {
    let server = Server::start(config, 1, Arc::new(Nobody))
        .await
        .expect("the server starts");
    let mut leading = server.leading();
    leading
        .wait_for(|leads| *leads)
        .await
        .expect("the server leads");
    server
}

/// Puts a command through the log; the index at which it is there.
pub(crate) async fn propose(server: &Server, command: Command) -> u64 {
    let applied = server.proposer().propose(&command).await;
    applied.expect("the command is taken").index
}

/// Registers a job, with the evaluation that is to schedule it, if one is; its modify index.
pub(crate) async fn register(server: &Server, job: Job, eval: Option<Evaluation>) -> u64 {
    let register = Command::RegisterJob {
        job: Arc::new(job),
        submission: None,
        eval,
        policy_ids: Vec::new(),
        now: NOW,
    };
    propose(server, register).await
}

/// A node that takes work.
pub(crate) fn node(number: u32) -> Node {
    let mut resources = NodeResources::default();
    resources.cpu.cpu_shares = 4000;
    resources.memory.memory_mb = 8192;
    resources.disk.disk_mb = 100_000;
    let mut node = Node {
        id: NodeId::from_u128(u128::from(number) + 1),
        name: format!("node-{number}"),
        secret_id: format!("secret-{number}"),
        datacenter: "dc1".to_owned(),
        node_pool: "default".to_owned(),
        status: NodeStatus::Ready,
        node_resources: Some(resources),
        ..Node::default()
    };
    node.attributes
        .insert("driver.mock".to_owned(), "1".to_owned());
    node.computed_class = caravan_model::computed_class(&node);
    node
}

/// A service of so many small allocations.
pub(crate) fn service(id: &str, count: i64) -> Job {
    let task = Task {
        name: "t".to_owned(),
        driver: "mock".to_owned(),
        resources: Resources {
            cpu: 20,
            memory_mb: 32,
            ..Resources::default()
        },
        ..Task::default()
    };
    let group = TaskGroup {
        name: "g".to_owned(),
        count,
        tasks: vec![task],
        ephemeral_disk: EphemeralDisk {
            size_mb: 10,
            ..EphemeralDisk::default()
        },
        ..TaskGroup::default()
    };
    Job {
        id: id.into(),
        name: id.to_owned(),
        namespace: "default".into(),
        r#type: job_type::SERVICE.to_owned(),
        priority: 50,
        datacenters: vec!["*".to_owned()],
        node_pool: "default".to_owned(),
        task_groups: vec![group],
        ..Job::default()
    }
}

/// An evaluation of a job.
pub(crate) fn evaluation(number: u128, job: &Job, why: &str) -> Evaluation {
    Evaluation {
        id: EvalId::from_u128(number),
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        r#type: job.r#type.clone(),
        priority: job.priority,
        triggered_by: why.to_owned(),
        status: EvalStatus::Pending,
        ..Evaluation::default()
    }
}
