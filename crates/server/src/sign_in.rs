//! Signing in with what somebody else signed: whose keys, what is claimed, and what that is worth here
//! (server sheet §13.6).
//!
//! [`claimed`] decides on a signed token, [`Provider`] is who sends browsers back with one, [`bindings`] turns claims
//! into roles and policies. Nothing here knows tokens of this cluster.

pub(crate) mod bindings;
mod fetch;
mod provider;
mod signed;

pub(crate) use provider::{Provider, SignIns, Started};

use caravan_model::*;
use fetch::Fetcher;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Map, Value};

/// What a token claims.
pub(crate) type Claimed = Map<String, Value>;

/// Why what was shown is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignInError {
    /// Nobody whose keys are known signed it.
    #[error(
        "unable to verify signature of JWT token: error verifying token signature: no known key successfully validated the token signature"
    )]
    Signature,
    /// It is no signed token.
    #[error("unable to parse signed token: {0}")]
    Malformed(String),
    /// It is signed in a way that is not accepted.
    #[error(
        "invalid signing algorithm: token is signed with {0}, which is not among the accepted ones"
    )]
    Algorithm(String),
    /// What it claims does not hold: its time, its audience, its issuer.
    #[error("invalid claims: {0}")]
    Claims(String),
    /// A key of the method cannot be read.
    #[error("error parsing public key: {0}")]
    Key(String),
    /// The provider cannot be asked, or answers nonsense.
    #[error("{0}")]
    Provider(String),
}

/// What a token claims, once it was found to be signed by a key of the method and to hold now.
pub(crate) async fn claimed(
    config: &AclAuthMethodConfig,
    token: &str,
    now: UnixNanos,
) -> Result<Claimed, SignInError> {
    let (keys, issuer) = keys(config).await?;
    signed::verify(config, &keys, issuer.as_deref(), token, now.seconds())
}

/// The keys of a method, each with the id that tokens name it by, and the issuer that goes with them.
async fn keys(config: &AclAuthMethodConfig) -> Result<(signed::Keys, Option<String>), SignInError> {
    if !config.jwt_validation_pub_keys.is_empty() {
        return Ok((
            signed::Keys::Pem(config.jwt_validation_pub_keys.clone()),
            None,
        ));
    }
    if !config.jwks_url.is_empty() {
        let fetcher = Fetcher::new([&config.jwks_ca_cert])?;
        return Ok((
            signed::Keys::Set(fetcher.keys(&config.jwks_url).await?),
            None,
        ));
    }
    let fetcher = Fetcher::new(&config.discovery_ca_pem)?;
    let found = fetcher.discover(&config.oidc_discovery_url).await?;
    Ok((
        signed::Keys::Set(fetcher.keys(&found.jwks_uri).await?),
        Some(found.issuer),
    ))
}

/// The keys of a set that may have signed a token which names this key.
fn candidates<'a>(
    set: &'a JwkSet,
    named: Option<&'a str>,
) -> impl Iterator<Item = DecodingKey> + 'a {
    let fits = move |id: &Option<String>| named.is_none() || id.is_none() || id.as_deref() == named;
    set.keys
        .iter()
        .filter(move |key| fits(&key.common.key_id))
        .filter_map(|key| DecodingKey::from_jwk(key).ok())
}
