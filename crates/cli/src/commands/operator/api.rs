//! `operator api`: any call of the API.

use crate::api::Api;
use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{list, switch, text};
use crate::format::unescape;
use caravan_sdk::{Error, Method, Query, Request, escape_path};
use std::io::{IsTerminal, Read};

pub(super) const SPEC: Command = Command {
    name: "operator api",
    args: "[options] <path>",
    synopsis: "Query Nomad's HTTP API",
    about: "api is a utility command for accessing Nomad's HTTP API and is inspired by the popular curl command line tool. The answer is printed as it is.",
    flags: &[
        text(
            "X",
            "method",
            "The method. GET without it, or POST when something is piped in.",
        ),
        list("H", "Key: value", "A header. May be repeated."),
        text("filter", "expression", "Only what this expression selects."),
        switch("dryrun", "Print the call as a curl command."),
        switch(
            "verbose",
            "Show the headers of the call and its answer on stderr.",
        ),
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let target = match context.given.args.as_slice() {
        [] => return Err("A path or URL is required".into()),
        [one] => one.clone(),
        more => {
            return Err(format!(
                "operator api accepts exactly 1 argument, but {} arguments were found",
                more.len()
            )
            .into());
        }
    };
    let body = body()?;
    let method = match (context.given.text("X"), &body) {
        ("", None) => "GET",
        ("", Some(_)) => "POST",
        (method, _) => method,
    };
    let method = Method::from_bytes(method.to_uppercase().as_bytes())
        .map_err(|_| format!("Error making request: net/http: invalid method {method:?}"))?;
    let config = context.config();
    let everywhere = Query::new()
        .region(&config.region)
        .namespace(&config.namespace);
    let (path, query) = split(&target, everywhere);
    let query = query.with_some("filter", context.given.text("filter"));
    let mut request = Request::new(method, path, query);
    request.body = body.map(Into::into);
    for header in context.given.list("H") {
        let (name, value) = header.split_once(':').unwrap_or((header, ""));
        request
            .headers
            .push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let api = context.api()?;
    if context.given.on("dryrun") {
        curl(context, &api.client.base(), &request);
        return Ok(0);
    }
    let status = send(context, &api, request).doing("Error making request")?;
    if std::io::stdout().is_terminal() && status != 404 {
        context.ui.out("");
    }
    Ok(0)
}

/// Prints the answer as it comes; its status.
fn send(context: &mut Context, api: &Api, request: Request) -> Result<u16, Error> {
    let verbose = context.given.on("verbose");
    if verbose {
        context
            .ui
            .hint(&format!("> {} {}", request.method, request.path));
        for (name, value) in &request.headers {
            context.ui.hint(&format!("> {name}: {value}"));
        }
    }
    api.wait(async {
        let mut answer = api.client.send(request).await?;
        if verbose {
            context.ui.hint(&format!("< {}", answer.status));
            for (name, value) in &answer.headers {
                context
                    .ui
                    .hint(&format!("< {name}: {}", value.to_str().unwrap_or_default()));
            }
        }
        while let Some(chunk) = answer.chunk().await? {
            context.ui.raw(&chunk);
        }
        Ok(answer.status)
    })
}

/// What is piped in, if anything is.
fn body() -> Result<Option<Vec<u8>>, Failure> {
    let stdin = std::io::stdin();
    let kind =
        rustix::fs::fstat(&stdin).map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode));
    let piped = matches!(
        kind,
        Ok(rustix::fs::FileType::Fifo
            | rustix::fs::FileType::RegularFile
            | rustix::fs::FileType::Socket)
    );
    if !piped {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    stdin
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| format!("Error reading stdin: {error}"))?;
    Ok((!bytes.is_empty()).then_some(bytes))
}

/// The path and parameters of a path or address; `params` are those that hold unless it says otherwise.
fn split(target: &str, mut params: Query) -> (String, Query) {
    let path = match target.split_once("://") {
        Some((_, rest)) => match rest.find('/') {
            Some(at) => rest[at..].to_owned(),
            None => "/".to_owned(),
        },
        None if target.starts_with('/') => target.to_owned(),
        None => format!("/{target}"),
    };
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path.to_owned(), query.to_owned()),
        None => (path, String::new()),
    };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        params = params.with(&unescape(name), unescape(value));
    }
    let escaped: Vec<String> = path
        .split('/')
        .map(|part| escape_path(&unescape(part)))
        .collect();
    (escaped.join("/"), params)
}

fn curl(context: &mut Context, base: &str, request: &Request) {
    let quote = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut line = format!("curl \\\n  -X {}", request.method);
    for (name, value) in &request.headers {
        line += &format!(" \\\n  -H {}", quote(&format!("{name}: {value}")));
    }
    if !context.config().token.is_empty() {
        line += " \\\n  -H \"X-Nomad-Token: ${NOMAD_TOKEN}\"";
    }
    if request.body.is_some() {
        line += " \\\n  --data-binary @-";
    }
    let query = request.query.encode();
    let query = if query.is_empty() {
        query
    } else {
        format!("?{query}")
    };
    line += &format!(
        " \\\n  {}",
        quote(&format!("{base}{}{query}", request.path))
    );
    context.ui.out(&line);
}
