//! Checks of the health service of gRPC: Consul runs them, which the test plays, against a server that the test is.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::checks::checks;
use crate::neighbours::{consul_itself, serve};
use crate::support::{Agent, no_agent, shell_job, skipped, until};

const SECOND: i64 = 1_000_000_000;
const METHOD: &str = "/grpc.health.v1.Health/Check";
const NOT_FOUND: u32 = 5;

/// Whether each service is well; the empty name is the server as a whole.
type Services = Arc<Mutex<BTreeMap<String, bool>>>;

/// A message as gRPC sends it: uncompressed, with its length.
fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).expect("small").to_be_bytes();
    [[0].as_slice(), &length, message].concat().into()
}

/// The name in a `HealthCheckRequest`, whose only field is that.
fn name_in(request: &[u8]) -> String {
    let message = request.get(5..).unwrap_or_default();
    String::from_utf8_lossy(message.get(2..).unwrap_or_default()).into_owned()
}

async fn answer(
    services: Services,
    request: Request<Incoming>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    assert_eq!(request.uri().path(), METHOD);
    let body = request.into_body().collect().await.expect("a body");
    let name = name_in(&body.to_bytes());
    let well = services.lock().expect("whole").get(&name).copied();
    let mut trailers = HeaderMap::new();
    let code = if well.is_some() { 0 } else { NOT_FOUND };
    trailers.insert("grpc-status", code.into());
    // SERVING or NOT_SERVING.
    let message = well.map(|well| Frame::data(framed(&[8, if well { 1 } else { 2 }])));
    let frames = message.into_iter().chain([Frame::trailers(trailers)]);
    let mut response = Response::new(StreamBody::new(stream::iter(frames.map(Ok))));
    let kind = hyper::header::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", kind);
    Ok(response)
}

/// A health server; its port.
async fn health_server(services: Services) -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let services = Arc::clone(&services);
            let service =
                hyper::service::service_fn(move |request| answer(Arc::clone(&services), request));
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    port
}

/// Asks as Consul does. The place is `host:port`, or `host:port/service`. What is wrong with it, if it is not well.
async fn probe(place: &str) -> Result<(), String> {
    let (address, name) = place.split_once('/').unwrap_or((place, ""));
    let text = |error: &dyn std::error::Error| error.to_string();
    let stream = TcpStream::connect(address).await.map_err(|e| text(&e))?;
    let io = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
        .await
        .map_err(|e| text(&e))?;
    tokio::spawn(connection);
    let length = u8::try_from(name.len()).expect("short");
    let field = [&[10, length], name.as_bytes()].concat();
    let message = if name.is_empty() {
        &[]
    } else {
        field.as_slice()
    };
    let request = Request::post(format!("http://{address}{METHOD}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(framed(message)))
        .expect("a request");
    let response = sender.send_request(request).await.map_err(|e| text(&e))?;
    let body = response.into_body().collect().await.map_err(|e| text(&e))?;
    let status = body.trailers().and_then(|all| all.get("grpc-status"));
    let status = status.map_or(String::new(), |status| {
        String::from_utf8_lossy(status.as_bytes()).into_owned()
    });
    match (status.as_str(), body.to_bytes().get(5..)) {
        ("0", Some([8, 1])) => Ok(()),
        ("0", _) => Err(format!("gRPC {place}: NOT_SERVING")),
        _ => Err(format!("gRPC {place}: status {status}")),
    }
}

/// A Consul agent that runs the checks it is told of whenever it is asked how they stand; where.
fn consul(runtime: tokio::runtime::Handle) -> String {
    let told: Mutex<BTreeMap<String, Value>> = Mutex::default();
    serve(move |_, path, body| {
        let mut told = told.lock().expect("whole");
        let bare = path.split('?').next().unwrap_or_default();
        match bare.rsplit_once('/') {
            Some((_, "self")) => return consul_itself(),
            Some((_, "register")) => {
                let service: Value = serde_json::from_str(body).expect("JSON");
                told.insert(service["ID"].as_str().expect("an id").to_owned(), service);
            }
            Some(("/v1/agent/service/deregister", id)) => {
                told.remove(id);
            }
            Some((_, "checks")) => {
                let all = told
                    .values()
                    .flat_map(|service| service["Checks"].as_array());
                let stand = all.flatten().map(|check| {
                    let found = runtime.block_on(probe(check["GRPC"].as_str().expect("a place")));
                    let status = if found.is_ok() { "passing" } else { "critical" };
                    let output = found.err().unwrap_or_default();
                    let id = check["CheckID"].as_str().expect("an id");
                    (
                        id.to_owned(),
                        json!({"CheckID": id, "Status": status, "Output": output}),
                    )
                });
                return Value::Object(stand.collect());
            }
            _ => {}
        }
        json!({})
    })
}

#[test]
fn grpc_checks_decide() {
    if skipped("grpc_checks_decide", no_agent()) {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let services: Services = Arc::default();
    let set = |name: &str, well: bool| {
        services
            .lock()
            .expect("whole")
            .insert(name.to_owned(), well);
    };
    set("", false);
    set("shop-0", true);
    let port = runtime.block_on(health_server(Arc::clone(&services)));
    let address = consul(runtime.handle().clone());
    let agent = Agent::start(&format!("consul {{ address = \"{address}\" }}"));
    let mut job = shell_job("rpc", "service", 1, "exec sleep 3600");
    job["Update"] = json!({"MinHealthyTime": SECOND, "HealthyDeadline": 60 * SECOND, "MaxParallel": 1,
        "HealthCheck": "checks", "ProgressDeadline": 120 * SECOND});
    let group = &mut job["TaskGroups"][0];
    group["RestartPolicy"]["Attempts"] = json!(20);
    group["Networks"] = json!([{"ReservedPorts": [{"Label": "rpc", "Value": port}]}]);
    let check = |name: &str, service: &str| json!({"Name": name, "Type": "grpc", "GRPCService": service, "TaskName": "t", "Interval": SECOND, "Timeout": SECOND});
    let mut one = check("one", "shop-${NOMAD_ALLOC_INDEX}");
    one["CheckRestart"] = json!({"Limit": 1, "Grace": 2 * SECOND});
    group["Services"] = json!([{"Name": "rpc", "Provider": "consul", "PortLabel": "rpc", "Checks": [check("whole", ""), one]}]);
    agent.register(&job).expect("registered");
    let alloc = agent.until_allocations("rpc", "running", 1).remove(0);
    let alloc = alloc["ID"].as_str().expect("an id").to_owned();
    let stand = |whole: &str, one: &str| {
        until(&format!("whole: {whole}, one: {one}"), || {
            let found = checks(&agent, &alloc)?;
            let is = |name: &str, status: &str| found.get(name).is_some_and(|it| it.0 == status);
            let said = found.values().map(|(_, said)| said.as_str());
            (is("whole", whole) && is("one", one)).then(|| said.collect::<String>())
        })
    };
    let said = stand("failure", "success");
    assert!(said.ends_with(&format!(":{port}: NOT_SERVING")), "{said}");
    let healthy = || {
        let alloc = agent.get(&format!("/v1/allocation/{alloc}")).ok()?;
        alloc["DeploymentStatus"]["Healthy"].as_bool()
    };
    assert_eq!(
        healthy(),
        None,
        "one that fails keeps the deployment waiting"
    );
    set("", true);
    stand("success", "success");
    until("it is healthy", || healthy().filter(|healthy| *healthy));
    // A server that no longer knows one of its services, and then does again.
    services.lock().expect("whole").remove("shop-0");
    let said = stand("success", "failure");
    assert!(said.ends_with("/shop-0: status 5"), "{said}");
    until("its task is restarted for it", || {
        let alloc = agent.get(&format!("/v1/allocation/{alloc}")).ok()?;
        let events = alloc["TaskStates"]["t"]["Events"].to_string();
        events
            .contains(r#"healthcheck: check \"one\" unhealthy"#)
            .then_some(())
    });
    set("shop-0", true);
    stand("success", "success");
    agent.ok(&["job", "stop", "-purge", "-detach", "rpc"]);
}
