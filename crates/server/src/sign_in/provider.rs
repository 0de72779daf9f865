//! Providers that a browser is sent to: the address it goes to, and what is made of what it brings back.

use super::fetch::{Discovered, Fetcher};
use super::signed::{self, Keys};
use super::{Claimed, SignInError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caravan_model::*;
use reqwest::Url;
use serde::Deserialize;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// How long a browser may take to come back.
const LIFE: Duration = Duration::from_secs(5 * 60);
/// How many may be under way; the oldest is forgotten for one more.
const UNDER_WAY: usize = 1000;

/// A browser that was sent off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) method: String,
    /// Random text of the caller: it comes back inside of the signed token.
    pub(crate) nonce: String,
    /// Random text of ours: it comes back beside the code.
    pub(crate) state: String,
    pub(crate) redirect: String,
    /// The secret whose digest was sent along.
    pub(crate) proof: Option<String>,
    pub(crate) at: UnixNanos,
}

/// The browsers that are under way. They are known to the server that sent them, the leader, alone.
#[derive(Default)]
pub(crate) struct SignIns(Mutex<VecDeque<Started>>);

impl SignIns {
    /// Notes one that was sent off.
    pub(crate) fn note(&self, started: Started) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= UNDER_WAY {
            all.pop_front();
        }
        all.push_back(started);
    }

    /// Takes out the one that comes back, once, and not too late.
    pub(crate) fn take(&self, body: &OidcCompleteAuthRequest, now: UnixNanos) -> Option<Started> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|started| now.0 - started.at.0 < LIFE.0);
        let at = all.iter().position(|started| {
            started.state == body.state
                && started.nonce == body.client_nonce
                && started.method == body.auth_method_name
                && started.redirect == body.redirect_uri
        })?;
        all.remove(at)
    }
}

/// A provider that was found where the method says.
pub(crate) struct Provider<'a> {
    config: &'a AclAuthMethodConfig,
    fetcher: Fetcher,
    found: Discovered,
}

/// What a provider trades a code for.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Traded {
    id_token: String,
    access_token: String,
}

fn pairs(pairs: &[(&str, &str)]) -> String {
    let mut url = Url::parse("http://form").expect("a constant address");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

impl<'a> Provider<'a> {
    /// Finds the provider of a method.
    pub(crate) async fn find(config: &'a AclAuthMethodConfig) -> Result<Self, SignInError> {
        if config.oidc_client_id.is_empty() {
            let text = "NewConfig: invalid provider config: Config.Validate: client ID is empty: invalid parameter";
            return Err(SignInError::Provider(text.to_owned()));
        }
        let fetcher = Fetcher::new(&config.discovery_ca_pem)?;
        let found = fetcher.discover(&config.oidc_discovery_url).await?;
        Ok(Self {
            config,
            fetcher,
            found,
        })
    }

    /// Where the browser goes.
    pub(crate) fn address(&self, started: &Started) -> Result<String, SignInError> {
        let mut url = Url::parse(&self.found.authorization_endpoint)
            .map_err(|error| SignInError::Provider(format!("authorization endpoint: {error}")))?;
        let mut scopes = vec!["openid"];
        scopes.extend(
            self.config
                .oidc_scopes
                .iter()
                .map(String::as_str)
                .filter(|scope| *scope != "openid"),
        );
        let mut query = url.query_pairs_mut();
        query
            .append_pair("client_id", &self.config.oidc_client_id)
            .append_pair("nonce", &started.nonce)
            .append_pair("redirect_uri", &started.redirect)
            .append_pair("response_type", "code")
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &started.state);
        if let Some(proof) = &started.proof {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, proof.as_bytes());
            query
                .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(digest))
                .append_pair("code_challenge_method", "S256");
        }
        drop(query);
        Ok(url.into())
    }

    /// What is claimed of who brings back this code.
    pub(crate) async fn claimed(
        &self,
        started: &Started,
        code: &str,
        now: UnixNanos,
    ) -> Result<Claimed, SignInError> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", started.redirect.as_str()),
        ];
        if let Some(proof) = &started.proof {
            form.push(("code_verifier", proof));
        }
        let config = self.config;
        let request = self
            .fetcher
            .client()
            .post(&self.found.token_endpoint)
            .basic_auth(&config.oidc_client_id, Some(&config.oidc_client_secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(pairs(&form));
        let traded: Traded = self.fetcher.json(request).await?;
        let keys = Keys::Set(self.fetcher.keys(&self.found.jwks_uri).await?);
        let mut asked = config.clone();
        if asked.bound_audiences.is_empty() {
            asked.bound_audiences = vec![config.oidc_client_id.clone()];
        }
        let issuer = Some(self.found.issuer.as_str());
        let mut claims = signed::verify(&asked, &keys, issuer, &traded.id_token, now.seconds())?;
        if claims.get("nonce").and_then(|nonce| nonce.as_str()) != Some(started.nonce.as_str()) {
            return Err(SignInError::Claims("invalid nonce".to_owned()));
        }
        if !config.oidc_disable_user_info && !self.found.userinfo_endpoint.is_empty() {
            let request = self
                .fetcher
                .client()
                .get(&self.found.userinfo_endpoint)
                .bearer_auth(&traded.access_token);
            let told: Claimed = self.fetcher.json(request).await?;
            if told.get("sub") != claims.get("sub") {
                return Err(SignInError::Claims(
                    "user information is about somebody else".to_owned(),
                ));
            }
            claims.extend(told);
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_comes_back_once_and_in_time() {
        let started = Started {
            method: "m".to_owned(),
            nonce: "n".to_owned(),
            state: "s".to_owned(),
            redirect: "r".to_owned(),
            proof: None,
            at: UnixNanos(0),
        };
        let body = OidcCompleteAuthRequest {
            auth_method_name: "m".to_owned(),
            client_nonce: "n".to_owned(),
            state: "s".to_owned(),
            redirect_uri: "r".to_owned(),
            ..OidcCompleteAuthRequest::default()
        };
        let known = SignIns::default();
        known.note(started.clone());
        let other = OidcCompleteAuthRequest {
            state: "x".to_owned(),
            ..body.clone()
        };
        assert_eq!(known.take(&other, UnixNanos(1)), None);
        assert_eq!(known.take(&body, UnixNanos(1)), Some(started.clone()));
        assert_eq!(known.take(&body, UnixNanos(1)), None);
        known.note(started);
        assert_eq!(known.take(&body, UnixNanos(LIFE.0)), None);
    }
}
