//! Consul and Vault beside a node, each played by a small HTTP server: the examples that use them do what they say.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::{Agent, no_agent, skipped, until};

/// Method, path and body of each request.
type Requests = Arc<Mutex<Vec<(String, String, String)>>>;

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name)
        .display()
        .to_string()
}

/// What the Consul agent beside a node says of itself.
pub(crate) fn consul_itself() -> Value {
    json!({"Config": {"Version": "1.20.0", "Datacenter": "dc1", "NodeName": "n1", "Server": true}, "DebugConfig": {}})
}

/// Answers at each path what is said of it, with an empty object elsewhere; where, and what it was asked.
fn neighbour(pages: Vec<(&'static str, Value)>) -> (String, Requests) {
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    let address = serve(move |method, path, body| {
        let bare = path.split('?').next().unwrap_or_default();
        let page = pages.iter().find(|(place, _)| *place == bare);
        let request = (method.to_owned(), path.to_owned(), body.to_owned());
        seen.lock().expect("whole").push(request);
        page.map_or_else(|| json!({}), |(_, page)| page.clone())
    });
    (address, requests)
}

/// Answers each request with what is made of its method, path and body; where.
pub(crate) fn serve(page: impl Fn(&str, &str, &str) -> Value + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        let page = Arc::new(page);
        for stream in listener.incoming().flatten() {
            let page = Arc::clone(&page);
            std::thread::spawn(move || while answer(&stream, &*page).is_some() {});
        }
    });
    address
}

fn answer(mut stream: &TcpStream, page: &dyn Fn(&str, &str, &str) -> Value) -> Option<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        (stream.read(&mut byte).ok()? == 1).then(|| head.push(byte[0]))?;
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head
        .to_lowercase()
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let page = page(method, path, &String::from_utf8_lossy(&body)).to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
    stream.write_all(format!("{head}{page}").as_bytes()).ok()
}

/// The body of the first such request.
fn told(requests: &Requests, method: &str, path: &str) -> Option<String> {
    let all = requests.lock().expect("whole");
    let found = all
        .iter()
        .find(|(verb, place, _)| verb == method && place.starts_with(path));
    found.map(|(_, _, body)| body.clone())
}

fn running(agent: &Agent, job: &str) -> String {
    agent.ok(&["job", "run", "-detach", &example(&format!("{job}.nomad"))]);
    let alloc = agent.until_allocations(job, "running", 1).remove(0);
    alloc["ID"].as_str().expect("an id").to_owned()
}

#[test]
fn a_service_in_consul() {
    if skipped("a_service_in_consul", no_agent()) {
        return;
    }
    let (address, requests) = neighbour(vec![
        ("/v1/agent/self", consul_itself()),
        (
            "/v1/kv/app/greeting",
            json!([{"Key": "app/greeting", "Value": "aGVsbG8="}]),
        ),
        (
            "/v1/health/service/db",
            json!([{"Node": {"Node": "n2", "Address": "10.0.0.2"}, "Service": {"ID": "db", "Service": "db", "Port": 5432}, "Checks": []}]),
        ),
        (
            "/v1/catalog/node/n1",
            json!({"Node": {"Node": "n1", "Address": "10.0.0.1"}, "Services": {}}),
        ),
    ]);
    let agent = Agent::start(&format!("consul {{ address = \"{address}\" }}"));
    let id = running(&agent, "consul");
    until("the file made of what Consul knows", || {
        let said = agent.ok(&["alloc", "logs", &id]);
        (said.trim() == "hello db=10.0.0.2:5432 on n1").then_some(())
    });
    let body = until("the registration", || {
        told(&requests, "PUT", "/v1/agent/service/register").filter(|body| body.contains("\"web\""))
    });
    let service: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        (&service["Name"], &service["Tags"]),
        (&json!("web"), &json!(["example"]))
    );
    let kinds: Vec<Vec<&str>> = service["Checks"]
        .as_array()
        .expect("checks")
        .iter()
        .map(|check| {
            let kinds = ["HTTP", "TCP", "GRPC", "TTL"];
            kinds
                .into_iter()
                .filter(|kind| check[*kind].is_string())
                .collect()
        })
        .collect();
    assert_eq!(kinds, [["HTTP"], ["TCP"], ["GRPC"], ["TTL"]], "{service}");
    let result = until("the result of the script", || {
        told(&requests, "PUT", "/v1/agent/check/update/")
    });
    let result: Value = serde_json::from_str(&result).expect("JSON");
    assert_eq!(result["Status"], "passing");
    agent.ok(&["job", "stop", "-purge", "-detach", "consul"]);
    until("the withdrawal", || {
        told(
            &requests,
            "PUT",
            "/v1/agent/service/deregister/_nomad-task-",
        )
    });
}

#[test]
fn secrets_of_vault() {
    if skipped("secrets_of_vault", no_agent()) {
        return;
    }
    let token =
        json!({"auth": {"client_token": "of-vault", "lease_duration": 3600, "renewable": true}});
    let (address, requests) = neighbour(vec![
        (
            "/v1/sys/health",
            json!({"initialized": true, "sealed": false, "version": "1.18.0", "cluster_name": "v"}),
        ),
        ("/v1/auth/jwt-nomad/login", token.clone()),
        ("/v1/auth/token/renew-self", token),
        (
            "/v1/database/creds/app",
            json!({"lease_id": "l", "lease_duration": 3600, "renewable": true, "data": {"username": "u", "password": "p"}}),
        ),
        (
            "/v1/pki/issue/app",
            json!({"data": {"certificate": "CERT", "private_key": "KEY", "issuing_ca": "CA", "expiration": 32_503_680_000_i64}}),
        ),
    ]);
    let mut agent = Agent::start(&format!(
        "vault {{ enabled = true\naddress = \"http://{address}\"\ndefault_identity {{ aud = [\"vault.io\"]\nttl = \"1h\" }} }}"
    ));
    let id = running(&agent, "vault");
    let expected = "token of-vault\nu:pCERTKEYCA\n";
    until("what Vault gave", || {
        (agent.ok(&["alloc", "logs", &id]) == expected).then_some(())
    });
    let login: Value = told(&requests, "POST", "/v1/auth/jwt-nomad/login")
        .and_then(|body| serde_json::from_str(&body).ok())
        .expect("a login");
    assert_eq!(login["role"], "app");
    assert_eq!(
        login["jwt"].as_str().map(|jwt| jwt.split('.').count()),
        Some(3)
    );
    let issued = told(&requests, "PUT", "/v1/pki/issue/app").expect("asked");
    assert!(issued.contains("app.example.org"), "{issued}");
    // An agent that starts anew goes on with what the task has.
    agent.kill();
    agent.launch();
    agent.wait_ready();
    until("the token is renewed", || {
        told(&requests, "PUT", "/v1/auth/token/renew-self")
    });
    let alloc = agent.until_allocations("vault", "running", 1).remove(0);
    assert_eq!(alloc["TaskStates"]["use"]["Restarts"], 0);
    let count = |wanted: &str| {
        let all = requests.lock().expect("whole");
        all.iter().filter(|(_, path, _)| path == wanted).count()
    };
    for path in [
        "/v1/database/creds/app",
        "/v1/pki/issue/app",
        "/v1/auth/jwt-nomad/login",
    ] {
        assert_eq!(count(path), 1, "{path}");
    }
    agent.ok(&["job", "stop", "-purge", "-detach", "vault"]);
}
