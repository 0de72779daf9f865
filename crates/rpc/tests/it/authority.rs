//! Certificates of a small authority, in a folder like an operator's.

use std::path::PathBuf;
use std::sync::Arc;

use caravan_rpc::{Tls, TlsConfig};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        let authority = Self { issuer, folder };
        std::fs::write(authority.path("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Writes `<file>.pem` and `<file>.key` for a certificate with this name.
    pub(crate) fn issue(&self, file: &str, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned(), "localhost".to_owned()]);
        let certificate = params.unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.path(&format!("{file}.pem")), certificate.pem()).unwrap();
        std::fs::write(self.path(&format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    /// The `tls` block of an agent whose certificate has this name.
    pub(crate) fn config(&self, name: &str) -> TlsConfig {
        self.issue(name, name);
        TlsConfig {
            ca_file: self.path("ca.pem"),
            cert_file: self.path(&format!("{name}.pem")),
            key_file: self.path(&format!("{name}.key")),
            verify_server_hostname: true,
            ..TlsConfig::default()
        }
    }

    pub(crate) fn tls(&self, name: &str) -> Arc<Tls> {
        Tls::load(self.config(name)).unwrap()
    }
}
