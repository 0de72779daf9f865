//! Functions of files and paths.

use super::glob::Glob;
use super::{Call, Fault, Outcome};
use crate::files::{FileError, Files};
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Files beyond this do not belong into a job.
const MOST_BYTES: usize = 8 << 20;

fn files<'a>(call: &Call<'a>) -> Result<&'a dyn Files, Fault> {
    call.files
        .ok_or_else(|| "filesystem function disabled".into())
}

fn expanded(call: &Call<'_>, at: usize) -> Result<String, Fault> {
    let files = files(call)?;
    let path = call.text(at);
    Ok(match path.strip_prefix('~') {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => match files.home() {
            Some(home) => format!("{}{rest}", home.trim_end_matches('/')),
            None => return Err("failed to expand ~: there is no home folder".into()),
        },
        _ => path.to_string(),
    })
}

fn read(call: &Call<'_>) -> Result<(Vec<u8>, String), Fault> {
    let path = expanded(call, 0)?;
    match files(call)?.read(&path) {
        Ok(bytes) if bytes.len() > MOST_BYTES => {
            Err(format!("{path} is larger than {MOST_BYTES} bytes").into())
        }
        Ok(bytes) => Ok((bytes, path)),
        Err(FileError::Absent) => Err(format!("no file exists at {path}").into()),
        Err(FileError::Other(why)) => Err(format!("failed to read {path}: {why}").into()),
    }
}

pub(super) fn file(call: &mut Call<'_>) -> Outcome {
    let (bytes, path) = read(call)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Value::from(text)),
        Err(_) => Err(format!(
            "contents of {path} are not valid UTF-8; use the filebase64 function to obtain the Base64 encoded contents"
        )
        .into()),
    }
}

pub(super) fn filebase64(call: &mut Call<'_>) -> Outcome {
    Ok(Value::from(STANDARD.encode(read(call)?.0)))
}

pub(super) fn fileexists(call: &mut Call<'_>) -> Outcome {
    let path = expanded(call, 0)?;
    match files(call)?.is_file(&path) {
        Ok(exists) => Ok(Value::Bool(exists)),
        Err(why) => Err(format!("failed to stat {path}: {why}").into()),
    }
}

pub(super) fn fileset(call: &mut Call<'_>) -> Outcome {
    let folder = expanded(call, 0)?;
    let pattern = Glob::new(&call.text(1));
    let names = files(call)?
        .list(&folder)
        .map_err(|why| format!("failed to list {folder}: {why}"))?;
    let matching = names.iter().filter(|name| pattern.matches(name));
    Ok(Value::set(
        matching.map(|name| Value::from(name.as_str())).collect(),
    ))
}

pub(super) fn abspath(call: &mut Call<'_>) -> Outcome {
    match files(call)?.absolute(&call.text(0)) {
        Ok(path) => Ok(Value::from(path)),
        Err(why) => Err(why.to_string().into()),
    }
}

pub(super) fn pathexpand(call: &mut Call<'_>) -> Outcome {
    Ok(Value::from(expanded(call, 0)?))
}

pub(super) fn basename(call: &mut Call<'_>) -> Outcome {
    files(call)?;
    let path = call.text(0);
    let trimmed = path.trim_end_matches('/');
    Ok(Value::from(
        match (path.is_empty(), trimmed.rsplit('/').next()) {
            (true, _) => ".",
            (false, Some("") | None) => "/",
            (false, Some(last)) => last,
        },
    ))
}

pub(super) fn dirname(call: &mut Call<'_>) -> Outcome {
    files(call)?;
    let path = call.text(0);
    let folder = path.rfind('/').map_or("", |at| &path[..=at]);
    let rooted = folder.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            other => parts.push(other),
        }
    }
    let cleaned = parts.join("/");
    Ok(Value::from(match (rooted, cleaned.is_empty()) {
        (true, _) => format!("/{cleaned}"),
        (false, true) => ".".to_owned(),
        (false, false) => cleaned,
    }))
}
