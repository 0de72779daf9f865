//! For tests of this room that look behind its doors: a server without a network, which schedules nothing.

use crate::caller::Caller;
use crate::clock;
use crate::config::ServerConfig;
use crate::endpoints::Call;
use crate::server::{Server, Shared};
use async_trait::async_trait;
use bytes::Bytes;
use caravan_consensus::{PeerCall, PeerTransport, TransportError};
use caravan_http::{ApiRequest, Op};
use caravan_model::*;
use caravan_state::Command;
use std::sync::Arc;

/// The node that [`begin`] registers.
pub(crate) const NODE: NodeId = NodeId::from_u128(1);

/// Reaches nobody.
struct Nobody;

#[async_trait]
impl PeerTransport for Nobody {
    async fn call(&self, _: u64, _: &str, _: PeerCall, _: Bytes) -> Result<Bytes, TransportError> {
        Err(TransportError::Unreachable("there are no peers".to_owned()))
    }
}

/// A server of a cluster of this size.
pub(crate) async fn server_of(cluster: usize) -> Server {
    let config = ServerConfig {
        schedulers: 0,
        bootstrap_expect: cluster,
        ..ServerConfig::default()
    };
    Server::start(config, 1, Arc::new(Nobody)).await.unwrap()
}

/// A server that leads, and knows a node.
pub(crate) async fn begin() -> Server {
    let server = server_of(1).await;
    server.leading().wait_for(|leads| *leads).await.unwrap();
    let node = Node {
        id: NODE,
        name: "node".to_owned(),
        datacenter: "dc1".to_owned(),
        node_pool: "default".to_owned(),
        status: NodeStatus::Ready,
        ..Node::default()
    };
    let command = Command::RegisterNode {
        node: Box::new(node),
        create_pool: true,
        evals: Vec::new(),
        now: clock::now(),
    };
    propose(&server.shared, command).await;
    server
}

/// Puts a command through the log.
pub(crate) async fn propose(shared: &Shared, command: Command) {
    shared.proposer.propose(&command).await.unwrap();
}

/// Registers a job for every node, which nobody looks at yet.
pub(crate) async fn register_system_job(shared: &Shared) -> Arc<Job> {
    let job = Arc::new(Job {
        id: "everywhere".into(),
        namespace: "default".into(),
        r#type: job_type::SYSTEM.to_owned(),
        datacenters: vec!["*".to_owned()],
        node_pool: "default".to_owned(),
        ..Job::default()
    });
    let command = Command::RegisterJob {
        job: Arc::clone(&job),
        submission: None,
        eval: None,
        policy_ids: Vec::new(),
        now: clock::now(),
    };
    propose(shared, command).await;
    job
}

/// The jobs that are to be looked at.
pub(crate) fn looked_at(shared: &Shared) -> Vec<String> {
    let state = shared.store.snapshot();
    let open = state.evals().filter(|eval| !eval.is_terminal());
    open.map(|eval| eval.job_id.to_string()).collect()
}

/// A request about the node, from somebody who has seen the state of now.
pub(crate) fn request(shared: &Arc<Shared>, op: Op, body: serde_json::Value) -> Call {
    let mut request = ApiRequest::internal(op);
    request.params.0.push(("id".into(), NODE.to_string()));
    request.body = body.to_string().into();
    let state = shared.store.snapshot();
    let caller = Caller::of(shared, &state, &request, clock::now()).unwrap();
    Call {
        shared: Arc::clone(shared),
        state,
        request,
        caller: Arc::new(caller),
    }
}
