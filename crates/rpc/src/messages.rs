//! Typed messages on a streaming body: each is its length (4 bytes, big endian) and msgpack.
//!
//! For calls that go on, such as exec or following a log: give the reading end of a
//! [`channel`] as body of a request or a response, and read the other body with [`MessageReader`].

use bytes::{Buf, BufMut, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body::{Body, BodySender};
use crate::error::RpcError;
use crate::msgpack::{decode, encode};

const LENGTH: usize = 4;

/// A body of messages, and the sender that feeds it; `waiting` messages are held at most.
#[must_use]
pub fn channel(waiting: usize) -> (MessageSender, Body) {
    let (sender, body) = Body::channel(waiting);
    (MessageSender { sender }, body)
}

/// Sends messages; dropping it ends the stream regularly.
#[derive(Clone, Debug)]
pub struct MessageSender {
    sender: BodySender,
}

impl MessageSender {
    /// Sends one message, waiting while the reader is behind.
    pub async fn send<T: Serialize + ?Sized>(&self, message: &T) -> Result<(), RpcError> {
        let payload = encode("a message", message)?;
        let length = u32::try_from(payload.len()).map_err(|_| RpcError::TooLarge {
            what: "the message",
            limit: u32::MAX as usize,
        })?;
        let mut frame = BytesMut::with_capacity(LENGTH + payload.len());
        frame.put_u32(length);
        frame.extend_from_slice(&payload);
        Ok(self.sender.send(frame).await?)
    }

    /// Ends the stream with an error at the reader.
    pub async fn abort(self, reason: impl Into<String>) {
        self.sender.abort(reason).await;
    }

    /// Returns when nobody reads any more.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }
}

/// Reads messages from a body.
#[derive(Debug)]
pub struct MessageReader {
    body: Body,
    buffer: BytesMut,
    max_message: usize,
}

impl MessageReader {
    /// `max_message` bounds what a peer can make us buffer.
    #[must_use]
    pub fn new(body: Body, max_message: usize) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            max_message,
        }
    }

    /// The next message; `None` at the regular end. May be cancelled without losing anything.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RpcError> {
        loop {
            if let Some(payload) = self.take()? {
                return decode("a message", &payload).map(Some);
            }
            match self.body.next().await.transpose()? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    let what = "it ended in the middle of a message".to_owned();
                    return Err(RpcError::Body(what));
                }
            }
        }
    }

    fn take(&mut self) -> Result<Option<BytesMut>, RpcError> {
        let Some(header) = self.buffer.first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*header) as usize;
        if length > self.max_message {
            return Err(RpcError::TooLarge {
                what: "the message",
                limit: self.max_message,
            });
        }
        if self.buffer.len() < LENGTH + length {
            return Ok(None);
        }
        self.buffer.advance(LENGTH);
        Ok(Some(self.buffer.split_to(length)))
    }
}
