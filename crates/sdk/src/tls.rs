//! TLS settings of the client: who is trusted, and who it is itself.

use crate::config::TlsConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use std::path::Path;
use std::sync::Arc;

/// Where systems keep the certificates that everybody trusts.
const SYSTEM_BUNDLES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// The TLS settings, with all files read.
pub(crate) fn client_config(tls: &TlsConfig) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = match tls.skip_verify {
        true => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAll(provider))),
        false => builder.with_root_certificates(roots(tls)?),
    };
    let config = match tls.client_cert.is_empty() {
        true => builder.with_no_client_auth(),
        false => {
            let chain = certificates(Path::new(&tls.client_cert))?;
            let key = PrivateKeyDer::from_pem_file(&tls.client_key)
                .map_err(|e| format!("failed to read {}: {e}", tls.client_key))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|e| e.to_string())?
        }
    };
    Ok(Arc::new(config))
}

fn roots(tls: &TlsConfig) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    if !tls.ca_cert.is_empty() {
        add(&mut store, Path::new(&tls.ca_cert))?;
    } else if !tls.ca_path.is_empty() {
        let folder = std::fs::read_dir(&tls.ca_path)
            .map_err(|e| format!("Error loading CA directory {}: {e}", tls.ca_path))?;
        for file in folder.flatten().filter(|file| file.path().is_file()) {
            add(&mut store, &file.path())?;
        }
    } else if let Some(bundle) = SYSTEM_BUNDLES.iter().find(|path| Path::new(path).exists()) {
        for certificate in certificates(Path::new(bundle))? {
            // Old certificates in a system's bundle may be unreadable; the others still count.
            let _ = store.add(certificate);
        }
    }
    Ok(store)
}

fn add(store: &mut RootCertStore, path: &Path) -> Result<(), String> {
    for certificate in certificates(path)? {
        store
            .add(certificate)
            .map_err(|e| format!("Error loading CA File: {}: {e}", path.display()))?;
    }
    Ok(())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |e: rustls_pki_types::pem::Error| match e {
        rustls_pki_types::pem::Error::Io(_) => format!(
            "Error loading CA File: open {}: no such file or directory",
            path.display()
        ),
        other => format!("Error loading CA File: {}: {other}", path.display()),
    };
    let found = CertificateDer::pem_file_iter(path).map_err(failed)?;
    found.collect::<Result<Vec<_>, _>>().map_err(failed)
}

/// Asked for by the user with `-tls-skip-verify`.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
