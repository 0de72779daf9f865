//! Artifacts are there before the task starts, once.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use caravan_model::{Artifact, ClientStatus};

use crate::support::{Servers, alloc, client, events, folder, id, logs, messages, own, shell};

/// Serves a script, after `refusals` answers that it is not there yet; counts what it is asked.
fn site(refusals: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer);
            let body = "#!/bin/sh\necho fetched\n";
            let answer = if asked.fetch_add(1, Ordering::SeqCst) < refusals {
                "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
            } else {
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                )
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, count)
}

fn artifact(source: String, dest: &str) -> Artifact {
    Artifact {
        getter_source: source,
        relative_dest: dest.into(),
        getter_mode: "any".into(),
        ..Artifact::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_runs_what_was_fetched_and_fetches_it_once() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let (address, asked) = site(0);
    let mut tasks = shell("sh local/bin/run; [ -e local/again ] || { touch local/again; exit 1; }");
    tasks[0].env.insert("PLACE".into(), "bin".into());
    tasks[0].artifacts = vec![artifact(format!("{address}/run"), "local/${PLACE}/")];
    servers.want(alloc(own(), "batch", tasks));
    let known = servers.until_it_is(ClientStatus::Complete).await;
    assert_eq!(logs(&client).await, "fetched\nfetched\n");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let told = events(&known.told[&id()], "t");
    assert_eq!(
        told.iter()
            .filter(|kind| *kind == "Downloading Artifacts")
            .count(),
        1
    );
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_fetch_counts_for_the_restart_policy() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let (address, _) = site(1);
    let mut tasks = shell("sh local/run");
    tasks[0].artifacts = vec![artifact(format!("{address}/run"), "local/")];
    servers.want(alloc(own(), "batch", tasks));
    let known = servers.until_it_is(ClientStatus::Complete).await;
    let texts = messages(&known.told[&id()], "t");
    let text = format!("failed to download artifact \"{address}/run\": bad response code: 503");
    assert!(texts.contains(&text), "{texts:?}");
    assert_eq!(logs(&client).await, "fetched\n");
    client.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_outside_fails_at_once() {
    let (servers, dir) = (Servers::new(), folder());
    let client = client(&servers, dir.path(), true).await;
    let mut tasks = shell("true");
    tasks[0].artifacts = vec![artifact("http://127.0.0.1:1/x".into(), "../../../x")];
    servers.want(alloc(own(), "batch", tasks));
    let known = servers.until_it_is(ClientStatus::Failed).await;
    let texts = messages(&known.told[&id()], "t");
    assert!(
        texts
            .iter()
            .any(|text| text.contains("escapes alloc directory")),
        "{texts:?}"
    );
    client.shutdown().await;
}
