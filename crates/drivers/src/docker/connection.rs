//! The one client of the engine: made when first needed, kept while the engine answers or comes back.

use std::path::Path;

use bollard::{API_DEFAULT_VERSION, Docker};
use caravan_driver::DriverError;
use tokio::sync::OnceCell;

use super::options::{PluginConfig, Tls};
use super::words;

/// Longer than any answer that is not a stream.
const TIMEOUT_SECONDS: u64 = 300;
const DEFAULT_SOCKET: &str = "unix:///var/run/docker.sock";

#[derive(Debug)]
pub(crate) struct Connection {
    endpoint: String,
    /// What to trust and to show, where the engine is asked over TLS.
    tls: Option<Tls>,
    client: OnceCell<Docker>,
}

impl Connection {
    pub(crate) fn new(plugin: &PluginConfig) -> Self {
        let endpoint = match plugin.endpoint.as_str() {
            "" => std::env::var("DOCKER_HOST")
                .ok()
                .filter(|host| !host.is_empty()),
            endpoint => Some(endpoint.to_owned()),
        };
        Self {
            endpoint: endpoint.unwrap_or_else(|| DEFAULT_SOCKET.to_owned()),
            tls: Some(&plugin.tls)
                .filter(|tls| {
                    [&tls.ca, &tls.cert, &tls.key]
                        .iter()
                        .any(|file| !file.is_empty())
                })
                .cloned(),
            client: OnceCell::new(),
        }
    }

    /// The client, speaking the version that the engine knows.
    pub(crate) async fn get(&self) -> Result<Docker, DriverError> {
        let client = self.client.get_or_try_init(|| async {
            self.connect()?.negotiate_version().await.map_err(|err| {
                DriverError::recoverable(format!(
                    "Failed to connect to docker daemon at {}: {}",
                    self.endpoint,
                    words(&err)
                ))
            })
        });
        client.await.cloned()
    }

    /// The process behind the engine's socket; `None` where it is not reached by one.
    pub(crate) async fn pid(&self) -> Option<i32> {
        let path = self.endpoint.strip_prefix("unix://")?;
        let stream = tokio::net::UnixStream::connect(path).await.ok()?;
        stream.peer_cred().ok()?.pid()
    }

    fn connect(&self) -> Result<Docker, DriverError> {
        let endpoint = self.endpoint.as_str();
        let over_network = ["tcp://", "http://", "https://"]
            .iter()
            .any(|scheme| endpoint.starts_with(scheme));
        let client = match &self.tls {
            Some(tls) if over_network => {
                // Whoever comes first sets it; it is the same everywhere.
                let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
                let [key, cert, ca] = [&tls.key, &tls.cert, &tls.ca].map(Path::new);
                Docker::connect_with_ssl(
                    endpoint,
                    key,
                    cert,
                    ca,
                    TIMEOUT_SECONDS,
                    API_DEFAULT_VERSION,
                )
            }
            None if over_network => {
                Docker::connect_with_http(endpoint, TIMEOUT_SECONDS, API_DEFAULT_VERSION)
            }
            _ => Docker::connect_with_unix(endpoint, TIMEOUT_SECONDS, API_DEFAULT_VERSION),
        };
        client.map_err(|err| {
            DriverError::recoverable(format!(
                "Failed to connect to docker daemon at {endpoint}: {err}"
            ))
        })
    }
}
