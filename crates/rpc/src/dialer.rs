//! Opening a connection: TCP, TLS, preface, each with a name for the error.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use tokio_util::either::Either;

use crate::body::with_causes;
use crate::connection::Connection;
use crate::error::RpcError;
use crate::limits::Limits;
use crate::peer::{Claim, Identity, Peer, Role};
use crate::preface::{self, Preface, PrefaceError};
use crate::tls::{Tls, names_role};

/// The bytes under HTTP/2.
pub(crate) type Io = Either<TcpStream, TlsStream<TcpStream>>;

/// A server to call: where, and of which region it must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    address: Arc<str>,
    region: Arc<str>,
}

impl Target {
    /// `address` is `host:port`.
    pub fn new(address: impl Into<Arc<str>>, region: impl Into<Arc<str>>) -> Self {
        Self {
            address: address.into(),
            region: region.into(),
        }
    }

    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }
}

/// Opens connections to servers on behalf of one agent.
#[derive(Clone, Debug)]
pub struct Dialer {
    preface: Arc<Preface>,
    tls: Option<Arc<Tls>>,
    limits: Arc<Limits>,
}

/// An open connection that the listener accepted, before HTTP/2.
pub(crate) struct Dialled {
    pub(crate) io: Io,
    pub(crate) peer: Peer,
}

impl Dialer {
    /// `preface` says who we are: [`Preface::Server`] or [`Preface::Client`].
    #[must_use]
    pub fn new(preface: Preface, tls: Option<Arc<Tls>>, limits: Limits) -> Self {
        Self {
            preface: Arc::new(preface),
            tls,
            limits: Arc::new(limits),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Our own region.
    pub(crate) fn region(&self) -> &str {
        self.preface.region()
    }

    /// A connection to send requests on.
    pub(crate) async fn connect(&self, target: &Target) -> Result<Connection, RpcError> {
        let Dialled { io, peer } = self.dial(target, &self.preface).await?;
        Connection::start(io, target.address().to_owned(), peer, &self.limits).await
    }

    pub(crate) async fn dial(
        &self,
        target: &Target,
        preface: &Preface,
    ) -> Result<Dialled, RpcError> {
        let mut stage = "looking up the name";
        let dialling = self.stages(target, preface, &mut stage);
        match tokio::time::timeout(self.limits.dial_timeout, dialling).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(RpcError::ConnectTimeout {
                address: target.address().to_owned(),
                stage,
                after: self.limits.dial_timeout,
            }),
        }
    }

    async fn stages(
        &self,
        target: &Target,
        preface: &Preface,
        stage: &mut &'static str,
    ) -> Result<Dialled, RpcError> {
        let addresses = lookup(target).await?;
        *stage = "the TCP connection";
        let (stream, address) = open(target, &addresses).await?;
        *stage = "the TLS handshake";
        let (mut io, verified) = self.secure(target, stream).await?;
        *stage = "the answer to the preface";
        let accepted = preface::offer(&mut io, preface).await;
        let accepted = accepted.map_err(|error| offer_error(target, error))?;
        let claim = Claim::Server {
            name: accepted.name,
            region: accepted.region,
        };
        let identity = Identity {
            role: Role::Server,
            region: target.region().to_owned(),
            verified,
        };
        let peer = Peer {
            address: Some(address),
            claim,
            identity,
        };
        Ok(Dialled { io, peer })
    }

    /// TLS when configured; also tells whether the certificate names the role and region.
    async fn secure(&self, target: &Target, stream: TcpStream) -> Result<(Io, bool), RpcError> {
        let Some(tls) = &self.tls else {
            return Ok((Either::Left(stream), false));
        };
        let failed = |what: String| RpcError::Tls {
            address: target.address().to_owned(),
            what,
        };
        let role = Role::Server.certificate_name(target.region());
        let name = ServerName::try_from(role.clone());
        let name = name.map_err(|_| failed(format!("{role:?} is not a name for a certificate")))?;
        let stream = tls.connector().connect(name, stream).await;
        let stream = stream.map_err(|error| failed(tls_hint(&error)))?;
        let (_, session) = stream.get_ref();
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let verified =
            certificate.is_some_and(|cert| names_role(cert, Role::Server, target.region()));
        Ok((Either::Right(TlsStream::Client(stream)), verified))
    }
}

async fn lookup(target: &Target) -> Result<Vec<SocketAddr>, RpcError> {
    let refused = |what: String| RpcError::Connect {
        address: target.address().to_owned(),
        what,
    };
    let found = tokio::net::lookup_host(target.address()).await;
    let addresses: Vec<_> = found.map_err(|error| refused(error.to_string()))?.collect();
    if addresses.is_empty() {
        return Err(refused("the name has no address".to_owned()));
    }
    Ok(addresses)
}

async fn open(
    target: &Target,
    addresses: &[SocketAddr],
) -> Result<(TcpStream, SocketAddr), RpcError> {
    let mut what = String::new();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Small messages must not wait for more; without it calls are only slower.
                let _ = stream.set_nodelay(true);
                return Ok((stream, *address));
            }
            Err(error) => what = error.to_string(),
        }
    }
    Err(RpcError::Connect {
        address: target.address().to_owned(),
        what,
    })
}

fn tls_hint(error: &std::io::Error) -> String {
    let text = with_causes(error);
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("{text} (does the other end have tls {{ rpc = true }}?)")
        }
        _ => text,
    }
}

fn offer_error(target: &Target, error: PrefaceError) -> RpcError {
    let address = target.address().to_owned();
    match error {
        PrefaceError::Refused(message) => RpcError::Refused { address, message },
        // With TLS 1.3 a listener's verdict on our certificate comes after our handshake is done.
        PrefaceError::Io(error) if error.get_ref().is_some_and(|e| e.is::<rustls::Error>()) => {
            let what = with_causes(&error);
            RpcError::Tls { address, what }
        }
        PrefaceError::Closed => RpcError::Connect {
            address,
            what: "it closed the connection without a word (it may have reached \
                   rpc_max_conns_per_client, or be no server)"
                .to_owned(),
        },
        other => RpcError::Connect {
            address,
            what: other.to_string(),
        },
    }
}
