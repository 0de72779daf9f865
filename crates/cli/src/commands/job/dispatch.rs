//! `job dispatch`: an instance of a parameterized job.

use super::ui_path;
use crate::api::Api;
use crate::command::{COMMAND, Command, DETACH, UI, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{int, list, switch, text};
use crate::hostfiles::read_or_stdin;
use crate::json::{Fields, plain};
use crate::monitor::watch_evaluation;
use crate::table::{columns, pairs};
use base64::Engine;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

pub(super) const SPEC: Command = Command {
    name: "job dispatch",
    args: "[options] <parameterized job> [input source]",
    synopsis: "Dispatch an instance of a parameterized job",
    about: "Dispatch creates an instance of a parameterized job. A data payload to the dispatched instance can be provided via stdin by using \"-\" or by specifying a path to a file. Metadata can be supplied by using the meta flag one or more times.\n\nAn optional idempotency token can be used to prevent more than one instance of the job to be dispatched. If an instance with the same token already exists, the command returns without any action.",
    flags: &[
        list(
            "meta",
            "key=value",
            "Metadata of the instance. May be repeated.",
        ),
        text(
            "id-prefix-template",
            "template",
            "What the instance's id has before the time.",
        ),
        text(
            "idempotency-token",
            "token",
            "At most one instance is made for a token.",
        ),
        int(
            "priority",
            "0",
            "The instance's priority; the job's own without it.",
        ),
        switch(
            "wait",
            "Wait until the instance has ended, up to five minutes.",
        ),
        DETACH,
        UI,
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.expect_args(
        1..=2,
        "This command takes one or two argument: <parameterized job> [input source]",
    )?;
    let prefix = context.given.arg(0).to_owned();
    let payload = match context.given.arg(1) {
        "" => Vec::new(),
        source => read_or_stdin(source).doing("Error reading input data")?,
    };
    let mut meta = Map::new();
    for pair in context.given.list("meta") {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(format!("Error parsing meta value: {pair}").into());
        };
        meta.insert(key.to_owned(), json!(value));
    }
    let api = context.api()?;
    let found = context.job_where(&api, &prefix, "parameterized ", |job| {
        job.yes("ParameterizedJob")
    })?;
    let body = json!({
        "JobID": found.id,
        "Meta": meta,
        "Payload": base64::engine::general_purpose::STANDARD.encode(payload),
        "IdPrefixTemplate": context.given.text("id-prefix-template"),
        "Priority": context.given.int("priority"),
    });
    let query = found
        .query()
        .with_some("idempotency_token", context.given.text("idempotency-token"));
    let answer = api
        .put(&found.path("/dispatch"), query, &body)
        .doing("Failed to dispatch job")?;
    let (job, eval) = (answer.str("DispatchedJobID"), answer.str("EvalID"));
    let mut rows = vec![("Dispatched Job ID", job.to_owned())];
    if !eval.is_empty() {
        rows.push(("Evaluation ID", context.id(eval)));
    }
    context.ui.out(&pairs(&rows));
    let path = ui_path(job, &found.namespace);
    if eval.is_empty() || context.given.on("detach") {
        context.hint(&api, "View this job", &path);
        return Ok(0);
    }
    context.hint_with(&api, "View this job", &path, "\n");
    context.ui.out("");
    let verbose = context.verbose();
    let code = watch_evaluation(&api, &mut context.ui, eval, &found.namespace, verbose)?;
    if code != 0 || !context.given.on("wait") {
        return Ok(code);
    }
    wait(context, &api, job, &found.namespace)
}

/// Shows the instance's counts until it has ended.
fn wait(context: &mut Context, api: &Api, job: &str, namespace: &str) -> Outcome {
    let started = Instant::now();
    let path = format!("/v1/job/{}/summary", caravan_sdk::escape_path(job));
    const COUNTS: [&str; 7] = [
        "Queued", "Complete", "Failed", "Running", "Starting", "Lost", "Unknown",
    ];
    let mut shown = String::new();
    loop {
        let query = caravan_sdk::Query::new().namespace(namespace);
        let summary = api.get(&path, query).doing("Error querying job summary")?;
        let mut rows = vec![row![
            "Task Group",
            "Queued",
            "Complete",
            "Failed",
            "Running",
            "Starting",
            "Lost",
            "Unknown"
        ]];
        let total = |name: &str| -> i64 {
            summary
                .members("Summary")
                .iter()
                .map(|(_, group)| group.int(name))
                .sum()
        };
        for (name, group) in summary.members("Summary") {
            let mut row = row![name];
            row.extend(
                COUNTS
                    .iter()
                    .map(|count| plain(&Value::from(group.int(count)))),
            );
            rows.push(row);
        }
        let text = columns(&rows);
        if text != shown {
            context.ui.out(&text);
            shown = text;
        }
        if total("Failed") > 0 || total("Lost") > 0 {
            return Err(Failure::silent(2));
        }
        if total("Queued") + total("Running") + total("Starting") == 0 && total("Complete") > 0 {
            return Ok(0);
        }
        if started.elapsed() > Duration::from_secs(300) {
            return Err("Timeout reached after 5m0s".into());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
