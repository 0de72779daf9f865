//! `fmt`: lays out job files anew.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::flags::{switch, switch_on};
use crate::hostfiles::{io_text, read_or_stdin};
use caravan_jobspec::{Diagnostics, Source, format_bytes};
use std::path::{Path, PathBuf};

pub(super) const SPEC: Command = Command {
    name: "fmt",
    args: "[flags] paths ...",
    synopsis: "Rewrites Nomad config and job files to canonical format",
    about: "Formats Nomad agent configuration and job file to a canonical format. If a path is a directory, it will recursively format all files with .nomad and .hcl extensions in the directory. If you provide a single dash (-) as argument, fmt will read from standard input (STDIN) and output the processed output to standard output (STDOUT).",
    flags: &[
        switch(
            "check",
            "Change nothing; the exit code is 1 when something would be changed.",
        ),
        switch_on("list", "Name the files that are changed."),
        switch("recursive", "Also folders within folders."),
        switch_on("write", "Write the files."),
    ],
    client: false,
    run,
    ..COMMAND
};

fn run(context: &mut Context) -> Outcome {
    let mut paths = context.given.args.clone();
    if paths.is_empty() {
        paths.push(".".into());
    }
    if paths == ["-"] {
        let bytes = read_or_stdin("-")?;
        let source = Source::new("<stdin>", bytes.clone());
        let text = format_bytes(&source).map_err(|found| told(&found, &bytes, context))?;
        context.ui.raw(&text);
        return Ok(u8::from(context.given.on("check") && text != bytes));
    }
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in &paths {
        collect(
            Path::new(path),
            path,
            true,
            context.given.on("recursive"),
            &mut files,
            &mut problems,
        );
    }
    if !problems.is_empty() {
        let count = match problems.len() {
            1 => "1 error occurred:".to_owned(),
            many => format!("{many} errors occurred:"),
        };
        let lines: Vec<String> = problems
            .iter()
            .map(|problem| format!("\t* {problem}"))
            .collect();
        return Err(context.usage(&format!("{count}\n{}\n\n", lines.join("\n"))));
    }
    let mut changed = false;
    let mut failed = false;
    for file in files {
        match one(context, &file) {
            Ok(different) => changed |= different,
            Err(failure) => {
                failed = true;
                context.ui.error(&failure.message);
            }
        }
    }
    Ok(u8::from(failed || changed && context.given.on("check")))
}

/// Files below a path, without a leading `./`.
fn collect(
    path: &Path,
    shown: &str,
    named: bool,
    recursive: bool,
    files: &mut Vec<PathBuf>,
    problems: &mut Vec<String>,
) {
    let Ok(found) = std::fs::metadata(path) else {
        problems.push(format!("No file or directory at {shown}"));
        return;
    };
    if !found.is_dir() {
        let known = path
            .extension()
            .is_some_and(|end| end == "nomad" || end == "hcl");
        if known {
            files.push(path.to_path_buf());
        } else if named {
            problems.push("Only .nomad and .hcl files can be processed using nomad fmt".into());
        }
        return;
    }
    let Ok(entries) = std::fs::read_dir(path) else {
        problems.push(format!("No file or directory at {shown}"));
        return;
    };
    let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    inside.sort();
    for entry in inside {
        let entry = entry
            .strip_prefix(".")
            .map(Path::to_path_buf)
            .unwrap_or(entry);
        let hidden = entry
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden || entry.is_dir() && !recursive {
            continue;
        }
        collect(
            &entry,
            &entry.to_string_lossy(),
            false,
            recursive,
            files,
            problems,
        );
    }
}

/// Formats a file; whether it is different now.
fn one(context: &mut Context, path: &Path) -> Result<bool, Failure> {
    let name = path.to_string_lossy().into_owned();
    let bytes = std::fs::read(path).map_err(|error| format!("open {name}: {}", io_text(&error)))?;
    let source = Source::new(name.clone(), bytes.clone());
    let text = format_bytes(&source).map_err(|found| told(&found, &bytes, context))?;
    let (list, write) = (
        context.given.on("list"),
        context.given.on("write") && !context.given.on("check"),
    );
    if !list && !write {
        context.ui.raw(&text);
    }
    if text == bytes {
        return Ok(false);
    }
    if list {
        context.ui.out(&name);
    }
    if write {
        std::fs::write(path, text)
            .map_err(|error| format!("Failed to write {name}: {}", io_text(&error)))?;
    }
    Ok(true)
}

/// Syntax errors as people read them: with the line, and wrapped.
fn told(found: &Diagnostics, source: &[u8], context: &Context) -> Failure {
    let text = String::from_utf8_lossy(source);
    let mut blocks = Vec::new();
    for one in &found.list {
        let mut block = format!(
            "{}{}",
            context.ui.paint("31", "Error: "),
            context.ui.bold(&one.summary)
        );
        if let Some(range) = &one.range {
            let line = text
                .lines()
                .nth(range.start.line.saturating_sub(1))
                .unwrap_or_default();
            block += &format!(
                "\n\n  on {} line {}:\n  {:>2}: {line}",
                range.file, range.start.line, range.start.line
            );
        }
        if !one.detail.is_empty() {
            block += &format!("\n\n{}", crate::format::wrap(&one.detail, 80));
        }
        blocks.push(block);
    }
    Failure::new(blocks.join("\n\n") + "\n")
}
