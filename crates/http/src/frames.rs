//! Streams of frames: files and logs that are followed, and the agent's own log.
//!
//! A frame is a JSON object; objects follow each other without a separator. An empty one says that the stream
//! is alive. With `plain` only the data is sent.

use std::{io, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    answer::{Answer, content_type},
    error::ApiError,
};

/// The most data that one frame carries.
pub const MAX_DATA: usize = 64 << 10;
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A piece of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Path of the file, from the folder of the allocation; empty for the agent's log.
    pub file: String,
    /// Where the data ends in the file.
    pub offset: i64,
    pub data: Bytes,
    /// `file deleted` or `file truncated`.
    pub file_event: String,
}

/// How frames are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    Plain,
}

/// Frames, or why there are no more.
pub type Frames = mpsc::Receiver<Result<Frame, ApiError>>;

/// Answers with frames as they come. What goes wrong before the first of them is an ordinary error; later its
/// text is the end of the stream.
pub async fn answer(mut frames: Frames, form: Form) -> Result<Answer, ApiError> {
    // A stream that is followed may have nothing to say yet: its head must not wait for that.
    let first = match timeout(HEARTBEAT, frames.recv()).await {
        Ok(Some(Err(error))) => return Err(error),
        Ok(None) => return Ok(Answer::stream(kind(form), stream::empty())),
        Ok(Some(Ok(frame))) => Some(frame),
        Err(_) => None,
    };
    Ok(Answer::stream(kind(form), body(first, frames, form)))
}

/// The same where nothing can be wrong any more: the head is sent at once, whenever the first frame comes.
#[must_use]
pub fn answer_now(frames: Frames, form: Form) -> Answer {
    Answer::stream(kind(form), body(None, frames, form))
}

fn kind(form: Form) -> &'static str {
    match form {
        Form::Json => content_type::JSON,
        Form::Plain => content_type::PLAIN,
    }
}

/// The body: each piece is sent as it comes; what has queued up goes in one piece.
fn body(
    first: Option<Frame>,
    frames: Frames,
    form: Form,
) -> impl Stream<Item = Result<Bytes, io::Error>> {
    let start = Some((first.map(Ok), frames));
    stream::unfold(start, move |state| async move {
        let (mut next, mut frames) = state?;
        let mut out = BytesMut::new();
        if next.is_none() {
            next = match timeout(HEARTBEAT, frames.recv()).await {
                Ok(Some(frame)) => Some(frame),
                Ok(None) => return None,
                Err(_) if form == Form::Json => {
                    out.extend_from_slice(b"{}");
                    None
                }
                // Nothing to say in plain text; an empty piece keeps the loop going.
                Err(_) => None,
            };
        }
        while let Some(frame) = next.take() {
            match frame {
                Ok(frame) => write(&frame, form, &mut out),
                Err(error) => {
                    out.extend_from_slice(error.message.as_bytes());
                    return Some((Ok(out.freeze()), None));
                }
            }
            if out.len() < 4 * MAX_DATA {
                next = frames.try_recv().ok();
            }
        }
        Some((Ok(out.freeze()), Some((None, frames))))
    })
}

/// Writes one frame, in several when it has too much data.
pub fn write(frame: &Frame, form: Form, out: &mut BytesMut) {
    let Frame {
        file,
        offset,
        data,
        file_event,
    } = frame; // exhaustive
    if form == Form::Plain {
        out.extend_from_slice(data);
        return;
    }
    let mut rest = &data[..];
    loop {
        let (piece, behind) = rest.split_at(rest.len().min(MAX_DATA));
        rest = behind;
        let wire = WireFrame {
            data: if piece.is_empty() {
                String::new()
            } else {
                BASE64.encode(piece)
            },
            file,
            file_event: if rest.is_empty() { file_event } else { "" },
            offset: offset - i64::try_from(rest.len()).unwrap_or(0),
        };
        let text = serde_json::to_vec(&wire).expect("a frame has only text and numbers");
        out.extend_from_slice(&text);
        if rest.is_empty() {
            return;
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireFrame<'a> {
    #[serde(skip_serializing_if = "String::is_empty")]
    data: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    file: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    file_event: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    offset: i64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
