//! Services, script checks and keys of a Consul agent, against one that only remembers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use caravan_client::{Client, ConsulConfig};
use caravan_model::{ClientStatus, Duration, Service, ServiceCheck, Template};
use serde_json::Value;

use crate::support::{
    Servers, alloc, client_with, folder, id, is, logs, own, shell, until, until_logs,
};

/// Method, path, body and token of each request.
type Requests = Arc<Mutex<Vec<(String, String, String, String)>>>;

/// Remembers what it is told, and has one key.
fn consul() -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || answer(stream, &seen));
        }
    });
    (address, requests)
}

fn answer(mut stream: TcpStream, seen: &Requests) {
    loop {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let length = head
            .to_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        if stream.read_exact(&mut body).is_err() {
            return;
        }
        let mut words = head.split(' ').map(str::to_owned);
        let (method, path) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let namespace = head
            .lines()
            .find_map(|line| line.strip_prefix("x-vault-namespace: "));
        let in_namespace = |text: &str| text.replace("NAMESPACE", namespace.unwrap_or_default());
        let listed = in_namespace(r#"{"data":{"keys":["a","b/","NAMESPACE"]}}"#);
        let secret = in_namespace(r#"{"data":{"namespace":"NAMESPACE"}}"#);
        let credentials;
        let answer = match path.split('?').next().unwrap_or_default() {
            "/v1/kv/greeting" => r#"[{"Key":"greeting","Value":"aGVsbG8gZnJvbSBjb25zdWw="}]"#,
            "/v1/agent/self" => {
                r#"{"Config":{"Version":"1.18.0","Datacenter":"dc1","NodeName":"c1","Server":true},"DebugConfig":{}}"#
            }
            "/v1/catalog/datacenters" => r#"["dc1","dc2"]"#,
            "/v1/team/" | "/v1/team" => &listed,
            "/v1/kv/db" => &secret,
            // A store of the second version: what is in it is one place further.
            "/v1/sys/internal/ui/mounts/two/db" => {
                r#"{"data":{"path":"two/","options":{"version":"2"}}}"#
            }
            "/v1/two/data/db" => r#"{"data":{"data":{"user":"ada"}}}"#,
            "/v1/database/creds/web" => {
                let made = seen.lock().unwrap();
                let before = made.iter().filter(|(_, place, ..)| place == &path).count();
                credentials = format!(
                    r#"{{"lease_id":"l{before}","lease_duration":3600,"renewable":true,"data":{{"password":"p{before}"}}}}"#
                );
                &credentials
            }
            "/v1/auth/token/renew-self" => {
                r#"{"auth":{"client_token":"token-of-vault","lease_duration":3600}}"#
            }
            "/v1/acl/login" => r#"{"SecretID":"token-of-consul"}"#,
            "/v1/auth/jwt-nomad/login" => {
                r#"{"auth":{"client_token":"token-of-vault","lease_duration":3600}}"#
            }
            _ => "{}",
        };
        let body = String::from_utf8_lossy(&body).into_owned();
        let token = head
            .lines()
            .find_map(|line| line.strip_prefix("x-consul-token: "));
        let mut seen = seen.lock().unwrap();
        let logins = seen
            .iter()
            .filter(|(_, place, ..)| place == "/v1/acl/login");
        // The first token of this service is refused.
        let refused = body.contains("\"Name\":\"refused\"") && logins.count() < 2;
        let status = if refused { "403 Forbidden" } else { "200 OK" };
        seen.push((method, path, body, token.unwrap_or_default().to_owned()));
        drop(seen);
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// A client beside this Consul.
async fn client_beside(servers: &Arc<Servers>, dir: &Path, consul: ConsulConfig) -> Arc<Client> {
    client_with(servers, dir, |config| {
        config.dev = true;
        config.consul = Some(consul);
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_a_script_check_and_a_key() {
    let (servers, dir) = (Servers::new(), folder());
    let (address, requests) = consul();
    let consul = ConsulConfig {
        address,
        ..ConsulConfig::default()
    };
    let client = client_beside(&servers, dir.path(), consul).await;
    let mut tasks = shell("cat local/key; while true; do sleep 0.05; done");
    tasks[0].templates = vec![Template {
        embedded_tmpl: "{{ key \"greeting\" }} {{ keyOrDefault \"greeting\" \"x\" }}".into(),
        dest_path: "local/key".into(),
        change_mode: "noop".into(),
        ..Template::default()
    }];
    tasks[0].services = vec![Service {
        name: "web".into(),
        provider: "consul".into(),
        task_name: "t".into(),
        tags: vec!["a".into()],
        checks: vec![ServiceCheck {
            name: "inside".into(),
            r#type: "script".into(),
            command: "/bin/sh".into(),
            args: vec!["-c".into(), "echo fine".into()],
            interval: Duration::from_millis(200),
            timeout: Duration::from_secs(5),
            ..ServiceCheck::default()
        }],
        ..Service::default()
    }];
    servers.want(alloc(own(), "service", tasks));
    servers.until_it_is(ClientStatus::Running).await;
    let asked = |method: &str, path: &str| {
        let all = requests.lock().unwrap();
        let found = all
            .iter()
            .find(|(verb, place, ..)| verb == method && place.starts_with(path));
        found.map(|(_, place, body, _)| (place.clone(), body.clone()))
    };
    let (_, body) = until("the registration", || {
        asked("PUT", "/v1/agent/service/register")
    })
    .await;
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["Name"], "web");
    assert_eq!(told["Tags"], serde_json::json!(["a"]));
    assert!(
        told["ID"]
            .as_str()
            .unwrap()
            .starts_with(&format!("_nomad-task-{}-t-web", id())),
        "{told}"
    );
    let (path, body) = until("the script's result", || {
        asked("PUT", "/v1/agent/check/update/_nomad-check-")
    })
    .await;
    assert!(path.ends_with("-0"), "{path}");
    assert_eq!(
        serde_json::from_str::<Value>(&body).unwrap(),
        serde_json::json!({"Status": "passing", "Output": "fine\n"})
    );
    until_logs(&client, |written| !written.is_empty()).await;
    assert_eq!(logs(&client).await, "hello from consul hello from consul");
    assert_eq!(client.node().attributes["consul.version"], "1.18.0");
    servers.stop(id());
    servers.until_it_is(ClientStatus::Complete).await;
    until("the withdrawal", || {
        asked("PUT", "/v1/agent/service/deregister/_nomad-task-")
    })
    .await;
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_have_tokens_of_both() {
    let (servers, dir) = (Servers::new(), folder());
    let (address, requests) = consul();
    let client = client_with(&servers, dir.path(), |config| {
        config.dev = true;
        config.vault = Some(caravan_client::VaultConfig {
            address: format!("http://{address}"),
            namespace: "team".into(),
            tls: caravan_client::TlsConfig::default(),
            login_path: "jwt-nomad".into(),
            role: "of-the-agent".into(),
        });
        config.consul = Some(ConsulConfig {
            address,
            ..ConsulConfig::default()
        });
    })
    .await;
    let mut tasks = shell(
        "echo $VAULT_TOKEN $VAULT_NAMESPACE $CONSUL_HTTP_TOKEN $CONSUL_TOKEN $SECRET_OF; cat local/lists secrets/vault_token secrets/consul_token",
    );
    tasks[0].templates = vec![Template {
        embedded_tmpl: "{{ range datacenters }}{{ . }} {{ end }}{{ range secrets \"team\" }}{{ . }} {{ end }}\n".into(),
        dest_path: "local/lists".into(),
        once: true,
        ..Template::default()
    }];
    tasks[0].vault = Some(caravan_model::Vault {
        role: "of-the-task".into(),
        namespace: "task".into(),
        env: true,
        ..caravan_model::Vault::default()
    });
    tasks[0].secrets = vec![caravan_model::Secret {
        name: "db".into(),
        provider: "vault".into(),
        path: "kv/db".into(),
        ..caravan_model::Secret::default()
    }];
    let variable = ("SECRET_OF".to_owned(), "${secret.db.namespace}".to_owned());
    tasks[0].env.extend([variable]);
    tasks[0].identities = vec![caravan_model::Identity {
        name: "consul_default".into(),
        ..caravan_model::Identity::default()
    }];
    servers.want(alloc(own(), "batch", tasks));
    servers.until_it_is(ClientStatus::Complete).await;
    assert_eq!(
        logs(&client).await,
        "token-of-vault task token-of-consul token-of-consul task\ndc1 dc2 a b/ task \ntoken-of-vaulttoken-of-consul"
    );
    let all = requests.lock().unwrap().clone();
    let told = |path: &str| -> Value {
        let (_, _, body, _) = all
            .iter()
            .find(|(_, place, ..)| place.starts_with(path))
            .unwrap();
        serde_json::from_str(body).unwrap()
    };
    let vault = told("/v1/auth/jwt-nomad/login");
    assert_eq!(vault["role"], "of-the-task");
    assert!(
        vault["jwt"].as_str().unwrap().starts_with("vault_default-"),
        "{vault}"
    );
    let consul = told("/v1/acl/login");
    assert_eq!(consul["AuthMethod"], "nomad-workloads");
    assert!(
        consul["BearerToken"]
            .as_str()
            .unwrap()
            .starts_with("consul_default-"),
        "{consul}"
    );
    client.shutdown().await;
}

/// Identities that are none of Consul's change nothing: the agent's own token is what Consul sees.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_an_identity_is_announced_with_its_own_token() {
    for (name, identity, token) in [
        ("refused", "consul-service_t-web", "token-of-consul"),
        ("plain", "other", "of-the-agent"),
    ] {
        let (servers, dir) = (Servers::new(), folder());
        let (address, requests) = consul();
        let consul = ConsulConfig {
            address,
            token: "of-the-agent".into(),
            service_auth_method: "for-services".into(),
            ..ConsulConfig::default()
        };
        let client = client_beside(&servers, dir.path(), consul).await;
        let mut tasks = shell("while true; do sleep 0.05; done");
        tasks[0].services = vec![Service {
            name: name.into(),
            provider: "consul".into(),
            identity: Some(caravan_model::Identity {
                name: identity.into(),
                service_name: "web".into(),
                ..caravan_model::Identity::default()
            }),
            checks: vec![ServiceCheck {
                r#type: "tcp".into(),
                ..ServiceCheck::default()
            }],
            ..Service::default()
        }];
        servers.want(alloc(own(), "service", tasks));
        servers.until_it_is(ClientStatus::Running).await;
        let asked = |path: &str| -> Vec<(String, String)> {
            let all = requests.lock().unwrap();
            let found = all.iter().filter(|(_, place, ..)| place.starts_with(path));
            found
                .map(|(_, _, body, token)| (body.clone(), token.clone()))
                .collect()
        };
        let logins = if name == "refused" { 2 } else { 0 };
        let told = until("the registration", || {
            let told = asked("/v1/agent/service/register").pop();
            told.filter(|_| asked("/v1/acl/login").len() == logins)
        })
        .await;
        assert_eq!(told.1, token);
        let looked = until("a look at the checks", || {
            asked("/v1/agent/checks").last().cloned()
        })
        .await;
        assert_eq!(looked.1, token);
        for (body, token) in asked("/v1/acl/login") {
            let login: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(login["AuthMethod"], "for-services");
            let jwt = login["BearerToken"].as_str().unwrap();
            assert!(jwt.starts_with("consul-service_t-web-"), "{jwt}");
            assert_eq!(token, "of-the-agent");
        }
        servers.stop(id());
        servers.until_it_is(ClientStatus::Complete).await;
        let withdrawn = until("the withdrawal", || {
            asked("/v1/agent/service/deregister").first().cloned()
        })
        .await;
        assert_eq!(withdrawn.1, token);
        if name == "refused" {
            let left = until("the logout", || asked("/v1/acl/logout").first().cloned()).await;
            assert_eq!(left.1, token);
        }
        client.shutdown().await;
    }
}

/// What is made for a task alone is made once, also when the agent starts anew under it, and so are its secrets known.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_those_of_the_start_after_a_restart_of_the_agent() {
    let (servers, dir) = (Servers::new(), folder());
    let (address, requests) = consul();
    let start = || {
        let address = format!("http://{address}");
        client_with(&servers, dir.path(), move |config| {
            config.vault = Some(caravan_client::VaultConfig {
                address,
                namespace: String::new(),
                tls: caravan_client::TlsConfig::default(),
                login_path: "jwt-nomad".into(),
                role: "of-the-agent".into(),
            });
        })
    };
    let client = start().await;
    let mut tasks = shell("echo up; while true; do sleep 0.05; done");
    tasks[0].vault = Some(caravan_model::Vault {
        env: true,
        change_mode: "restart".into(),
        ..caravan_model::Vault::default()
    });
    tasks[0].secrets = vec![caravan_model::Secret {
        name: "db".into(),
        provider: "vault".into(),
        path: "kv/db".into(),
        ..caravan_model::Secret::default()
    }];
    tasks[0]
        .env
        .extend([("WORD".to_owned(), "of ${secret.db.namespace}.".to_owned())]);
    servers.set(|known| {
        known
            .variables
            .insert("v".to_owned(), [("n".to_owned(), "1".to_owned())].into());
    });
    tasks[0].templates = vec![Template {
        embedded_tmpl: concat!(
            "{{ with secret \"database/creds/web\" }}{{ .Data.password }}{{ end }} ",
            "{{ with secret \"two/db\" }}{{ .Data.data.user }}{{ end }} {{ env \"WORD\" }} ",
            "{{ with nomadVar \"v\" }}{{ .n }}{{ end }}",
        )
        .into(),
        dest_path: "local/conf".into(),
        change_mode: "restart".into(),
        ..Template::default()
    }];
    servers.want(alloc(own(), "service", tasks));
    servers.until_it_is(ClientStatus::Running).await;
    let conf = crate::support::alloc_dir(dir.path()).join("t/local/conf");
    let written = || std::fs::read_to_string(&conf).unwrap();
    assert_eq!(written(), "p0 ada of . 1");
    client.shutdown().await;

    let client = start().await;
    // Its token is the one from before, and lasts longer.
    until("the renewal", || {
        let all = requests.lock().unwrap();
        let found = all
            .iter()
            .find(|(_, path, ..)| path == "/v1/auth/token/renew-self");
        found.map(|_| ())
    })
    .await;
    // The templates are followed again.
    servers.set(|known| {
        known
            .variables
            .insert("v".to_owned(), [("n".to_owned(), "2".to_owned())].into());
    });
    until("the change", || {
        (written() == "p0 ada of . 2").then_some(())
    })
    .await;
    let known = servers
        .until("one restart", |known| {
            known
                .told
                .get(&id())
                .is_some_and(|alloc| alloc.task_states["t"].restarts == 1)
        })
        .await;
    assert!(is(&known, ClientStatus::Running) || is(&known, ClientStatus::Pending));
    let count = |wanted: &str| {
        let all = requests.lock().unwrap();
        all.iter().filter(|(_, path, ..)| path == wanted).count()
    };
    assert_eq!(count("/v1/database/creds/web"), 1);
    assert_eq!(count("/v1/auth/jwt-nomad/login"), 1);
    servers.stop(id());
    servers.until_it_is(ClientStatus::Complete).await;
    client.shutdown().await;
}
