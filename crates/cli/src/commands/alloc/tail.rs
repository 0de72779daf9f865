//! Streams of files and logs: from where, how much, until when.

use crate::api::Api;
use crate::context::Context;
use caravan_sdk::{Error, Query};

/// How many bytes a line is taken to have when only the last lines are read.
const BYTES_PER_LINE: i64 = 120;

/// Which part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    All,
    LastLines(i64),
    LastBytes(i64),
}

impl Part {
    /// As `-tail`, `-n` and `-c` have it.
    pub(super) fn from_flags(context: &Context) -> Result<Self, String> {
        let given = &context.given;
        if !given.on("tail") {
            return Ok(Self::All);
        }
        match (given.is_set("n"), given.is_set("c")) {
            (true, true) => Err("both -n and -c set".into()),
            (_, true) => Ok(Self::LastBytes(given.int("c"))),
            (true, false) => Ok(Self::LastLines(given.int("n"))),
            (false, false) => Ok(Self::LastLines(10)),
        }
    }

    /// The parameters that select it.
    pub(super) fn query(self, query: Query, follow: bool) -> Query {
        let query = query.with("follow", follow.to_string());
        let (origin, offset) = match self {
            Self::All => ("start", 0),
            Self::LastLines(lines) => ("end", lines.saturating_mul(BYTES_PER_LINE)),
            Self::LastBytes(bytes) => ("end", bytes),
        };
        query
            .with("origin", origin)
            .with("offset", offset.to_string())
    }
}

/// The last lines of some text.
fn last_lines(data: &[u8], count: i64) -> &[u8] {
    let count = usize::try_from(count).unwrap_or(0);
    let body = data.strip_suffix(b"\n").unwrap_or(data);
    if count == 0 {
        return &[];
    }
    let newlines = body
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, byte)| **byte == b'\n');
    match newlines.map(|(at, _)| at).nth(count - 1) {
        Some(at) => &data[at + 1..],
        None => data,
    }
}

/// Writes a stream to stdout (or stderr) as it comes.
pub(super) async fn copy(
    api: &Api,
    path: &str,
    query: Query,
    part: Part,
    follow: bool,
    to_stderr: bool,
) -> Result<(), Error> {
    let mut frames = api.client.frames(path, part.query(query, follow)).await?;
    let mut held = Vec::new();
    let mut first = true;
    while let Some(frame) = frames.frame().await? {
        if frame.event == "file deleted" {
            break;
        }
        match part {
            Part::LastLines(_) if !follow => held.extend_from_slice(&frame.data),
            Part::LastLines(count) if first => emit(last_lines(&frame.data, count), to_stderr),
            _ => emit(&frame.data, to_stderr),
        }
        first = false;
    }
    if let Part::LastLines(count) = part {
        emit(last_lines(&held, count), to_stderr);
    }
    Ok(())
}

fn emit(data: &[u8], to_stderr: bool) {
    let mut ui = crate::ui::Ui::from_env();
    match to_stderr {
        true => ui.raw_err(data),
        false => ui.raw(data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_lines() {
        assert_eq!(last_lines(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(last_lines(b"a\nb", 1), b"b");
        assert_eq!(last_lines(b"a\n", 5), b"a\n");
        assert_eq!(last_lines(b"a\n", 0), b"");
    }
}
