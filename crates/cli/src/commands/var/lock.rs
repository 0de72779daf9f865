//! `var lock`: runs a command while holding a variable's lock.

use super::get::route;
use super::one_namespace;
use crate::api::Api;
use crate::command::{COMMAND, Command, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{int, switch, switch_on, text_or, time};
use crate::json::Fields;
use caravan_sdk::{Method, Query};
use serde_json::{Value, json};
use std::process::{Child, Command as Process};
use std::time::{Duration, Instant};

pub(super) const SPEC: Command = Command {
    name: "var lock",
    args: "[options] <path> <child command>",
    synopsis: "Acquire a variable lock",
    about: "The lock command provides a mechanism for simple distributed locking. A lock is acquired over the given variable, and only when held, a child process is invoked. When the lock is lost or the child ends, the lock is given back.",
    flags: &[
        text_or(
            "ttl",
            "15s",
            "duration",
            "How long the lock lasts without being renewed.",
        ),
        text_or(
            "delay",
            "15s",
            "duration",
            "How long it stays closed after it was lost.",
        ),
        switch_on("shell", "Run the command in a shell."),
        switch("early-return", "End when somebody else holds the lock."),
        int("max-retry", "5", "How often a failing call is repeated."),
        time("backoff", "0s", "The pause between repeated calls."),
        VERBOSE,
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    if context.given.args.len() < 2 {
        let got = context.given.args.len();
        return Err(context.usage(&format!("Not enough arguments (expected >2, got {got})")));
    }
    one_namespace(context)?;
    let path = context.given.arg(0).to_owned();
    let words = context.given.args[1..].to_vec();
    let ttl: caravan_model::Duration = context
        .given
        .text("ttl")
        .parse()
        .map_err(|error| format!("Invalid -ttl value: {error}"))?;
    let api = context.api()?;
    let lock = acquire(context, &api, &path)?;
    let mut child = match spawn(context, &words) {
        Ok(child) => child,
        Err(error) => {
            release(&api, &path, &lock)?;
            return Err(format!("Error running command: {error}").into());
        }
    };
    let ended = hold(context, &api, &path, &lock, ttl, &mut child);
    let released = release(&api, &path, &lock);
    let code = ended?;
    released?;
    Ok(code)
}

/// Takes the lock, waiting for it unless told otherwise; the variable with the lock's id.
fn acquire(context: &Context, api: &Api, path: &str) -> Result<Value, Failure> {
    let existing = api.get(&route(path), Query::new()).unwrap_or_default();
    let body = json!({
        "Path": path,
        "Items": existing.at("Items"),
        "Lock": {"TTL": context.given.text("ttl"), "LockDelay": context.given.text("delay")},
    });
    let mut failures = 0;
    loop {
        let query = Query::new().with("lock-acquire", "true");
        match api.write(Method::PUT, &route(path), query, &body) {
            Ok(variable) => return Ok(variable),
            Err(error) if error.code() == Some(409) => {
                if context.given.on("early-return") {
                    return Err("Lock is held by somebody else".into());
                }
                std::thread::sleep(Duration::from_secs(1));
            }
            Err(error) => {
                failures += 1;
                if failures > context.given.int("max-retry") {
                    return Err(format!("Error acquiring lock: {error}").into());
                }
                let pause = context.given.time("backoff").0.max(200_000_000);
                std::thread::sleep(Duration::from_nanos(pause.unsigned_abs()));
            }
        }
    }
}

fn spawn(context: &Context, words: &[String]) -> std::io::Result<Child> {
    if context.given.on("shell") {
        let shell = std::env::var("SHELL").unwrap_or_else(|_| "/bin/sh".into());
        return Process::new(shell).arg("-c").arg(words.join(" ")).spawn();
    }
    Process::new(&words[0]).args(&words[1..]).spawn()
}

/// Renews the lock while the child runs; its exit code.
fn hold(
    context: &mut Context,
    api: &Api,
    path: &str,
    lock: &Value,
    ttl: caravan_model::Duration,
    child: &mut Child,
) -> Outcome {
    let every = Duration::from_nanos(ttl.0.unsigned_abs()) / 2;
    let mut renewed = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => {
                return Ok(status
                    .code()
                    .and_then(|code| u8::try_from(code).ok())
                    .unwrap_or(1));
            }
            Ok(None) => {}
            Err(error) => return Err(error.to_string().into()),
        }
        if renewed.elapsed() >= every {
            renewed = Instant::now();
            let body = json!({"Path": path, "Lock": {"ID": lock.at("Lock").at("ID")}});
            let query = Query::new().with("lock-renew", "true");
            if let Err(error) = api.write(Method::PUT, &route(path), query, &body) {
                context.ui.error(&format!("Lock lost: {error}"));
                // It may have ended in the meantime.
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::silent(1));
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn release(api: &Api, path: &str, lock: &Value) -> Result<(), Failure> {
    let body = json!({"Path": path, "Lock": {"ID": lock.at("Lock").at("ID")}});
    let query = Query::new().with("lock-release", "true");
    api.write(Method::PUT, &route(path), query, &body)
        .doing("Error releasing lock")?;
    Ok(())
}
