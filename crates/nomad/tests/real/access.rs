//! Access control on a real agent: each namespace is seen, changed and listened to by those alone who have a rule on it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Agent, PATIENCE, no_agent, shell_job, skipped, until};

/// Asks with a token; the status, and the body as JSON or as text.
fn ask(agent: &Agent, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut stream = TcpStream::connect(("127.0.0.1", agent.ports[0])).expect("the agent listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nX-Nomad-Token: {token}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status");
    (
        status,
        serde_json::from_str(body).unwrap_or_else(|_| body.into()),
    )
}

/// A token with one policy of these rules.
fn token(agent: &Agent, root: &str, name: &str, rules: &str) -> String {
    let policy = json!({"Name": name, "Rules": rules});
    let (status, body) = ask(
        agent,
        root,
        "PUT",
        &format!("/v1/acl/policy/{name}"),
        &policy,
    );
    assert_eq!(status, 200, "{body}");
    let wanted = json!({"Name": name, "Type": "client", "Policies": [name]});
    let (status, body) = ask(agent, root, "PUT", "/v1/acl/token", &wanted);
    assert_eq!(status, 200, "{body}");
    body["SecretID"].as_str().expect("a secret").to_owned()
}

/// An agent with access control that is ready, and its first token.
fn bootstrapped() -> (Agent, String) {
    let mut agent = Agent::prepare("acl { enabled = true }");
    agent.launch();
    let root = until("access control can be bootstrapped", || {
        TcpStream::connect(("127.0.0.1", agent.ports[0])).ok()?;
        let (status, body) = ask(&agent, "", "PUT", "/v1/acl/bootstrap", &Value::Null);
        (status == 200).then(|| body["SecretID"].as_str().expect("a secret").to_owned())
    });
    until("the node is ready", || {
        let (_, nodes) = ask(&agent, &root, "GET", "/v1/nodes", &Value::Null);
        (nodes[0]["Status"] == "ready").then_some(())
    });
    (agent, root)
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["ID"].as_str())
        .collect()
}

#[test]
fn each_namespace_is_for_those_who_have_a_rule_on_it() {
    if skipped(
        "each_namespace_is_for_those_who_have_a_rule_on_it",
        no_agent(),
    ) {
        return;
    }
    let (agent, root) = bootstrapped();
    let (status, body) = ask(
        &agent,
        &root,
        "PUT",
        "/v1/namespace/prod",
        &json!({"Name": "prod"}),
    );
    assert_eq!(status, 200, "{body}");
    let job = |namespace: &str| {
        let mut job = shell_job("web", "service", 1, "sleep 600");
        job["Namespace"] = namespace.into();
        json!({"Job": job})
    };
    for namespace in ["default", "prod"] {
        let (status, body) = ask(&agent, &root, "PUT", "/v1/jobs", &job(namespace));
        assert_eq!(status, 200, "{body}");
    }
    let alloc = until("prod's job has an allocation", || {
        let (_, allocs) = ask(
            &agent,
            &root,
            "GET",
            "/v1/job/web/allocations?namespace=prod",
            &Value::Null,
        );
        allocs[0]["ID"].as_str().map(str::to_owned)
    });
    let default = token(
        &agent,
        &root,
        "default-write",
        "namespace \"default\" { policy = \"write\" }",
    );
    let prod = token(
        &agent,
        &root,
        "prod-read",
        "namespace \"prod\" { policy = \"read\" }",
    );
    let get = |token: &str, path: &str| ask(&agent, token, "GET", path, &Value::Null);

    // Lists of all namespaces hold what may be seen.
    let (_, jobs) = get(&default, "/v1/jobs?namespace=*");
    assert_eq!(jobs.as_array().map(Vec::len), Some(1), "{jobs}");
    assert_eq!(jobs[0]["Namespace"], "default");
    let (_, allocs) = get(&default, "/v1/allocations?namespace=*");
    assert!(!ids(&allocs).contains(&alloc.as_str()), "{allocs}");
    assert_eq!(get("", "/v1/jobs?namespace=*").0, 403);

    // An id does not open a namespace, and needs no namespace to be named.
    assert_eq!(get(&default, &format!("/v1/allocation/{alloc}")).0, 500);
    assert_eq!(get(&prod, &format!("/v1/allocation/{alloc}")).0, 200);
    assert_eq!(get(&default, &format!("/v1/client/fs/ls/{alloc}")).0, 403);
    let stop = format!("/v1/allocation/{alloc}/stop");
    assert_eq!(ask(&agent, &default, "PUT", &stop, &Value::Null).0, 403);
    assert_eq!(ask(&agent, &prod, "PUT", &stop, &Value::Null).0, 403);

    // The namespace in a body counts as much as that of the request.
    assert_eq!(
        ask(&agent, &default, "PUT", "/v1/jobs", &job("prod")).0,
        403
    );
    assert_eq!(
        ask(&agent, &default, "PUT", "/v1/jobs", &job("default")).0,
        200
    );
    let variable = json!({"Namespace": "prod", "Items": {"a": "b"}});
    assert_eq!(ask(&agent, &default, "PUT", "/v1/var/x", &variable).0, 403);
    let picked = json!({"Jobs": [{"Namespace": "prod", "ID": "web"}]});
    let (_, seen) = ask(&agent, &default, "POST", "/v1/jobs/statuses", &picked);
    assert_eq!(ids(&seen), Vec::<&str>::new());

    // A token that is deleted is worth nothing at once.
    let (_, own) = get(&prod, "/v1/acl/token/self");
    let accessor = own["AccessorID"].as_str().expect("an accessor");
    assert_eq!(
        ask(
            &agent,
            &root,
            "DELETE",
            &format!("/v1/acl/token/{accessor}"),
            &Value::Null
        )
        .0,
        200
    );
    assert_eq!(get(&prod, "/v1/jobs?namespace=prod").0, 403);
}

/// What a policy of a job lets it read, of other namespaces too, its templates read; those of other jobs wait for ever.
#[test]
fn templates_read_what_policies_of_their_job_allow() {
    if skipped(
        "templates_read_what_policies_of_their_job_allow",
        no_agent(),
    ) {
        return;
    }
    let (agent, root) = bootstrapped();
    let put = |path: &str, body: &Value| {
        let (status, answer) = ask(&agent, &root, "PUT", path, body);
        assert_eq!(status, 200, "{path}: {answer}");
    };
    put("/v1/namespace/prod", &json!({"Name": "prod"}));
    put("/v1/var/shared/db", &json!({"Items": {"host": "db1"}}));
    put("/v1/var/hidden", &json!({"Items": {"x": "y"}}));
    put(
        "/v1/var/x?namespace=prod",
        &json!({"Items": {"of": "prod"}}),
    );
    let rules = "namespace \"default\" { variables { path \"shared/*\" { capabilities = [\"read\", \"list\"] } } } \
        namespace \"prod\" { variables { path \"x\" { capabilities = [\"read\"] } } }";
    put(
        "/v1/acl/policy/of-reader",
        &json!({"Name": "of-reader", "Rules": rules, "JobACL": {"Namespace": "default", "JobID": "reader"}}),
    );
    let text = "{{ with nomadVar \"shared/db\" }}{{ .host.Value }} {{ .Metadata.Path }}{{ end }} \
        {{ with nomadVar \"x@prod\" }}{{ .of }} {{ .Metadata.Namespace }}{{ end }} {{ range nomadVarList }}<{{ . }}>{{ end }}";
    for name in ["reader", "other"] {
        let mut job = shell_job(name, "batch", 1, "cat local/out; sleep 600");
        job["TaskGroups"][0]["Tasks"][0]["Templates"] =
            json!([{"EmbeddedTmpl": text, "DestPath": "local/out"}]);
        put("/v1/jobs", &json!({"Job": job}));
    }
    let get = |path: &str| ask(&agent, &root, "GET", path, &Value::Null).1;
    let alloc = until("the reader runs", || {
        let found = get("/v1/job/reader/allocations");
        (found[0]["ClientStatus"] == "running").then(|| found[0]["ID"].clone())
    });
    let logs = format!(
        "/v1/client/fs/logs/{}?task=t&type=stdout&plain=true",
        alloc.as_str().expect("an id")
    );
    until("it says what it read", || {
        (get(&logs) == "db1 shared/db prod prod <shared/db>").then_some(())
    });
    until("the other waits", || {
        let found = get("/v1/job/other/allocations").to_string();
        found
            .contains("Missing: nomad.var.block(shared/db@default.global), nomad.var.block(x@prod.global)")
            .then_some(())
    });
}
