//! What others publish: their keys, and where they do what.

use super::SignInError;
use jsonwebtoken::jwk::JwkSet;
use reqwest::{Certificate, Client, RequestBuilder};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer may be (bytes).
const MAX_ANSWER: usize = 1 << 20;

/// Where a provider does what.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Discovered {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) userinfo_endpoint: String,
    pub(super) jwks_uri: String,
}

/// Asks over HTTPS, or HTTP where the address says so.
pub(super) struct Fetcher(Client);

fn failed(error: impl std::fmt::Display) -> SignInError {
    SignInError::Provider(error.to_string())
}

impl Fetcher {
    /// One that also trusts these certificates, in PEM.
    pub(super) fn new<'a>(
        trusted: impl IntoIterator<Item = &'a String>,
    ) -> Result<Self, SignInError> {
        // Another part of the agent may have chosen it already: it is the same one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut certificates = Vec::new();
        for text in trusted.into_iter().filter(|text| !text.is_empty()) {
            let read = Certificate::from_pem_bundle(text.as_bytes());
            certificates.extend(read.map_err(|error| {
                SignInError::Provider(format!("could not parse CA PEM value: {error}"))
            })?);
        }
        let client = Client::builder()
            .timeout(PATIENCE)
            .tls_certs_merge(certificates)
            .build();
        Ok(Self(client.map_err(failed)?))
    }

    pub(super) fn client(&self) -> &Client {
        &self.0
    }

    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, SignInError> {
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&piece);
            if body.len() > MAX_ANSWER {
                return Err(SignInError::Provider(format!(
                    "{} answers too much",
                    response.url()
                )));
            }
        }
        if !status.is_success() {
            let text = String::from_utf8_lossy(&body);
            return Err(SignInError::Provider(format!("{status}: {text}")));
        }
        serde_json::from_slice(&body).map_err(failed)
    }

    pub(super) async fn keys(&self, address: &str) -> Result<JwkSet, SignInError> {
        self.json(self.0.get(address)).await
    }

    pub(super) async fn discover(&self, issuer: &str) -> Result<Discovered, SignInError> {
        let address = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let found: Discovered = self.json(self.0.get(address)).await?;
        if found.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(SignInError::Provider(format!(
                "oidc: issuer did not match the issuer returned by provider, expected {issuer:?} got {:?}",
                found.issuer
            )));
        }
        Ok(found)
    }
}
