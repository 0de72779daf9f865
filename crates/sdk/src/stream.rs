//! Streams of JSON values, written one behind the other without anything between.

use crate::client::Response;
use crate::error::Error;
use base64::Engine;
use bytes::BytesMut;
use serde_json::Value;

/// A piece of a file or a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Which file.
    pub file: String,
    /// The place after `data`.
    pub offset: i64,
    /// The bytes.
    pub data: Vec<u8>,
    /// `file deleted`, `file truncated` or empty.
    pub event: String,
}

/// Reads values from a body as they come.
pub struct FrameStream {
    answer: Response,
    buffer: BytesMut,
    ended: bool,
}

impl FrameStream {
    pub(crate) fn new(answer: Response) -> Self {
        Self {
            answer,
            buffer: BytesMut::new(),
            ended: false,
        }
    }

    /// The next value, heartbeats (`{}`) included; `None` at the end.
    pub async fn value(&mut self) -> Result<Option<Value>, Error> {
        loop {
            if let Some(value) = self.parse()? {
                return Ok(Some(value));
            }
            if self.ended {
                let rest = String::from_utf8_lossy(&self.buffer).trim().to_owned();
                return match rest.is_empty() {
                    true => Ok(None),
                    // A stream that fails halfway ends in the reason.
                    false => Err(Error::Closed(rest)),
                };
            }
            match self.answer.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => self.ended = true,
            }
        }
    }

    fn parse(&mut self) -> Result<Option<Value>, Error> {
        let mut values = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                let read = values.byte_offset();
                let _ = self.buffer.split_to(read);
                Ok(Some(value))
            }
            Some(Err(error)) if error.is_eof() || self.ended => Ok(None),
            Some(Err(_)) => Err(Error::Closed(
                String::from_utf8_lossy(&self.buffer).trim().to_owned(),
            )),
            None => Ok(None),
        }
    }

    /// The next frame that says something.
    pub async fn frame(&mut self) -> Result<Option<Frame>, Error> {
        while let Some(value) = self.value().await? {
            let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
            let data = base64::engine::general_purpose::STANDARD
                .decode(text("Data"))
                .map_err(|e| Error::Decode(e.to_string()))?;
            let frame = Frame {
                file: text("File"),
                offset: value["Offset"].as_i64().unwrap_or_default(),
                data,
                event: text("FileEvent"),
            };
            if frame != Frame::default() {
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }
}
