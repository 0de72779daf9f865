//! The agent's end of the connection to a supervisor.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::frame::Inbox;
use super::spec::Reply;

/// A connection to a supervisor, with what was read already of what comes next.
#[derive(Debug)]
pub(crate) struct Control {
    stream: UnixStream,
    inbox: Inbox,
}

impl Control {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            inbox: Inbox::default(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    pub(crate) async fn receive(&mut self) -> io::Result<Reply> {
        loop {
            if let Some(reply) = self.inbox.next()? {
                return Ok(reply);
            }
            self.stream.readable().await?;
            let mut buffer = [0; 1024];
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.inbox.push(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
