//! Who is at the other end of a connection, and how sure we are.

use std::net::SocketAddr;

/// The other end of a connection, as handed to a handler (argument and request extension).
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where the connection came from; `None` for a call inside the process.
    pub address: Option<SocketAddr>,
    /// What the peer said it is.
    pub claim: Claim,
    /// What we know about it.
    pub identity: Identity,
}

/// What the peer said when the connection began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// A server: peer traffic and forwarded calls.
    Server { name: String, region: String },
    /// A node calling a server.
    Client { node_id: String },
    /// A node that lets the server call back.
    Reverse { node_id: String },
    /// No connection at all: the same process.
    InProcess,
}

/// Role of an agent, as its certificate names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Server,
    Client,
}

impl Role {
    /// The name that a certificate of this role carries: `server.<region>.nomad`.
    #[must_use]
    pub fn certificate_name(self, region: &str) -> String {
        match self {
            Self::Server => format!("server.{region}.nomad"),
            Self::Client => format!("client.{region}.nomad"),
        }
    }
}

/// Role and region of a peer, and whether they were proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub role: Role,
    pub region: String,
    /// The certificate names this role and region (always true inside the process). Without TLS,
    /// or with a certificate that carries no such name, role and region are only what was claimed.
    pub verified: bool,
}

impl Peer {
    /// The peer of a call that never leaves the process: trusted as a server of `region`.
    #[must_use]
    pub fn in_process(region: impl Into<String>) -> Self {
        Self {
            address: None,
            claim: Claim::InProcess,
            identity: Identity {
                role: Role::Server,
                region: region.into(),
                verified: true,
            },
        }
    }

    /// The node that the peer claims to be, if it does.
    #[must_use]
    pub fn node_id(&self) -> Option<&str> {
        match &self.claim {
            Claim::Client { node_id } | Claim::Reverse { node_id } => Some(node_id),
            Claim::Server { .. } | Claim::InProcess => None,
        }
    }

    /// The peer acts as a server (or is this process).
    #[must_use]
    pub fn is_server(&self) -> bool {
        matches!(self.claim, Claim::Server { .. } | Claim::InProcess)
    }
}
