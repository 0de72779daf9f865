//! Frames: a twelve byte header before each body, all integers big-endian.
//!
//! ```text
//! type u16 | layout version u16 | body length u32 | crc32 of the eight bytes before and the body
//! ```

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    WireError,
    msgpack::{pack, unpack},
};

/// Bytes before the body of a frame.
pub const HEADER_LEN: usize = 12;

/// One kind of record: its number, the layout version that this release writes, and its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Appears in errors, e.g. `raft log entry`.
    pub name: &'static str,
    /// Unique among all formats that can be met in one place.
    pub kind: u16,
    /// Written into each frame; frames with a higher one are refused.
    pub version: u16,
    /// Longest body that is written or read.
    pub limit: usize,
}

/// The checked start of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: u16,
    pub version: u16,
    pub length: usize,
    pub checksum: u32,
}

impl Format {
    /// Packs `value` into a frame.
    pub fn encode<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, WireError> {
        self.wrap(&pack(self.name, value)?)
    }

    /// Unpacks the value of a frame that fills `bytes`.
    pub fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, WireError> {
        let (body, rest) = self.split(bytes)?;
        if !rest.is_empty() {
            return Err(WireError::TrailingBytes { what: self.name });
        }
        unpack(self.name, body)
    }

    /// Puts raw bytes into a frame, unpacked.
    pub fn wrap(&self, body: &[u8]) -> Result<Vec<u8>, WireError> {
        self.check_size(body.len())?;
        let mut out = Vec::with_capacity(HEADER_LEN + body.len());
        out.resize(HEADER_LEN, 0);
        out.extend_from_slice(body);
        self.seal(&mut out);
        Ok(out)
    }

    /// Takes the first frame off `bytes`: its checked body, and what follows.
    pub fn split<'a>(&self, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), WireError> {
        let header = self.header(bytes)?;
        let after = &bytes[HEADER_LEN..];
        if after.len() < header.length {
            return Err(WireError::Truncated {
                what: self.name,
                have: bytes.len(),
                need: HEADER_LEN + header.length,
            });
        }
        let (body, rest) = after.split_at(header.length);
        let computed = checksum(&bytes[..8], body);
        if computed != header.checksum {
            return Err(WireError::Checksum {
                what: self.name,
                stored: header.checksum,
                computed,
            });
        }
        Ok((body, rest))
    }

    /// Checks type, version and length at the start of `bytes`; a stream reader learns from it
    /// how many bytes to fetch before [`Format::split`].
    pub fn header(&self, bytes: &[u8]) -> Result<Header, WireError> {
        let header = Header::parse(bytes).ok_or(WireError::Truncated {
            what: self.name,
            have: bytes.len(),
            need: HEADER_LEN,
        })?;
        if header.kind != self.kind {
            return Err(WireError::WrongType {
                what: self.name,
                found: header.kind,
                expected: self.kind,
            });
        }
        if header.version > self.version {
            return Err(WireError::TooNew {
                what: self.name,
                found: header.version,
                supported: self.version,
            });
        }
        self.check_size(header.length)?;
        Ok(header)
    }

    fn body_limit(&self) -> usize {
        self.limit.min(u32::MAX as usize)
    }

    fn check_size(&self, size: usize) -> Result<(), WireError> {
        let limit = self.body_limit();
        if size > limit {
            return Err(WireError::TooLarge {
                what: self.name,
                size,
                limit,
            });
        }
        Ok(())
    }

    /// Fills in the header of `frame`, whose body is complete and within the bound.
    fn seal(&self, frame: &mut [u8]) {
        let length = u32::try_from(frame.len() - HEADER_LEN).expect("bounded by body_limit");
        let (header, body) = frame.split_at_mut(HEADER_LEN);
        header[..2].copy_from_slice(&self.kind.to_be_bytes());
        header[2..4].copy_from_slice(&self.version.to_be_bytes());
        header[4..8].copy_from_slice(&length.to_be_bytes());
        let sum = checksum(&header[..8], body);
        header[8..].copy_from_slice(&sum.to_be_bytes());
    }
}

impl Header {
    /// Reads a header without judging it; `None` when fewer than [`HEADER_LEN`] bytes are there.
    pub fn parse(bytes: &[u8]) -> Option<Header> {
        let (head, _) = bytes.split_first_chunk::<HEADER_LEN>()?;
        Some(Header {
            kind: u16::from_be_bytes([head[0], head[1]]),
            version: u16::from_be_bytes([head[2], head[3]]),
            length: u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize,
            checksum: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
        })
    }
}

fn checksum(head: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(head);
    hasher.update(body);
    hasher.finalize()
}
