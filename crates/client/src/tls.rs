//! Whom Consul and Vault are trusted as over TLS, and what this node shows them, by files of the operator.

use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client, Identity};

/// Files in PEM; an empty name is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// Whether certificates are looked at at all.
    pub verify: bool,
    /// Who signs the other side's certificate; none: whom this machine trusts.
    pub ca_file: String,
    /// A directory of such files.
    pub ca_path: String,
    /// The certificate that is shown, and its key.
    pub cert_file: String,
    pub key_file: String,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            verify: true,
            ca_file: String::new(),
            ca_path: String::new(),
            cert_file: String::new(),
            key_file: String::new(),
        }
    }
}

/// Why nobody can be asked over TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{path} cannot be read: {error}")]
    Read { path: String, error: std::io::Error },
    #[error("{path} is no certificate in PEM, or its key is none: {error}")]
    Content { path: String, error: reqwest::Error },
    #[error("{path} holds no certificate in PEM")]
    Empty { path: String },
    #[error("{0}")]
    Client(#[from] reqwest::Error),
}

impl TlsConfig {
    /// A client of HTTP for what runs beside the node.
    pub(crate) fn client(&self, timeout: Duration) -> Result<Client, TlsError> {
        // Whoever comes first sets it; it is the same everywhere.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = Client::builder()
            .timeout(timeout)
            .no_proxy()
            .tls_danger_accept_invalid_certs(!self.verify);
        let trusted = self.trusted()?;
        if !trusted.is_empty() {
            builder = builder.tls_certs_only(trusted);
        }
        if let Some(identity) = self.identity()? {
            builder = builder.identity(identity);
        }
        Ok(builder.build()?)
    }

    fn trusted(&self) -> Result<Vec<Certificate>, TlsError> {
        let mut trusted = Vec::new();
        if !self.ca_file.is_empty() {
            trusted.extend(certificates(Path::new(&self.ca_file))?);
        }
        if !self.ca_path.is_empty() {
            let failed = |error| unread(Path::new(&self.ca_path), error);
            for entry in std::fs::read_dir(&self.ca_path).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                if path.is_file() {
                    trusted.extend(certificates(&path)?);
                }
            }
        }
        Ok(trusted)
    }

    fn identity(&self) -> Result<Option<Identity>, TlsError> {
        if self.cert_file.is_empty() {
            return Ok(None);
        }
        let mut pem = read(Path::new(&self.cert_file))?;
        pem.push(b'\n');
        pem.extend(read(Path::new(&self.key_file))?);
        let path = self.cert_file.clone();
        let identity = Identity::from_pem(&pem);
        identity
            .map(Some)
            .map_err(|error| TlsError::Content { path, error })
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, TlsError> {
    let shown = || path.display().to_string();
    match Certificate::from_pem_bundle(&read(path)?) {
        Ok(none) if none.is_empty() => Err(TlsError::Empty { path: shown() }),
        Ok(found) => Ok(found),
        Err(error) => Err(TlsError::Content {
            path: shown(),
            error,
        }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| unread(path, error))
}

fn unread(path: &Path, error: std::io::Error) -> TlsError {
    TlsError::Read {
        path: path.display().to_string(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{CertificateParams, CertifiedIssuer, Issuer, KeyPair};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::server::WebPkiClientVerifier;
    use tokio_rustls::rustls::{RootCertStore, ServerConfig};

    use super::*;

    fn authority(dir: &Path, name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let common = rcgen::DnType::CommonName;
        params.distinguished_name.push(common, name);
        let key = KeyPair::generate().unwrap();
        let ca = CertifiedIssuer::self_signed(params, key).unwrap();
        std::fs::write(dir.join(name), ca.pem()).unwrap();
        ca
    }

    fn certificate(dir: &Path, name: &str, by: &Issuer<'_, KeyPair>) {
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, by).unwrap();
        std::fs::write(dir.join(name), cert.pem()).unwrap();
        std::fs::write(dir.join(format!("{name}-key")), key.serialize_pem()).unwrap();
    }

    /// Answers whoever shows a certificate of the same authority.
    async fn serve(dir: &Path) -> String {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(dir.join("ca/ca")).unwrap();
        roots.add(ca).unwrap();
        let clients = WebPkiClientVerifier::builder(Arc::new(roots));
        let cert = CertificateDer::from_pem_file(dir.join("server")).unwrap();
        let key = PrivateKeyDer::from_pem_file(dir.join("server-key")).unwrap();
        let config = ServerConfig::builder()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(vec![cert], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 4096]).await;
                    let answer =
                        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    let _ = stream.write_all(answer).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        format!("https://{address}")
    }

    #[tokio::test]
    async fn both_sides_show_what_the_operator_gave_them() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("ca")).unwrap();
        let ca = authority(&dir.path().join("ca"), "ca");
        let stranger = authority(dir.path(), "stranger");
        certificate(dir.path(), "server", &ca);
        certificate(dir.path(), "client", &ca);
        certificate(dir.path(), "thief", &stranger);
        let address = serve(dir.path()).await;
        let at = |name: &str| dir.path().join(name).display().to_string();
        let shows = |name: &str| TlsConfig {
            ca_file: at("ca/ca"),
            cert_file: at(name),
            key_file: at(&format!("{name}-key")),
            ..TlsConfig::default()
        };
        let answers = async |tls: TlsConfig| {
            let client = tls.client(Duration::from_secs(20)).unwrap();
            client.get(&address).send().await.is_ok()
        };
        let trusts = |ca_file: &str, ca_path: &str, verify: bool| TlsConfig {
            ca_file: ca_file.to_owned(),
            ca_path: ca_path.to_owned(),
            verify,
            ..shows("client")
        };
        assert!(answers(shows("client")).await);
        assert!(answers(trusts("", &at("ca"), true)).await, "a directory");
        assert!(answers(trusts("", "", false)).await, "whoever it is");
        assert!(!answers(trusts("", "", true)).await, "nobody vouches");
        assert!(!answers(trusts(&at("stranger"), "", true)).await);
        assert!(!answers(shows("thief")).await);
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone").display().to_string();
        let junk = dir.path().join("junk").display().to_string();
        std::fs::write(&junk, "junk").unwrap();
        let why = |tls: TlsConfig| {
            let error = tls.client(Duration::from_secs(1)).unwrap_err();
            error.to_string()
        };
        let of = TlsConfig::default;
        let ca = |file: &str| TlsConfig {
            ca_file: file.to_owned(),
            ..of()
        };
        let cert = |file: &str| TlsConfig {
            cert_file: file.to_owned(),
            key_file: file.to_owned(),
            ..of()
        };
        let path = TlsConfig {
            ca_path: gone.clone(),
            ..of()
        };
        for (tls, file) in [
            (ca(&gone), &gone),
            (ca(&junk), &junk),
            (path, &gone),
            (cert(&gone), &gone),
            (cert(&junk), &junk),
        ] {
            assert!(why(tls).starts_with(file.as_str()));
        }
    }
}
