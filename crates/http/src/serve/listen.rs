//! Sockets: TCP, TLS, and the Unix socket inside tasks. Ends gracefully.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixListener},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Origin, Server, Shared, lenient::Lenient, limit::Place};

/// Gives the TLS configuration for a new connection, so that certificates can be replaced while running.
pub type TlsConfig = Arc<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync>;

/// What to listen on.
pub enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, TlsConfig),
    /// The API inside a task: a token is always needed.
    Task(UnixListener),
}

/// How long requests that run are given at the end.
const GRACE: Duration = Duration::from_secs(5);

const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n\
Your IP is issuing too many concurrent connections, please rate limit your calls\n";

impl Server {
    /// Accepts connections until `shutdown`; then waits for requests that run, but not for long.
    pub async fn serve(&self, listener: Listener, shutdown: CancellationToken) {
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&listener) => accepted,
                () = shutdown.cancelled() => break,
            };
            match accepted {
                Ok(connection) => self.start(connection, &graceful, &shutdown),
                Err(error) => {
                    // Out of file descriptors, mostly: waiting lets others finish.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(listener);
        let _ = timeout(GRACE, graceful.shutdown()).await;
    }

    fn start(
        &self,
        connection: Connection,
        graceful: &GracefulShutdown,
        closing: &CancellationToken,
    ) {
        let closing = closing.clone();
        let shared = self.shared.clone();
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            let Connection {
                stream,
                address,
                tls,
            } = connection;
            let place = shared.connections.take(address);
            let origin = Origin {
                address,
                from_task: matches!(stream, Stream::Task(_)),
                closing,
            };
            match (stream, tls) {
                (Stream::Tcp(stream), None) => run(shared, stream, origin, place, watcher).await,
                (Stream::Task(stream), _) => run(shared, stream, origin, place, watcher).await,
                (Stream::Tcp(stream), Some(config)) => {
                    let handshake = TlsAcceptor::from(config()).accept(stream);
                    match timeout(shared.settings.handshake_timeout, handshake).await {
                        Ok(Ok(stream)) => run(shared, stream, origin, place, watcher).await,
                        Ok(Err(error)) => tracing::debug!(%error, ?address, "TLS handshake failed"),
                        Err(_) => tracing::debug!(?address, "TLS handshake took too long"),
                    }
                }
            }
        });
    }
}

struct Connection {
    stream: Stream,
    address: Option<IpAddr>,
    tls: Option<TlsConfig>,
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Task(tokio::net::UnixStream),
}

async fn accept(listener: &Listener) -> io::Result<Connection> {
    let (tcp, tls) = match listener {
        Listener::Tcp(listener) => (listener, None),
        Listener::Tls(listener, config) => (listener, Some(config.clone())),
        Listener::Task(listener) => {
            let (stream, _) = listener.accept().await?;
            return Ok(Connection {
                stream: Stream::Task(stream),
                address: None,
                tls: None,
            });
        }
    };
    let (stream, peer) = tcp.accept().await?;
    // Answers are small and often one of many: never wait for more to send.
    stream.set_nodelay(true)?;
    Ok(Connection {
        stream: Stream::Tcp(stream),
        address: Some(peer.ip()),
        tls,
    })
}

async fn run<S>(
    shared: Arc<Shared>,
    mut stream: S,
    origin: Origin,
    place: Option<Place>,
    watcher: hyper_util::server::graceful::Watcher,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Some(place) = place else {
        let _ = timeout(Duration::from_secs(1), stream.write_all(TOO_MANY)).await;
        let _ = timeout(Duration::from_secs(1), stream.shutdown()).await;
        return;
    };
    let service = service_fn(move |request| {
        let (shared, origin) = (shared.clone(), origin.clone());
        async move { Ok::<_, std::convert::Infallible>(shared.handle(request, origin).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().keep_alive(true);
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(Lenient::new(stream)), service)
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::trace!(%error, "connection ended");
    }
    drop(place);
}
