//! The engine behind TLS: both sides show a certificate.

mod support;

use std::path::Path;
use std::sync::Arc;

use caravan_driver::Health;
use rcgen::{CertificateParams, CertifiedIssuer, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

const ENGINE: &str = "/var/run/docker.sock";

fn authority(dir: &Path, name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    let ca = CertifiedIssuer::self_signed(params, key).expect("an authority");
    std::fs::write(dir.join(format!("{name}.pem")), ca.pem()).expect("written");
    ca
}

fn certificate(dir: &Path, name: &str, by: &Issuer<'_, KeyPair>) {
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let key = KeyPair::generate().expect("a key");
    let cert = params.signed_by(&key, by).expect("signed");
    std::fs::write(dir.join(format!("{name}.pem")), cert.pem()).expect("written");
    std::fs::write(dir.join(format!("{name}-key.pem")), key.serialize_pem()).expect("written");
}

/// Hands what comes over TLS on to the engine; the address.
async fn relay(dir: &Path) -> String {
    let at = |name: &str| dir.join(name);
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(at("ca.pem")).expect("read"))
        .expect("added");
    let provider = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider();
    let _ = provider.install_default();
    let clients = WebPkiClientVerifier::builder(Arc::new(roots))
        .build()
        .expect("a verifier");
    let cert = CertificateDer::from_pem_file(at("server.pem")).expect("read");
    let key = PrivateKeyDer::from_pem_file(at("server-key.pem")).expect("read");
    let config = ServerConfig::builder()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![cert], key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("usable")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut near) = acceptor.accept(stream).await else {
                    return;
                };
                let Ok(mut far) = UnixStream::connect(ENGINE).await else {
                    return;
                };
                let _ = copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    format!("tcp://{address}")
}

#[tokio::test]
async fn the_engine_is_asked_over_tls() {
    if UnixStream::connect(ENGINE).await.is_err() {
        println!("SKIPPED: the_engine_is_asked_over_tls: no Docker engine answers");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let ca = authority(dir.path(), "ca");
    let stranger = authority(dir.path(), "stranger");
    certificate(dir.path(), "server", &ca);
    certificate(dir.path(), "client", &ca);
    certificate(dir.path(), "thief", &stranger);
    let endpoint = relay(dir.path()).await;
    let at = |name: &str| dir.path().join(name).display().to_string();
    let tls = |ca: &str, name: &str| json!({"ca": at(ca), "cert": at(&format!("{name}.pem")), "key": at(&format!("{name}-key.pem"))});
    let health = |tls: Value| {
        let driver = support::driver("docker", json!({"endpoint": endpoint, "tls": tls}));
        async move { driver.fingerprint().await }
    };
    let found = health(tls("ca.pem", "client")).await;
    assert_eq!(found.health, Health::Healthy, "{}", found.description);
    assert!(found.attributes.contains_key("driver.docker.version"));
    for (what, tls) in [
        (
            "an engine that nobody vouches for",
            tls("stranger.pem", "client"),
        ),
        ("a client that nobody vouches for", tls("ca.pem", "thief")),
        ("no certificate of the client", json!({"ca": at("ca.pem")})),
    ] {
        assert_ne!(health(tls).await.health, Health::Healthy, "{what}");
    }
}
