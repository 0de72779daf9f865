//! `job init`: an example to start from.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{switch, text};
use crate::hostfiles::io_text;
use crate::json::{Fields, list};
use caravan_sdk::{Query, escape_path};
use std::io::Write;

const FULL: &str = include_str!("examples/full.nomad.hcl");
const SHORT: &str = include_str!("examples/short.nomad.hcl");
const CONNECT: &str = include_str!("examples/connect.nomad.hcl");
const CONNECT_SHORT: &str = include_str!("examples/connect-short.nomad.hcl");
/// Where templates of job files are kept.
const TEMPLATES: &str = "nomad/job-templates";

pub(super) const SPEC: Command = Command {
    name: "job init",
    args: "[options] [filename]",
    synopsis: "Create an example job file",
    about: "Creates an example job file that can be used as a starting point to customize further. If no filename is given, \"example.nomad\" is used.",
    flags: &[
        switch("short", "Without comments."),
        switch("connect", "With a service mesh."),
        text(
            "template",
            "name",
            "From a template that is kept as a variable below nomad/job-templates.",
        ),
        switch("list-templates", "List these templates."),
    ],
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    context.expect_args(
        0..=1,
        "This command takes either no arguments or one: <filename>",
    )?;
    if context.given.on("list-templates") {
        return templates(context);
    }
    let path = match context.given.arg(0) {
        "" => "example.nomad".to_owned(),
        path => path.to_owned(),
    };
    match std::fs::symlink_metadata(&path) {
        Ok(_) => return Err(format!("Job '{path}' already exists").into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(
                format!("Failed to stat '{path}': stat {path}: {}", io_text(&error)).into(),
            );
        }
    }
    let name = context.given.text("template").to_owned();
    let content = match (
        name.is_empty(),
        context.given.on("connect"),
        context.given.on("short"),
    ) {
        (false, _, _) => template(context, &name)?,
        (_, true, true) => CONNECT_SHORT.to_owned(),
        (_, true, false) => CONNECT.to_owned(),
        (_, false, true) => SHORT.to_owned(),
        (_, false, false) => FULL.to_owned(),
    };
    write_new(&path, content.as_bytes())
        .map_err(|error| format!("Failed to write '{path}': open {path}: {}", io_text(&error)))?;
    context
        .ui
        .out(&format!("Example job file written to {path}"));
    Ok(0)
}

/// Writes a file that users and their group may change.
fn write_new(path: &str, content: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o660)
        .open(path)?;
    file.write_all(content)
}

fn template(context: &mut Context, name: &str) -> Result<String, crate::failure::Failure> {
    let api = context.api()?;
    let path = format!("/v1/var/{}", escape_path(&format!("{TEMPLATES}/{name}")));
    let variable = match api.get(&path, Query::new()) {
        Ok(variable) => variable,
        Err(error) if error.code() == Some(404) => return Err("Variable not found".into()),
        Err(error) => return Err(format!("Error retrieving job template: {error}").into()),
    };
    let text = variable.at("Items").str("template").to_owned();
    if text.is_empty() {
        return Err(format!(
            "Error parsing job template: {TEMPLATES}/{name} has no item \"template\""
        )
        .into());
    }
    context
        .ui
        .out(&format!("Initializing a job template from {name}"));
    Ok(text)
}

fn templates(context: &mut Context) -> Outcome {
    let api = context.api()?;
    let found = api
        .get("/v1/vars", Query::new().with("prefix", TEMPLATES))
        .doing("Error retrieving job templates from the server; unable to read variables at path nomad/job-templates/. Error")?;
    let names: Vec<&str> = list(&found)
        .iter()
        .filter_map(|variable| variable.str("Path").strip_prefix("nomad/job-templates/"))
        .collect();
    if names.is_empty() {
        return Err("No variables in nomad/job-templates".into());
    }
    context
        .ui
        .out("Use nomad job init -template=<template> with any of the following:");
    for name in names {
        context.ui.out(&format!("  {name}"));
    }
    Ok(0)
}
