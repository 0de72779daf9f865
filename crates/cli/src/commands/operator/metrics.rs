//! `operator metrics` and `operator utilization`.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{switch, text};
use caravan_sdk::{Method, Query, Request};
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "operator metrics",
    synopsis: "Retrieve Nomad metrics",
    about: "Get Nomad metrics.",
    flags: &[
        switch("pretty", "Indented."),
        text("format", "prometheus", "Another format than JSON."),
        JSON,
        TEMPLATE,
    ],
    known_as: "metrics",
    run,
    ..COMMAND
};

pub(super) const UTILIZATION: Command = Command {
    name: "operator utilization",
    synopsis: "Generate a utilization reporting bundle",
    about: "This is a feature of the other edition; where it is not built in, the agent says so.",
    flags: &[
        text("message", "text", "A note in the bundle."),
        text("output", "path", "Where the bundle is written."),
        switch("today-only", "Only today."),
    ],
    run: utilization,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    const DOING: &str = "Error querying metrics";
    if context.wants_data()? {
        let metrics = api.get("/v1/metrics", Query::new()).doing(DOING)?;
        context.data(&metrics, "*api.MetricsSummary")?;
        return Ok(0);
    }
    let query = Query::new()
        .with_some("format", context.given.text("format"))
        .flag("pretty", context.given.on("pretty"));
    let request = Request::new(Method::GET, "/v1/metrics", query);
    let body = api.wait(async { api.client.send(request).await?.ok().await?.bytes().await });
    let body = body.doing(DOING)?;
    context
        .ui
        .out(String::from_utf8_lossy(&body).trim_end_matches('\n'));
    Ok(0)
}

fn utilization(context: &mut Context) -> Outcome {
    let api = context.api()?;
    api.write(
        Method::POST,
        "/v1/operator/utilization",
        Query::new(),
        &Value::Null,
    )
    .doing("Error generating bundle")?;
    Ok(0)
}
