//! What only a dispatch gives a job, nobody can register.

use crate::support::start;
use caravan_http::{Api, ApiRequest, Op};
use caravan_server::{Server, ServerConfig};
use serde_json::{Value, json};

async fn refused(server: &Server, op: Op, job: &Value) -> String {
    let mut request = ApiRequest::internal(op);
    request.body = json!({ "Job": job }).to_string().into();
    let error = server.api().call(request).await.expect_err("refused");
    assert_eq!(error.status, 500);
    error.message
}

fn job() -> Value {
    json!({
        "ID": "b", "Name": "b", "Type": "batch",
        "TaskGroups": [{ "Name": "g", "Tasks": [{ "Name": "t", "Driver": "raw_exec" }] }],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_come_without_payload_and_not_as_dispatched() {
    let server = start(ServerConfig::default()).await;
    let mut with_payload = job();
    with_payload["Payload"] = json!("aGk=");
    let why = refused(&server, Op::JobRegister, &with_payload).await;
    assert!(
        why.contains("job can't be submitted with a payload, only dispatched"),
        "{why}"
    );
    let mut dispatched = job();
    dispatched["Dispatched"] = json!(true);
    let why = refused(&server, Op::JobRegister, &dispatched).await;
    assert_eq!(why, "job can't be submitted with 'Dispatched' set");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_be_completed_is_not_judged() {
    let server = start(ServerConfig::default()).await;
    let mut native = job();
    native["TaskGroups"][0]["Services"] = json!([
        { "Name": "a", "TaskName": "ghost", "Connect": { "Native": true } },
    ]);
    for op in [Op::JobRegister, Op::JobValidate] {
        let why = refused(&server, op, &native).await;
        assert_eq!(
            why,
            "error in job mutator connect: native task named by g->a does not exist"
        );
    }
}
