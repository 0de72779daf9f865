//! `alloc fs`: the files of an allocation.

use super::tail::{Part, copy};
use super::{long_enough, of_job, query};
use crate::api::Api;
use crate::command::{COMMAND, Command, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{int, switch, text};
use crate::format::{nanos, size, time};
use crate::json::{Fields, list};
use crate::table::columns;
use caravan_sdk::{Method, Query, Request};
use serde_json::Value;

pub(super) const SPEC: Command = Command {
    name: "alloc fs",
    args: "[options] <allocation> <path>\nAlias: nomad fs",
    synopsis: "Inspect the contents of an allocation directory",
    about: "Displays either the contents of an allocation directory for the passed allocation, or displays the file at the given path. The path is relative to the root of the alloc dir and defaults to root if unspecified.",
    flags: &[
        switch("H", "Sizes in bytes."),
        switch("stat", "About the file, not its content."),
        switch("f", "Go on as more is written."),
        switch("tail", "Only the end."),
        int("n", "-1", "With -tail, how many lines; 10 without it."),
        int("c", "-1", "With -tail, how many bytes."),
        switch(
            "job",
            "The first argument is a job; one of its allocations is taken.",
        ),
        text("group", "name", "With -job, the group."),
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let by_job = context.given.on("job");
    match context.given.args.len() {
        0 if by_job => return Err(context.usage("A job ID is required")),
        0 => return Err(context.usage("An allocation ID is required")),
        1 | 2 => {}
        _ => {
            return Err(
                context.usage("This command takes one or two arguments: <allocation> [<path>]")
            );
        }
    }
    let prefix = context.given.arg(0).to_owned();
    let path = match context.given.arg(1) {
        "" => "/".to_owned(),
        path => path.to_owned(),
    };
    let api = context.api()?;
    let alloc = match by_job {
        true => {
            let found = context.job(&api, &prefix)?;
            of_job(&api, &found, context.given.text("group"), "")?
        }
        false => {
            long_enough(&prefix)?;
            context.alloc(&api, &prefix)?
        }
    };
    let id = alloc.str("ID");
    let query = || query(&alloc).with("path", path.as_str());
    let stat = api
        .get(&format!("/v1/client/fs/stat/{id}"), query())
        .map_err(|error| Failure::new(error.to_string()))?;
    if context.given.on("stat") {
        let text = described(context, &stat);
        context.ui.out(&text);
        return Ok(0);
    }
    if stat.yes("IsDir") {
        let files = api
            .get(&format!("/v1/client/fs/ls/{id}"), query())
            .doing("Error listing alloc dir")?;
        let text = listed(context, list(&files));
        context.ui.out(&text);
        return Ok(0);
    }
    let part = match Part::from_flags(context) {
        Ok(part) => part,
        Err(_) => return Err("Both -n and -c are not allowed".into()),
    };
    let follow = context.given.on("f");
    if part == Part::All && !follow {
        return cat(context, &api, id, query());
    }
    let stream = format!("/v1/client/fs/stream/{id}");
    api.wait(copy(&api, &stream, query(), part, follow, false))
        .map_err(|error| format!("Error reading file: {error}"))?;
    Ok(0)
}

fn described(context: &Context, file: &Value) -> String {
    let mut row = describe(context, file);
    row.insert(3, file.str("ContentType").to_owned());
    let titles = row!["Mode", "Size", "Modified Time", "Content Type", "Name"];
    columns(&[titles, row])
}

fn listed(context: &Context, files: &[Value]) -> String {
    let mut rows = vec![row!["Mode", "Size", "Modified Time", "Name"]];
    rows.extend(files.iter().map(|file| describe(context, file)));
    columns(&rows)
}

fn describe(context: &Context, file: &Value) -> Vec<String> {
    let bytes = file.int("Size");
    let bytes = match context.given.on("H") {
        true => bytes.to_string(),
        false => size(u64::try_from(bytes).unwrap_or_default()),
    };
    let mut name = file.str("Name").to_owned();
    if file.yes("IsDir") {
        name.push('/');
    }
    row![
        file.str("FileMode"),
        bytes,
        time(nanos(file.at("ModTime"))),
        name
    ]
}

fn cat(context: &mut Context, api: &Api, id: &str, query: Query) -> Outcome {
    let request = Request::new(Method::GET, format!("/v1/client/fs/cat/{id}"), query);
    let copied = api.wait(async {
        let mut answer = api.client.send(request).await?.ok().await?;
        while let Some(chunk) = answer.chunk().await? {
            context.ui.raw(&chunk);
        }
        Ok::<(), caravan_sdk::Error>(())
    });
    copied.map_err(|error| Failure::new(format!("Error reading file: {error}")))?;
    Ok(0)
}
