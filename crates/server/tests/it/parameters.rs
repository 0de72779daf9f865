//! A parameter that cannot be read is said before anything is done, or looked for.

use crate::support::{register, service, start};
use caravan_http::{Api, ApiError, ApiRequest, Body, Op};
use caravan_server::{Server, ServerConfig};
use serde_json::Value;

async fn refused(server: &Server, op: Op, id: &str, name: &str) -> ApiError {
    let mut request = ApiRequest::internal(op);
    request.params.0.push(("id".into(), id.into()));
    request.query.set(name, "maybe");
    server.api().call(request).await.expect_err("refused")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_not_stopped_and_an_allocation_not_looked_for() {
    let server = start(ServerConfig::default()).await;
    register(&server, service("web", 1), None).await;

    let why = |name: &str| {
        format!(
            "Failed to parse value of \"{name}\" (maybe) as a bool: strconv.ParseBool: parsing \"maybe\": invalid syntax"
        )
    };
    for name in ["purge", "global", "no_shutdown_delay"] {
        let error = refused(&server, Op::JobDeregister, "web", name).await;
        assert_eq!((error.status, error.message), (500, why(name)));
    }
    let mut request = ApiRequest::internal(Op::JobRead);
    request.params.0.push(("id".into(), "web".into()));
    let answer = server.api().call(request).await.expect("still there");
    let Body::Bytes(job) = answer.body else {
        panic!("a job is one text")
    };
    let job: Value = serde_json::from_slice(&job).unwrap();
    assert_eq!(job["Stop"], false);

    let nobody = "00000000-0000-0000-0000-000000000000";
    for name in ["reschedule", "no_shutdown_delay"] {
        let error = refused(&server, Op::AllocationStop, nobody, name).await;
        assert_eq!((error.status, error.message), (500, why(name)));
    }
}
