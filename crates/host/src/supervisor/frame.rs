//! Messages on a Unix socket: four bytes of length, then JSON; file descriptors ride along.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Larger messages are a broken peer.
pub(crate) const MAX_FRAME: usize = 16 << 20;
const MAX_FDS: usize = 3;
/// Bytes of the length before each message.
const HEADER: usize = 4;
/// Most messages are no larger.
const USUAL: usize = 4 << 10;

pub(crate) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = Vec::with_capacity(USUAL);
    frame.extend_from_slice(&[0; HEADER]);
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - HEADER);
    let length = length.map_err(|_| io::Error::other("message too large"))?;
    frame[..HEADER].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

pub(crate) fn decode_length(header: [u8; 4]) -> io::Result<usize> {
    let length = u32::from_be_bytes(header) as usize;
    if length > MAX_FRAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "message too large",
        ));
    }
    Ok(length)
}

/// Blocking read of one message.
pub(crate) fn read<T: DeserializeOwned>(stream: &mut UnixStream) -> io::Result<T> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let mut body = vec![0; decode_length(header)?];
    stream.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

/// Sends bytes with descriptors attached to the first of them.
pub(crate) fn send_with_fds(
    stream: &UnixStream,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors"));
    }
    let sent = rustix::net::sendmsg(
        stream,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    let mut stream = stream;
    stream.write_all(&bytes[sent..])
}

/// One `recvmsg`: the number of bytes (0 at the end) and any descriptors.
pub(crate) fn receive(
    stream: impl AsFd,
    buffer: &mut [u8],
    fds: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [IoSliceMut::new(buffer)];
    let got = rustix::net::recvmsg(stream, &mut slices, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    Ok(got.bytes)
}

/// Collects bytes until whole messages are there.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    pub(crate) fds: Vec<OwnedFd>,
}

impl Inbox {
    /// Bytes of messages that are not whole yet.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes in what was read elsewhere.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Reads what is there. `false`: the peer has gone.
    pub(crate) fn fill(&mut self, stream: &UnixStream) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        match receive(stream, &mut buffer, &mut self.fds) {
            Ok(0) => Ok(false),
            Ok(n) => {
                self.bytes.extend_from_slice(&buffer[..n]);
                Ok(true)
            }
            Err(err)
                if matches!(
                    err.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) =>
            {
                Ok(true)
            }
            Err(err) => Err(err),
        }
    }

    pub(crate) fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(header) = self.bytes.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = decode_length(*header)?;
        if self.bytes.len() < 4 + length {
            return Ok(None);
        }
        let message = serde_json::from_slice(&self.bytes[4..4 + length])?;
        if self.bytes.len() == 4 + length {
            // There may never be another one: a task may run for years.
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..4 + length);
        }
        Ok(Some(message))
    }
}
