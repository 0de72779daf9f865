//! What goes on as long as a capture lasts: logs of the chosen agents, and events.

use super::archive::Folder;
use super::capture::each;
use super::targets::Targets;
use crate::api::Api;
use crate::context::Context;
use crate::failure::Failure;
use caravan_sdk::{Client, Error, Method, Query, Request};
use std::fs::File;
use std::io::Write;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// Streams that are being written, each by a thread of its own.
pub(super) struct Streams {
    ended: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Streams {
    /// Ends those that are still open.
    pub(super) fn end(self) {
        self.ended.send_replace(true);
        for thread in self.threads {
            // A thread that panicked has written what it could.
            let _ = thread.join();
        }
    }
}

/// Opens all that the flags ask for.
pub(super) fn start(
    context: &Context,
    api: &Api,
    targets: &Targets,
    folder: &Folder,
    duration: Duration,
) -> Result<Streams, Failure> {
    let given = &context.given;
    let (ended, _) = watch::channel(false);
    let mut threads = Vec::new();
    let mut open = |name: String, path: &'static str, query: Query, framed: bool| {
        let file = folder
            .file(&name)
            .map_err(|error| format!("{name}: {error}"))?;
        let api = api.fork().map_err(|error| error.to_string())?;
        let mut over = ended.subscribe();
        threads.push(std::thread::spawn(move || {
            api.wait(async {
                tokio::select! {
                    _ = over.wait_for(|over| *over) => {}
                    () = tokio::time::sleep(duration) => {}
                    _ = copy(&api.client, path, query, framed, file) => {}
                }
            });
        }));
        Ok::<(), String>(())
    };
    for (agent, query) in each(targets) {
        let log = query
            .clone()
            .with_some("log_level", given.text("log-level"))
            .flag("log_include_location", given.on("log-include-location"));
        open(
            format!("{agent}/monitor.log"),
            "/v1/agent/monitor",
            log,
            true,
        )?;
        let export = "/v1/agent/monitor/export";
        if given.on("log-file-export") {
            let query = query.clone().flag("on_disk", true);
            open(format!("{agent}/monitor_export.log"), export, query, true)?;
        }
        let lookback = given.text("log-lookback");
        if !lookback.is_empty() {
            let query = query
                .with("service_name", "nomad")
                .with("logs_since", lookback);
            open(format!("{agent}/monitor_journal.log"), export, query, true)?;
        }
    }
    let topics = given.text("event-topic");
    if !matches!(topics, "none" | "") {
        let index = given.int("event-index").to_string();
        let mut query = Query::new().namespace("*").with("index", index);
        for topic in topics.split(',').map(str::trim) {
            query = query.also("topic", if topic == "all" { "*" } else { topic });
        }
        let name = "cluster/eventstream.json".to_owned();
        open(name, "/v1/event/stream", query, false)?;
    }
    Ok(Streams { ended, threads })
}

/// Writes a stream down until it ends.
async fn copy(
    client: &Client,
    path: &str,
    query: Query,
    framed: bool,
    mut file: File,
) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::Closed(error.to_string());
    if framed {
        let mut frames = client.frames(path, query).await?;
        while let Some(frame) = frames.frame().await? {
            file.write_all(&frame.data).map_err(failed)?;
        }
        return Ok(());
    }
    let request = Request::new(Method::GET, path, query);
    let mut answer = client.send(request).await?.ok().await?;
    while let Some(chunk) = answer.chunk().await? {
        file.write_all(&chunk).map_err(failed)?;
    }
    Ok(())
}
