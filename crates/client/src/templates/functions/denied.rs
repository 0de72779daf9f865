//! Functions that nodes deny unless they are told otherwise: they run programs, or write elsewhere than where the template goes.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use gotmpl::Value;

use super::super::pass::Pass;
use super::{Answer, Function, fail, string, text};
use crate::api::contained;

/// Templates that execute each other.
const MOST_DEPTH: usize = 16;
/// How long a program may take.
const LONGEST: Duration = Duration::from_secs(30);
/// What of its output counts.
const MOST_OUTPUT: u64 = 1 << 20;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("executeTemplate", execute_template),
    ("plugin", plugin),
    ("writeToFile", write_to_file),
];

fn execute_template(pass: &Pass, args: &[Value]) -> Answer {
    let name = text(args, 0)?;
    let locked = pass.engine.lock().unwrap_or_else(PoisonError::into_inner);
    let engine = locked.clone();
    // What it executes may execute others.
    drop(locked);
    let engine = engine.ok_or_else(|| fail("nothing is defined"))?;
    if pass.depth.fetch_add(1, Ordering::Relaxed) >= MOST_DEPTH {
        return Err(fail(format!("{name:?} executes itself without end")));
    }
    let result = engine.execute_template_to_string(&name, args.get(1).unwrap_or(&Value::Nil));
    pass.depth.fetch_sub(1, Ordering::Relaxed);
    Ok(string(result?))
}

/// Runs a program of the host with arguments; gives what it writes.
fn plugin(_: &Pass, args: &[Value]) -> Answer {
    let name = text(args, 0)?;
    let rest = args.iter().skip(1).map(ToString::to_string);
    let fail = |why: String| fail(format!("plugin {name:?}: {why}"));
    let child = Command::new(&name)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|error| fail(error.to_string()))?;
    let output = child.stdout.take();
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        let mut written = Vec::new();
        let read = output.map(|output| output.take(MOST_OUTPUT).read_to_end(&mut written));
        // Whoever waited may have gone.
        let _ = done.send(read.transpose().map(|_| written));
    });
    let written = result.recv_timeout(LONGEST);
    if written.is_err() {
        // It may have ended just now.
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| fail(error.to_string()))?;
    let written = written
        .map_err(|_| fail(format!("it did not end within {LONGEST:?}")))?
        .map_err(|error| fail(error.to_string()))?;
    if !status.success() {
        return Err(fail(format!("it ended with {status}")));
    }
    Ok(string(String::from_utf8_lossy(&written)))
}

/// `writeToFile "path" "user" "group" "mode" ["append,newline"] "content"`; leaves nothing in what is rendered.
fn write_to_file(pass: &Pass, args: &[Value]) -> Answer {
    if !matches!(args.len(), 5 | 6) {
        return Err(fail(
            "writeToFile takes a path, a user, a group, a mode, flags if any, and the content",
        ));
    }
    let path = text(args, 0)?;
    let fail = |why: String| fail(format!("writeToFile {path:?}: {why}"));
    let mode = u32::from_str_radix(&text(args, 3)?, 8);
    let mode = mode.map_err(|_| fail("the mode is no octal number".into()))?;
    let flags = if args.len() == 6 {
        text(args, 4)?
    } else {
        String::new()
    };
    let (mut append, mut newline) = (false, false);
    for flag in flags
        .split(',')
        .map(str::trim)
        .filter(|flag| !flag.is_empty())
    {
        match flag {
            "append" => append = true,
            "newline" => newline = true,
            other => return Err(fail(format!("there is no flag {other:?}"))),
        }
    }
    let owner = (
        owner(&text(args, 1)?, crate::users::user).map_err(fail)?,
        owner(&text(args, 2)?, crate::users::group).map_err(fail)?,
    );
    let root = if pass.sandboxed {
        pass.files.as_path()
    } else {
        Path::new("/")
    };
    let place = Path::new(path.trim_start_matches('/'));
    let mut content = match append.then(|| contained::read(root, place)) {
        Some(Err(error)) if !error.is_not_found() => return Err(fail(error.to_string())),
        Some(Ok(before)) => before,
        _ => Vec::new(),
    };
    content.extend(text(args, args.len() - 1)?.into_bytes());
    if newline {
        content.push(b'\n');
    }
    let written = contained::write_owned(root, place, &content, mode, owner);
    written.map_err(|error| fail(error.to_string()))?;
    Ok(string(""))
}

/// The number behind a name; none where no name is given.
fn owner(name: &str, number: fn(&str) -> Option<u32>) -> Result<Option<u32>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    let found = number(name).ok_or_else(|| format!("{name:?} is not known here"))?;
    Ok(Some(found))
}
