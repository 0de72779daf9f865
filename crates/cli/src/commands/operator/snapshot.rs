//! `operator snapshot`: the servers' state in a file.

use crate::command::{COMMAND, Command};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{switch, text};
use crate::format::{now, size};
use crate::hostfiles::io_text;
use crate::json::{Fields, pretty_sorted};
use crate::msgpack::Packed;
use crate::table::{columns, pairs};
use caravan_http::Filter;
use caravan_sdk::{Method, Payload, Query, Request};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::{Read, Write};

pub(super) const SAVE: Command = Command {
    name: "operator snapshot save",
    args: "[options] <file>",
    synopsis: "Saves snapshot of Nomad server state",
    about: "Retrieves an atomic, point-in-time snapshot of the state of the Nomad servers which includes jobs, nodes, allocations, periodic jobs, and ACLs. If ACLs are enabled, a management token must be supplied in order to perform snapshot operations.",
    flags: &[
        switch("stale", "Whether any server may answer."),
        switch("redact", "Without key material."),
    ],
    run: save,
    ..COMMAND
};

pub(super) const RESTORE: Command = Command {
    name: "operator snapshot restore",
    args: "[options] <file>",
    synopsis: "Restore snapshot of Nomad server state",
    about: "Restores an atomic, point-in-time snapshot of the state of the Nomad servers which includes jobs, nodes, allocations, periodic jobs, and ACLs. Restores involve a potentially dangerous low-level operation: everything that was written since the snapshot is lost.",
    run: restore,
    ..COMMAND
};

pub(super) const INSPECT: Command = Command {
    name: "operator snapshot inspect",
    args: "[options] <file>",
    synopsis: "Displays information about a Nomad snapshot file",
    about: "Displays information about a snapshot file on disk.",
    flags: &[switch("json", "As JSON.")],
    client: false,
    run: inspect,
    ..COMMAND
};

pub(super) const STATE: Command = Command {
    name: "operator snapshot state",
    args: "[options] <file>",
    synopsis: "Displays the state in a Nomad snapshot file",
    about: "Displays everything that a snapshot file on disk holds, as JSON. What is encrypted stays so.",
    flags: &[text(
        "filter",
        "expression",
        "Only the objects that the expression is true of. Those that lack what it looks at are left out.",
    )],
    client: false,
    run: state,
    ..COMMAND
};

pub(super) const REDACT: Command = Command {
    name: "operator snapshot redact",
    args: "[options] <file>",
    synopsis: "Removes key material from a Nomad snapshot file",
    about: "Removes the keys that encrypt variables and sign identities from a snapshot file on disk, in place, so that it can be handed to somebody else. A cluster that is restored from it cannot read its variables.",
    client: false,
    run: redact,
    ..COMMAND
};

const PATH: &str = "/v1/operator/snapshot";

fn save(context: &mut Context) -> Outcome {
    context.expect_args(0..=1, "This command takes up to one argument: <filename>")?;
    let path = match context.given.arg(0) {
        "" => default_name(),
        path => path.to_owned(),
    };
    if std::fs::symlink_metadata(&path).is_ok_and(|_| context.given.arg(0).is_empty()) {
        return Err(format!("Destination file already exists: {path:?}").into());
    }
    let api = context.api()?;
    let mut query = Query::new();
    if context.given.on("stale") {
        query = query.stale();
    }
    let partial = format!("{path}.partial");
    let request = Request::new(Method::GET, PATH, query);
    let copied = api.wait(async {
        let mut answer = api.client.send(request).await?.ok().await?;
        let failed = |error: std::io::Error| {
            caravan_sdk::Error::Closed(format!("open {partial}: {}", io_text(&error)))
        };
        let mut file = std::fs::File::create(&partial).map_err(failed)?;
        while let Some(chunk) = answer.chunk().await? {
            file.write_all(&chunk).map_err(failed)?;
        }
        file.sync_all().map_err(failed)
    });
    if let Err(error) = copied {
        // What is half there is of no use.
        let _ = std::fs::remove_file(&partial);
        return Err(format!("Failed to get a snapshot file: {error}").into());
    }
    if context.given.on("redact") {
        redact_file(&partial)?;
    }
    std::fs::rename(&partial, &path)
        .map_err(|error| format!("Failed to move {path:?}: {}", io_text(&error)))?;
    context.ui.out(&format!("State file written to {path}"));
    Ok(0)
}

/// The reference's name, whose day has no leading zero.
fn default_name() -> String {
    let nanos = now();
    let moment = jiff::Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or_default();
    let date = jiff::tz::TimeZone::system().to_datetime(moment).date();
    format!(
        "nomad-state-{:04}{:02}{}-{}.snap",
        date.year(),
        date.month(),
        date.day(),
        nanos / 1_000_000_000
    )
}

fn restore(context: &mut Context) -> Outcome {
    let path = context.one_arg("<filename>")?;
    let file = std::fs::File::open(&path).and_then(Payload::file);
    let file = file.map_err(|error| {
        Failure::new(format!(
            "Error opening snapshot file: \"open {path}: {}\"",
            io_text(&error)
        ))
    })?;
    let api = context.api()?;
    let mut request = Request::new(Method::PUT, PATH, Query::new());
    request.body = Some(file);
    let restored = api.wait(async { api.client.send(request).await?.ok().await?.bytes().await });
    restored.doing("Failed to restore snapshot")?;
    context.ui.out("Snapshot Restored");
    Ok(0)
}

fn inspect(context: &mut Context) -> Outcome {
    let path = context.one_arg("<filename>")?;
    let (bytes, files) = open(&path)?;
    let meta = files.iter().find(|(name, _)| name == "meta.json");
    let found: Value = meta
        .and_then(|(_, meta)| serde_json::from_slice(meta).ok())
        .ok_or("Error inspecting snapshot: it has no meta.json")?;
    if context.given.on("json") {
        context.ui.out(&pretty_sorted(&found));
        return Ok(0);
    }
    let mut text = pairs(&[
        ("Created", found.str("Created").to_owned()),
        ("ID", found.str("ID").to_owned()),
        ("Size", size(bytes)),
        ("Index", found.int("Index").to_string()),
        ("Term", found.int("Term").to_string()),
        ("Version", found.int("Version").to_string()),
    ]);
    let mut rows = vec![row!["Type", "Count", "Size"]];
    let length = |one: &Value| u64::try_from(one.int("Size")).unwrap_or_default();
    let stats = found.items("Stats");
    rows.extend(
        stats
            .iter()
            .map(|one| row![one.str("Type"), one.int("Count"), size(length(one))]),
    );
    let total = stats.iter().map(length).sum();
    rows.push(row![
        "Total",
        stats.iter().map(|one| one.int("Count")).sum::<i64>(),
        size(total)
    ]);
    text += &format!("\n\n{}", columns(&rows));
    context.ui.out(&text);
    Ok(0)
}

fn state(context: &mut Context) -> Outcome {
    let path = context.one_arg("<filename>")?;
    let (_, files) = open(&path)?;
    let state = files.iter().find(|(name, _)| name == "state.bin");
    let state = state
        .and_then(|(_, state)| Packed::read(state))
        .ok_or("Error inspecting snapshot: its state cannot be read")?;
    let mut state = state.json();
    let expression = context.given.text("filter");
    if !expression.is_empty() {
        let filter = Filter::parse(expression)
            .map_err(|error| format!("Error parsing filter expression: {error}"))?;
        keep(&mut state, &filter);
    }
    context.ui.out(&pretty_sorted(&state));
    Ok(0)
}

/// Leaves the objects of each table that the filter is true of.
fn keep(state: &mut Value, filter: &Filter) {
    let Value::Object(tables) = state else { return };
    for rows in tables.values_mut() {
        if let Value::Array(rows) = rows {
            rows.retain(|row| filter.matches(row).unwrap_or(false));
        }
    }
}

fn redact(context: &mut Context) -> Outcome {
    let path = context.one_arg("<filename>")?;
    redact_file(&path)?;
    context.ui.out("Snapshot redacted");
    Ok(0)
}

/// Takes the key material out of a snapshot; everything else stays as it is.
fn redact_file(path: &str) -> Result<(), Failure> {
    let (_, mut files) = open(path)?;
    for (name, content) in &mut files {
        if name == "state.bin" {
            let mut state = Packed::read(content)
                .ok_or("Error redacting snapshot: its state cannot be read")?;
            if let Some(Packed::List(keys)) = state.member("root_keys") {
                for key in keys {
                    if let Some(wrapped) = key.member("wrapped") {
                        *wrapped = Packed::List(Vec::new());
                    }
                }
            }
            *content = state.write()?;
        }
    }
    let packed =
        pack(files).map_err(|error| Failure::new(format!("Error redacting snapshot: {error}")))?;
    let partial = format!("{path}.partial");
    let written = std::fs::write(&partial, packed).and_then(|()| std::fs::rename(&partial, path));
    written.map_err(|error| Failure::new(format!("Error writing {path}: {}", io_text(&error))))
}

/// The files as an archive, with the checksums that they have now.
fn pack(mut files: Vec<(String, Vec<u8>)>) -> std::io::Result<Vec<u8>> {
    const SUMS: &str = "SHA256SUMS";
    files.retain(|(name, _)| name != SUMS);
    let mut sums = String::new();
    for (name, content) in &files {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content);
        let digest: String = digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        sums += &format!("{digest}  {name}\n");
    }
    files.push((SUMS.to_owned(), sums.into_bytes()));
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, content) in &files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, name, content.as_slice())?;
    }
    archive.into_inner()?.finish()
}

/// The files of a snapshot, by name.
type Files = Vec<(String, Vec<u8>)>;

/// The size of a snapshot, and the files in it.
fn open(path: &str) -> Result<(u64, Files), Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::new(format!(
            "Error opening snapshot file: open {path}: {}",
            io_text(&error)
        ))
    })?;
    let files = unpack(&bytes)
        .map_err(|error| Failure::new(format!("Error inspecting snapshot: {error}")))?;
    Ok((bytes.len() as u64, files))
}

fn unpack(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err("EOF".to_owned());
    }
    let text = |error: std::io::Error| error.to_string();
    let mut archive = tar::Archive::new(GzDecoder::new(bytes));
    let mut files = Vec::new();
    for entry in archive.entries().map_err(text)? {
        let mut entry = entry.map_err(text)?;
        let name = entry.path().map_err(text)?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(text)?;
        files.push((name, content));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_leaves_the_objects_that_it_is_true_of() {
        let mut state = json!({
            "index": 7, "jobs": [{"ID": "web"}, {"ID": "db"}], "pools": [{"Name": "web"}],
        });
        keep(&mut state, &Filter::parse("ID == web").unwrap());
        assert_eq!(
            state,
            json!({"index": 7, "jobs": [{"ID": "web"}], "pools": []})
        );
    }
}
