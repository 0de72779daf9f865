//! Accepting connections: bounds, TLS, preface, roles, and then serving or calling back.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::body::with_causes;
use crate::channel::Channel;
use crate::connection::Connection;
use crate::dialer::Io;
use crate::handler::{Handler, serve_connection};
use crate::limits::Limits;
use crate::peer::{Claim, Identity, Peer, Role};
use crate::preface::{self, Accepted, Preface, PrefaceError};
use crate::sessions::NodeSessions;
use crate::tls::{Tls, names_role};

/// First byte of every TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;

/// Who listens, and under which conditions.
#[derive(Clone, Debug, Default)]
pub struct ListenerConfig {
    /// Name of this agent, shown to diallers.
    pub name: String,
    /// Region of this agent: nodes of another one are refused.
    pub region: String,
    /// `None` is plain TCP.
    pub tls: Option<Arc<Tls>>,
    pub limits: Limits,
}

/// A bound port; connections wait until [`Listener::serve`].
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    config: ListenerConfig,
}

impl Listener {
    /// Binds the address; port 0 picks a free one.
    pub fn bind(address: SocketAddr, config: ListenerConfig) -> std::io::Result<Self> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(config.limits.accept_backlog)?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket,
            address,
            config,
        })
    }

    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `shutdown`; requests go to `handler`, nodes that want to be called back to
    /// `sessions`. Returns when open requests are done or `limits.drain` is over.
    pub async fn serve(
        self,
        handler: Arc<dyn Handler>,
        sessions: NodeSessions,
        shutdown: CancellationToken,
    ) {
        let drain = self.config.limits.drain;
        let room = Arc::new(Room {
            counts: Counts::new(self.config.limits.max_connections_per_ip),
            config: self.config,
            handler,
            sessions,
            shutdown: shutdown.clone(),
        });
        let connections = TaskTracker::new();
        while let Some(accepted) = shutdown.run_until_cancelled(self.socket.accept()).await {
            match accepted {
                Ok((stream, address)) => {
                    if let Some(place) = room.counts.enter(address.ip()) {
                        let room = Arc::clone(&room);
                        connections.spawn(async move {
                            room.connection(stream, address).await;
                            drop(place);
                        });
                    }
                }
                Err(error) => {
                    // Out of descriptors, most likely: accepting at once again would spin.
                    tracing::warn!(%error, "cannot accept a connection of another agent");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.socket);
        connections.close();
        // Each connection ends itself after `drain`; the rest is for those in a handshake.
        let _ = tokio::time::timeout(drain.saturating_mul(2), connections.wait()).await;
    }
}

struct Room {
    config: ListenerConfig,
    handler: Arc<dyn Handler>,
    sessions: NodeSessions,
    shutdown: CancellationToken,
    counts: Arc<Counts>,
}

/// A connection that may be used.
struct Admitted {
    io: Io,
    peer: Peer,
}

impl Room {
    async fn connection(&self, stream: TcpStream, address: SocketAddr) {
        // Small messages must not wait for more; without it calls are only slower.
        let _ = stream.set_nodelay(true);
        let handshake = within(
            self.config.limits.handshake_timeout,
            self.admit(stream, address),
        );
        match self.shutdown.run_until_cancelled(handshake).await {
            Some(Ok(admitted)) => self.run(admitted).await,
            Some(Err(why)) => tracing::debug!(%address, why, "connection refused"),
            None => {}
        }
    }

    async fn run(&self, Admitted { io, peer }: Admitted) {
        let limits = &self.config.limits;
        let address = peer.address;
        let ended = match peer.claim.clone() {
            Claim::Reverse { node_id } => self.call_back(io, peer, node_id).await,
            Claim::Server { .. } | Claim::Client { .. } | Claim::InProcess => {
                let handler = Arc::clone(&self.handler);
                let served = serve_connection(io, handler, peer, limits, &self.shutdown).await;
                served.map_err(|error| with_causes(&error))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(?address, error, "connection lost");
        }
    }

    /// Registers the node until its connection ends.
    async fn call_back(&self, io: Io, peer: Peer, node_id: String) -> Result<(), String> {
        let limits = &self.config.limits;
        let name = format!("node {node_id}");
        let connection = Connection::start(io, name, peer, limits).await;
        let connection = connection.map_err(|error| error.to_string())?;
        let closed = connection.closed();
        let session = self
            .sessions
            .insert(node_id, Channel::connection(connection.clone()));
        // Only sessions and callers may keep it open, so that a replaced one closes.
        let abort = connection.abort_handle();
        drop(connection);
        tokio::select! {
            () = closed.cancelled() => {}
            () = self.shutdown.cancelled() => {
                drop(session);
                let _ = tokio::time::timeout(limits.drain, closed.cancelled()).await;
                abort.cancel();
            }
        }
        Ok(())
    }

    async fn admit(&self, stream: TcpStream, address: SocketAddr) -> Result<Admitted, String> {
        let mut io = self.secure(stream).await?;
        let decided = match Preface::read(&mut io).await {
            Ok(preface) => self.decide(&io, address, &preface).await,
            Err(PrefaceError::Closed) => return Err(PrefaceError::Closed.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match decided {
            Ok(peer) => {
                let who = Accepted {
                    name: self.config.name.clone(),
                    region: self.config.region.clone(),
                };
                preface::accept(&mut io, &who)
                    .await
                    .map_err(|error| error.to_string())?;
                Ok(Admitted { io, peer })
            }
            Err(why) => {
                // The peer may be gone or a stranger; the reason is logged anyway.
                let _ = preface::refuse(&mut io, &why).await;
                linger(&mut io).await;
                Err(why)
            }
        }
    }

    async fn secure(&self, mut stream: TcpStream) -> Result<Io, String> {
        let Some(tls) = &self.config.tls else {
            return Ok(Either::Left(stream));
        };
        let mut first = [0u8; 1];
        let got = stream
            .peek(&mut first)
            .await
            .map_err(|error| error.to_string())?;
        if got == 0 {
            return Err(PrefaceError::Closed.to_string());
        }
        if first[0] != TLS_HANDSHAKE {
            if tls.config().rpc_upgrade_mode {
                return Ok(Either::Left(stream));
            }
            let why = "this agent takes connections with TLS only";
            let _ = preface::refuse(&mut stream, why).await;
            linger(&mut stream).await;
            return Err(why.to_owned());
        }
        match tls.acceptor().accept(stream).into_fallible().await {
            Ok(stream) => Ok(Either::Right(TlsStream::Server(stream))),
            Err((error, mut stream)) => {
                linger(&mut stream).await;
                Err(with_causes(&error))
            }
        }
    }

    /// Compares what the peer says with what its certificate says, and asks the handler.
    async fn decide(
        &self,
        io: &Io,
        address: SocketAddr,
        preface: &Preface,
    ) -> Result<Peer, String> {
        let identity = self.identify(io, preface)?;
        let peer = Peer {
            address: Some(address),
            claim: preface.claim(),
            identity,
        };
        self.handler.admit(&peer, preface.secret()).await?;
        Ok(peer)
    }

    fn identify(&self, io: &Io, preface: &Preface) -> Result<Identity, String> {
        let ours = &self.config.region;
        let server = matches!(preface, Preface::Server { .. });
        let region = match preface.region() {
            "" => ours,
            claimed if server || claimed == ours => claimed,
            other => {
                return Err(format!(
                    "this server is of region {ours:?}, the node of region {other:?}"
                ));
            }
        };
        let certificate = match io {
            Either::Left(_) => None,
            Either::Right(stream) => {
                let (_, session) = stream.get_ref();
                session.peer_certificates().and_then(<[_]>::first)
            }
        };
        let proves = |role| certificate.is_some_and(|cert| names_role(cert, role, region));
        // A server may act as a node, never the other way round.
        let (role, verified) = match (proves(Role::Server), proves(Role::Client)) {
            (true, _) => (Role::Server, true),
            (false, proven) if !server => (Role::Client, proven),
            (false, _) => (Role::Server, false),
        };
        let strict = self.config.tls.as_ref();
        let strict = strict.is_some_and(|tls| tls.config().verify_server_hostname);
        if strict && certificate.is_some() && !verified {
            let wanted = if server { Role::Server } else { Role::Client };
            return Err(format!(
                "the certificate is not for {}, as verify_server_hostname demands",
                wanted.certificate_name(region)
            ));
        }
        Ok(Identity {
            role,
            region: region.to_owned(),
            verified,
        })
    }
}

async fn within<T>(
    limit: Duration,
    handshake: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    if limit.is_zero() {
        return handshake.await;
    }
    match tokio::time::timeout(limit, handshake).await {
        Ok(outcome) => outcome,
        Err(_elapsed) => Err(format!("no complete handshake in {limit:?}")),
    }
}

/// Closes so that what was written arrives: closing with unread bytes would reset the connection
/// and take the refusal with it.
async fn linger(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    const MOST: usize = 64 << 10;
    let _ = tokio::time::timeout(Duration::from_millis(500), async {
        io.shutdown().await?;
        let mut rest = [0u8; 4096];
        let mut read = 0;
        while read < MOST {
            match io.read(&mut rest).await? {
                0 => break,
                more => read += more,
            }
        }
        std::io::Result::Ok(())
    })
    .await;
}

/// How many connections each address has.
struct Counts {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

impl Counts {
    fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
        })
    }

    /// A place for one more connection, unless the address has too many.
    fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        let ip = ip.to_canonical();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(ip).or_default();
        if self.most > 0 && *count >= self.most {
            let most = self.most;
            tracing::warn!(%ip, most, "too many connections (rpc_max_conns_per_client)");
            return None;
        }
        *count += 1;
        Some(Place {
            counts: Arc::clone(self),
            ip,
        })
    }
}

struct Place {
    counts: Arc<Counts>,
    ip: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self
            .counts
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.ip);
            }
        }
    }
}
