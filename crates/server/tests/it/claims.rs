//! Claims on sticky volumes are shown to, and forgotten by, those who may do so in the claim's own namespace.

use crate::support::{NOW, node, propose, register, service, start};
use caravan_http::{Api, ApiRequest, Body, Op};
use caravan_model::*;
use caravan_server::{Server, ServerConfig};
use caravan_state::{Command, PlanApply};
use std::sync::Arc;

const VOLUME: &str = "7e6dfa8f-3d2c-4c5e-9b3a-2f1f0a0b5c6d";

/// A server with a claim of a job in the namespace `default`.
async fn with_claim() -> (Server, Arc<TaskGroupHostVolumeClaim>) {
    let server = start(ServerConfig {
        acl_enabled: true,
        ..ServerConfig::default()
    })
    .await;
    let mut node = node(1);
    let info = HostVolumeInfo {
        id: VOLUME.to_owned(),
        ..HostVolumeInfo::default()
    };
    node.host_volumes.insert("data".to_owned(), info);
    let node_id = node.id;
    let nodes = server.node_service();
    nodes.register(node).await.expect("the node registers");

    let mut job = service("web", 1);
    let volume = VolumeRequest {
        r#type: "host".to_owned(),
        source: "data".to_owned(),
        sticky: true,
        ..VolumeRequest::default()
    };
    job.task_groups[0].volumes.insert("data".to_owned(), volume);
    register(&server, job.clone(), None).await;
    let alloc = Allocation {
        id: AllocId::from_u128(1),
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        task_group: "g".to_owned(),
        node_id,
        job: Some(Arc::new(job)),
        ..Allocation::default()
    };
    let plan = PlanApply {
        allocs: vec![alloc],
        now: NOW,
        ..PlanApply::default()
    };
    propose(&server, Command::ApplyPlan(Box::new(plan))).await;
    let claim = server.store().snapshot().volume_claims().next().cloned();
    (server, claim.expect("a claim"))
}

/// A token that may read and delete host volumes in one namespace.
async fn token_for(server: &Server, namespace: &str) -> String {
    let policy = AclPolicy {
        name: namespace.to_owned(),
        rules: format!(
            "namespace \"{namespace}\" {{ capabilities = [\"host-volume-read\", \"host-volume-delete\"] }}"
        ),
        ..AclPolicy::default()
    };
    let policies = vec![policy];
    propose(server, Command::UpsertAclPolicies { policies }).await;
    let token = AclToken {
        accessor_id: format!("accessor-{namespace}"),
        secret_id: format!("secret-{namespace}"),
        r#type: "client".to_owned(),
        policies: Some(vec![namespace.to_owned()]),
        ..AclToken::default()
    };
    let (tokens, secret) = (vec![token.clone()], token.secret_id);
    propose(server, Command::UpsertAclTokens { tokens }).await;
    secret
}

fn request(op: Op, namespace: &str, token: &str) -> ApiRequest {
    let mut request = ApiRequest::internal(op);
    request.options.namespace = Some(namespace.to_owned());
    request.token = Some(token.to_owned());
    request
}

async fn shown(server: &Server, namespace: &str, token: &str) -> Vec<serde_json::Value> {
    let list = request(Op::VolumeClaimList, namespace, token);
    match server.api().call(list).await.expect("a list").body {
        Body::Bytes(bytes) => serde_json::from_slice(&bytes).expect("JSON"),
        other => panic!("no list: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_its_namespaces() {
    let (server, claim) = with_claim().await;
    let (own, other) = (
        token_for(&server, "default").await,
        token_for(&server, "other").await,
    );
    assert_eq!(shown(&server, "*", &other).await.len(), 0);
    assert_eq!(shown(&server, "*", &own).await.len(), 1);
    let delete = |namespace: &str, token: &str| {
        let mut delete = request(Op::VolumeClaimDelete, namespace, token);
        delete.params.0.push(("id".into(), claim.id.clone()));
        delete
    };
    let api = server.api();

    let refused = api
        .call(delete("other", &other))
        .await
        .expect_err("refused");
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(shown(&server, "default", &own).await.len(), 1);

    let deleted = api.call(delete("default", &own)).await.expect("deleted");
    assert!(matches!(deleted.body, Body::Empty), "{:?}", deleted.body);
    assert_eq!(shown(&server, "default", &own).await.len(), 0);
}
