//! The one client of the engine: made when first needed, kept while the engine answers or comes back.

use bollard::{API_DEFAULT_VERSION, Docker};
use caravan_driver::DriverError;
use tokio::sync::OnceCell;

use super::options::PluginConfig;
use super::words;

/// Longer than any answer that is not a stream.
const TIMEOUT_SECONDS: u64 = 300;
const DEFAULT_SOCKET: &str = "unix:///var/run/docker.sock";

#[derive(Debug)]
pub(crate) struct Connection {
    endpoint: String,
    tls: bool,
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
            tls: !plugin.tls.cert.is_empty()
                || !plugin.tls.ca.is_empty()
                || !plugin.tls.key.is_empty(),
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

    fn connect(&self) -> Result<Docker, DriverError> {
        let endpoint = self.endpoint.as_str();
        if self.tls {
            return Err(DriverError::fatal(
                "docker endpoints with TLS are not supported; use a Unix socket",
            ));
        }
        let client = if endpoint.starts_with("tcp://") || endpoint.starts_with("http://") {
            Docker::connect_with_http(endpoint, TIMEOUT_SECONDS, API_DEFAULT_VERSION)
        } else {
            Docker::connect_with_unix(endpoint, TIMEOUT_SECONDS, API_DEFAULT_VERSION)
        };
        client.map_err(|err| {
            DriverError::recoverable(format!(
                "Failed to connect to docker daemon at {endpoint}: {err}"
            ))
        })
    }
}
