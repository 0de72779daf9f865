//! Dialling an agent.

use crate::address::Address;
use crate::config::TlsConfig;
use crate::error::io_text;
use crate::tls;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connection of any kind.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection whose kind does not matter any more.
pub(crate) struct Connection(Box<dyn Io>);

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Makes connections to one address; TLS settings are read once, when first needed.
pub(crate) struct Dialer {
    pub(crate) address: Address,
    tls: TlsConfig,
    rustls: OnceLock<Arc<rustls::ClientConfig>>,
}

impl Dialer {
    pub(crate) fn new(address: Address, tls: TlsConfig) -> Self {
        Self {
            address,
            tls,
            rustls: OnceLock::new(),
        }
    }

    /// Reads certificates now, so that a wrong path is known before the first call.
    pub(crate) fn prepare(&self) -> Result<(), String> {
        let given = !self.tls.client_cert.is_empty() || !self.tls.client_key.is_empty();
        if given && (self.tls.client_cert.is_empty() || self.tls.client_key.is_empty()) {
            return Err("Both client cert and client key must be provided".into());
        }
        let named = given || !self.tls.ca_cert.is_empty() || !self.tls.ca_path.is_empty();
        if named || matches!(self.address, Address::Tcp { tls: true, .. }) {
            let config = tls::client_config(&self.tls)?;
            let _ = self.rustls.set(config);
        }
        Ok(())
    }

    /// A new connection, or why there is none.
    pub(crate) async fn dial(&self) -> Result<Connection, String> {
        match &self.address {
            Address::Unix(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Connection(Box::new(stream))),
                Err(error) => Err(format!("dial unix {path}: connect: {}", io_text(&error))),
            },
            Address::Unsupported(scheme) => {
                Err(format!("unsupported protocol scheme \"{scheme}\""))
            }
            Address::Tcp {
                tls, host, port, ..
            } => {
                let stream = dial_tcp(host, *port).await?;
                match tls {
                    false => Ok(Connection(Box::new(stream))),
                    true => self.wrap(stream, host).await,
                }
            }
        }
    }

    async fn wrap(&self, stream: TcpStream, host: &str) -> Result<Connection, String> {
        let config = match self.rustls.get() {
            Some(config) => config.clone(),
            None => tls::client_config(&self.tls)?,
        };
        let name = match self.tls.server_name.is_empty() {
            true => host.to_owned(),
            false => self.tls.server_name.clone(),
        };
        let name = rustls_pki_types::ServerName::try_from(name).map_err(|e| e.to_string())?;
        let connector = tokio_rustls::TlsConnector::from(config);
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Connection(Box::new(stream))),
            Err(error) => Err(format!("tls: {error}")),
        }
    }
}

async fn dial_tcp(host: &str, port: u16) -> Result<TcpStream, String> {
    let found = match tokio::net::lookup_host((host, port)).await {
        Ok(found) => found,
        Err(_) => return Err(format!("dial tcp: lookup {host}: no such host")),
    };
    let mut last = format!("dial tcp: lookup {host}: no such host");
    for address in found {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = format!("dial tcp {address}: connect: {}", io_text(&error)),
        }
    }
    Err(last)
}
