//! Mutual TLS between agents: files to configurations, roles in certificates, reload.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::peer::Role;

/// Oldest TLS version to speak (`tls_min_version`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    #[default]
    Tls12,
    Tls13,
}

/// The `tls` block, as far as it concerns connections between agents.
#[derive(Clone, Debug, Default)]
pub struct TlsConfig {
    pub ca_file: PathBuf,
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    /// Certificates must name the role and region of their agent (`server.<region>.nomad`).
    pub verify_server_hostname: bool,
    /// The listener also takes connections without TLS, while a cluster changes over.
    pub rpc_upgrade_mode: bool,
    pub min_version: TlsVersion,
    /// Names of TLS 1.2 suites to allow; empty allows the default ones. TLS 1.3 has no choice.
    pub cipher_suites: Vec<String>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(
        "tls: {option} is not set; connections between agents need ca_file, cert_file and key_file"
    )]
    Missing { option: &'static str },
    #[error("tls: cannot read {option} {path}: {reason}")]
    File {
        option: &'static str,
        path: PathBuf,
        reason: String,
    },
    #[error("tls: tls_cipher_suites names {0:?}, which is not supported")]
    UnknownSuite(String),
    #[error("tls: {0}")]
    Setup(#[from] rustls::Error),
}

/// Loaded certificates. Connections made after [`Tls::reload`] use the new files; open ones stay.
pub struct Tls {
    config: TlsConfig,
    loaded: ArcSwap<Loaded>,
}

struct Loaded {
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the files.
    pub fn load(config: TlsConfig) -> Result<Arc<Self>, TlsError> {
        let loaded = ArcSwap::from_pointee(Loaded::read(&config)?);
        Ok(Arc::new(Self { config, loaded }))
    }

    /// Reads the files again; when that fails, the certificates in use stay.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.loaded.store(Arc::new(Loaded::read(&self.config)?));
        Ok(())
    }

    #[must_use]
    pub fn config(&self) -> &TlsConfig {
        &self.config
    }

    /// A configuration for the public HTTPS API with the same certificates; `verify_client` asks
    /// for a client certificate of the CA (`verify_https_client`).
    pub fn https_config(&self, verify_client: bool) -> Result<Arc<ServerConfig>, TlsError> {
        let loaded = self.loaded.load();
        let mut config = loaded.server_config(&self.config, verify_client)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.loaded.load().server))
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.loaded.load().client))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({:?})", self.config)
    }
}

impl Loaded {
    fn read(config: &TlsConfig) -> Result<Self, TlsError> {
        let provider = Arc::new(provider(config)?);
        let mut roots = RootCertStore::empty();
        for authority in certificates("ca_file", &config.ca_file)? {
            roots.add(authority)?;
        }
        let roots = Arc::new(roots);
        let chain = certificates("cert_file", &config.cert_file)?;
        let key = private_key(&config.key_file)?;
        let client = client_config(config, &provider, &roots, &chain, &key)?;
        let versions = versions(config);
        let server = server_config(&provider, versions, Some(&roots), &chain, &key)?;
        Ok(Self {
            provider,
            roots,
            chain,
            key,
            server: Arc::new(server),
            client: Arc::new(client),
        })
    }

    fn server_config(
        &self,
        config: &TlsConfig,
        verify_client: bool,
    ) -> Result<ServerConfig, TlsError> {
        let roots = verify_client.then_some(&self.roots);
        server_config(
            &self.provider,
            versions(config),
            roots,
            &self.chain,
            &self.key,
        )
    }
}

type Versions = &'static [&'static rustls::SupportedProtocolVersion];

static ONLY_TLS13: Versions = &[&rustls::version::TLS13];

fn versions(config: &TlsConfig) -> Versions {
    match config.min_version {
        TlsVersion::Tls12 => rustls::ALL_VERSIONS,
        TlsVersion::Tls13 => ONLY_TLS13,
    }
}

fn provider(config: &TlsConfig) -> Result<CryptoProvider, TlsError> {
    let mut provider = aws_lc_rs::default_provider();
    if config.cipher_suites.is_empty() {
        return Ok(provider);
    }
    let known = |name: &String| {
        let mut suites = provider.cipher_suites.iter();
        suites.any(|suite| suite.suite().as_str() == Some(name.as_str()))
    };
    if let Some(unknown) = config.cipher_suites.iter().find(|name| !known(name)) {
        return Err(TlsError::UnknownSuite(unknown.clone()));
    }
    provider.cipher_suites.retain(|suite| {
        let name = suite.suite().as_str().unwrap_or_default();
        suite.tls13().is_some() || config.cipher_suites.iter().any(|allowed| allowed == name)
    });
    Ok(provider)
}

fn server_config(
    provider: &Arc<CryptoProvider>,
    versions: Versions,
    client_roots: Option<&Arc<RootCertStore>>,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)?;
    let builder = match client_roots {
        Some(roots) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?,
        ),
        None => builder.with_no_client_auth(),
    };
    Ok(builder.with_single_cert(chain.to_vec(), key.clone_key())?)
}

fn client_config(
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
) -> Result<ClientConfig, TlsError> {
    let inner =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
            .build()
            .map_err(|error| rustls::Error::General(error.to_string()))?;
    let verifier = Arc::new(AgentVerifier {
        inner,
        any_name: !config.verify_server_hostname,
    });
    // "Dangerous" is the only way to accept certificates by authority alone; the chain is always
    // verified, see `AgentVerifier`.
    Ok(ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions(config))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(chain.to_vec(), key.clone_key())?)
}

/// Verifies the chain always, and the name only with `verify_server_hostname`.
#[derive(Debug)]
struct AgentVerifier {
    inner: Arc<WebPkiServerVerifier>,
    any_name: bool,
}

impl ServerCertVerifier for AgentVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        // The name is checked after the chain, so a wrong name means that the chain is good.
        match verified {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether a (verified) certificate names this role and region.
pub(crate) fn names_role(certificate: &CertificateDer<'_>, role: Role, region: &str) -> bool {
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else {
        return false;
    };
    let Ok(name) = ServerName::try_from(role.certificate_name(region)) else {
        return false;
    };
    rustls::client::verify_server_name(&parsed, &name).is_ok()
}

fn certificates(
    option: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |reason: String| TlsError::File {
        option,
        path: path.to_owned(),
        reason,
    };
    if path.as_os_str().is_empty() {
        return Err(TlsError::Missing { option });
    }
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let option = "key_file";
    if path.as_os_str().is_empty() {
        return Err(TlsError::Missing { option });
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::File {
        option,
        path: path.to_owned(),
        reason: error.to_string(),
    })
}
