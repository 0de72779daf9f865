//! The first bytes of a connection: which protocol, which version, and what the connection is for.
//!
//! Dialler: `"CVRP"`, version, use, length (2 bytes, big endian), then that many bytes of msgpack.
//! Listener: `"CVRP"`, version, verdict (0 accepted, 1 refused), length, msgpack of who it is or
//! why not. A refusal can be read by any version, so the header never changes.

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::peer::Claim;

/// Version that this build speaks.
pub const VERSION: u8 = 1;
/// Longest payload, in bytes.
pub const MAX_PAYLOAD: usize = 4096;

const MAGIC: [u8; 4] = *b"CVRP";
const HEADER: usize = 8;

const ACCEPTED: u8 = 0;
const REFUSED: u8 = 1;

/// What the dialler wants the connection for.
#[derive(Clone, PartialEq, Eq)]
pub enum Preface {
    /// A server: peer traffic and forwarded calls.
    Server { name: String, region: String },
    /// A node calling a server.
    Client { node_id: String, region: String },
    /// A node that will serve requests on this connection.
    Reverse {
        node_id: String,
        region: String,
        secret: String,
    },
}

/// The listener's name and region, once it accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub name: String,
    pub region: String,
}

/// Why a preface or the answer to it was not understood.
#[derive(Debug, thiserror::Error)]
pub enum PrefaceError {
    #[error("the connection was closed before the preface was complete")]
    Closed,
    #[error("the peer does not speak the agent protocol (it sent {0})")]
    NotOurs(String),
    #[error("protocol version {theirs} is not supported, this agent speaks version {VERSION}")]
    Version { theirs: u8 },
    #[error("connection use {0} is not known to this agent")]
    UnknownUse(u8),
    #[error("the preface is {0} bytes long, at most {MAX_PAYLOAD} are allowed")]
    TooLong(usize),
    #[error("the preface cannot be decoded: {0}")]
    Malformed(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Fields of all uses; an absent one is empty, a new one is ignored by an older agent.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Fields {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    region: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    node_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    secret: String,
}

impl Preface {
    #[must_use]
    pub fn region(&self) -> &str {
        match self {
            Self::Server { region, .. }
            | Self::Client { region, .. }
            | Self::Reverse { region, .. } => region,
        }
    }

    #[must_use]
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::Reverse { secret, .. } => Some(secret),
            Self::Server { .. } | Self::Client { .. } => None,
        }
    }

    #[must_use]
    pub fn claim(&self) -> Claim {
        match self.clone() {
            Self::Server { name, region } => Claim::Server { name, region },
            Self::Client { node_id, .. } => Claim::Client { node_id },
            Self::Reverse { node_id, .. } => Claim::Reverse { node_id },
        }
    }

    fn parts(&self) -> (u8, Fields) {
        let mut fields = Fields {
            region: self.region().to_owned(),
            ..Fields::default()
        };
        let code = match self {
            Self::Server { name, .. } => {
                fields.name.clone_from(name);
                1
            }
            Self::Client { node_id, .. } => {
                fields.node_id.clone_from(node_id);
                2
            }
            Self::Reverse {
                node_id, secret, ..
            } => {
                fields.node_id.clone_from(node_id);
                fields.secret.clone_from(secret);
                3
            }
        };
        (code, fields)
    }

    fn from_parts(code: u8, fields: Fields) -> Result<Self, PrefaceError> {
        let Fields {
            name,
            region,
            node_id,
            secret,
        } = fields; // exhaustive
        let named = |value: &str, what: &str| {
            if value.is_empty() {
                return Err(PrefaceError::Malformed(format!("it has no {what}")));
            }
            Ok(())
        };
        match code {
            1 => named(&name, "name").map(|()| Self::Server { name, region }),
            // Who a node is, is proven with each call; before its first registration it has no name.
            2 => Ok(Self::Client { node_id, region }),
            3 => named(&node_id, "node id").map(|()| Self::Reverse {
                node_id,
                region,
                secret,
            }),
            other => Err(PrefaceError::UnknownUse(other)),
        }
    }

    /// The frame that a dialler sends.
    pub fn encode(&self) -> Result<Vec<u8>, PrefaceError> {
        let (code, fields) = self.parts();
        frame(code, &fields)
    }

    /// Reads what a dialler sent.
    pub async fn read(io: &mut (impl AsyncRead + Unpin)) -> Result<Self, PrefaceError> {
        let (version, code, payload) = read_frame(io).await?;
        if version != VERSION {
            return Err(PrefaceError::Version { theirs: version });
        }
        if !(1..=3).contains(&code) {
            return Err(PrefaceError::UnknownUse(code));
        }
        Self::from_parts(code, decode(&payload)?)
    }
}

impl std::fmt::Debug for Preface {
    /// The secret stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} of region {:?}", self.claim(), self.region())
    }
}

/// Tells the dialler that requests may follow.
pub async fn accept(
    io: &mut (impl AsyncWrite + Unpin),
    who: &Accepted,
) -> Result<(), PrefaceError> {
    io.write_all(&frame(ACCEPTED, who)?).await?;
    Ok(io.flush().await?)
}

/// Tells the dialler why not.
pub async fn refuse(io: &mut (impl AsyncWrite + Unpin), why: &str) -> Result<(), PrefaceError> {
    // Cut by characters (at most 4 bytes each), so that it fits whatever the text.
    let why: String = why.chars().take(MAX_PAYLOAD / 8).collect();
    io.write_all(&frame(REFUSED, &why)?).await?;
    Ok(io.flush().await?)
}

/// Sends the preface and reads the verdict.
pub async fn offer(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    preface: &Preface,
) -> Result<Accepted, PrefaceError> {
    io.write_all(&preface.encode()?).await?;
    io.flush().await?;
    let (version, verdict, payload) = read_frame(io).await?;
    match verdict {
        REFUSED => Err(PrefaceError::Refused(decode(&payload)?)),
        _ if version != VERSION => Err(PrefaceError::Version { theirs: version }),
        ACCEPTED => decode(&payload),
        other => Err(PrefaceError::Malformed(format!("unknown verdict {other}"))),
    }
}

fn frame(code: u8, payload: &impl Serialize) -> Result<Vec<u8>, PrefaceError> {
    let payload = caravan_codec::msgpack::pack(payload)
        .map_err(|error| PrefaceError::Malformed(error.to_string()))?;
    if payload.len() > MAX_PAYLOAD {
        return Err(PrefaceError::TooLong(payload.len()));
    }
    let mut frame = Vec::with_capacity(HEADER + payload.len());
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&[VERSION, code]);
    frame.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    frame.extend_from_slice(&payload);
    Ok(frame)
}

async fn read_frame(io: &mut (impl AsyncRead + Unpin)) -> Result<(u8, u8, Vec<u8>), PrefaceError> {
    let mut header = [0u8; HEADER];
    // The magic first: a stranger may never send eight bytes.
    read_exact(io, &mut header[..4]).await?;
    if header[..4] != MAGIC {
        return Err(PrefaceError::NotOurs(describe(&header[..4])));
    }
    read_exact(io, &mut header[4..]).await?;
    let length = usize::from(u16::from_be_bytes([header[6], header[7]]));
    if length > MAX_PAYLOAD {
        return Err(PrefaceError::TooLong(length));
    }
    let mut payload = vec![0u8; length];
    read_exact(io, &mut payload).await?;
    Ok((header[4], header[5], payload))
}

async fn read_exact(
    io: &mut (impl AsyncRead + Unpin),
    into: &mut [u8],
) -> Result<(), PrefaceError> {
    match io.read_exact(into).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(PrefaceError::Closed)
        }
        Err(error) => Err(PrefaceError::Io(error)),
    }
}

fn decode<T: for<'de> Deserialize<'de>>(payload: &[u8]) -> Result<T, PrefaceError> {
    caravan_codec::msgpack::unpack(payload)
        .map_err(|error| PrefaceError::Malformed(error.to_string()))
}

/// Names what strangers commonly send, so that a wrong port or a TLS mismatch explains itself.
fn describe(start: &[u8]) -> String {
    match start {
        [0x15 | 0x16, 3, ..] => "TLS; only one end has tls { rpc = true }".to_owned(),
        b"GET " | b"POST" | b"PUT " | b"HEAD" | b"HTTP" => {
            "HTTP; this port serves agents, not the public API".to_owned()
        }
        other => format!("{:?}", String::from_utf8_lossy(other)),
    }
}

#[cfg(test)]
mod tests;
