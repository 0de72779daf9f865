//! A group is scaled only from the state that its user has seen, and never beyond what a job may have.

use crate::support::{NOW, node, propose, register, service, start};
use caravan_http::{Answer, Api, ApiError, ApiRequest, Body, Op};
use caravan_model::*;
use caravan_server::{Server, ServerConfig};
use caravan_state::{Command, PlanApply};
use serde_json::{Value, json};
use std::sync::Arc;

fn of_web(op: Op) -> ApiRequest {
    let mut request = ApiRequest::internal(op);
    request.params.0.push(("id".into(), "web".into()));
    request
}

async fn scale(server: &Server, count: i64, index: u64) -> Result<Answer, ApiError> {
    let mut request = of_web(Op::JobScale);
    let body = json!({"Count": count, "Target": {"Group": "g"}, "JobModifyIndex": index});
    request.body = body.to_string().into();
    server.api().call(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_somebody_changed_is_not_scaled() {
    let config = ServerConfig {
        job_max_count: 5,
        ..ServerConfig::default()
    };
    let server = start(config).await;
    let index = register(&server, service("web", 1), None).await;

    let refused = scale(&server, 2, index + 7).await.expect_err("refused");
    let wanted = index + 7;
    assert_eq!(
        refused.message,
        format!(
            "Enforcing job modify index {wanted}: job exists with conflicting job modify index: {index}"
        )
    );
    let refused = scale(&server, 6, index).await.expect_err("too many");
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.message,
        "total count was greater than configured job_max_count: 6 > 5"
    );
    scale(&server, 2, index).await.expect("scaled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_still_runs_counts() {
    let server = start(ServerConfig::default()).await;
    let nodes = server.node_service();
    nodes.register(node(1)).await.expect("the node registers");
    let job = service("web", 2);
    register(&server, job.clone(), None).await;
    let alloc = |number: u128, canary: bool, client_status: ClientStatus| Allocation {
        id: AllocId::from_u128(number),
        namespace: job.namespace.clone(),
        job_id: job.id.clone(),
        task_group: "g".to_owned(),
        node_id: node(1).id,
        client_status,
        deployment_status: Some(AllocDeploymentStatus {
            healthy: Some(true),
            canary,
            ..AllocDeploymentStatus::default()
        }),
        job: Some(Arc::new(job.clone())),
        ..Allocation::default()
    };
    let plan = PlanApply {
        allocs: vec![
            alloc(1, false, ClientStatus::Running),
            alloc(2, false, ClientStatus::Complete),
            alloc(3, true, ClientStatus::Running),
        ],
        now: NOW,
        ..PlanApply::default()
    };
    propose(&server, Command::ApplyPlan(Box::new(plan))).await;

    let answer = server.api().call(of_web(Op::JobScaleStatus)).await;
    let Body::Bytes(bytes) = answer.expect("a status").body else {
        panic!("no status");
    };
    let status: Value = serde_json::from_slice(&bytes).expect("JSON");
    let group = &status["TaskGroups"]["g"];
    assert_eq!(group["Placed"], 1, "{status}");
    assert_eq!(group["Running"], 1, "{status}");
    assert_eq!(group["Healthy"], 1, "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_on_every_node_has_no_scaling() {
    let server = start(ServerConfig::default()).await;
    let group = json!({"Name": "g", "Scaling": {"Min": 0, "Max": 1, "Enabled": true}});
    let mut request = ApiRequest::internal(Op::JobRegister);
    let body = json!({"Job": {"ID": "web", "Type": "system", "TaskGroups": [group]}});
    request.body = body.to_string().into();
    let refused = server.api().call(request).await.expect_err("refused");
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.message,
        "Task groups with job type system do not support scaling blocks"
    );
}
