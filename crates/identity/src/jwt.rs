//! Signed tokens: RS256, the key named in the head.

use crate::{IdentityError, RootKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use caravan_model::Jwk;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Head {
    alg: String,
    kid: String,
    #[serde(default)]
    typ: String,
}

/// What every token may say of its time.
#[derive(Deserialize)]
struct Validity {
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    exp: Option<i64>,
}

fn part<T: Serialize>(value: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).expect("claims can be written as JSON"))
}

impl RootKey {
    /// A token that carries these claims.
    ///
    /// # Errors
    /// When the library cannot sign.
    pub fn sign<T: Serialize>(&self, claims: &T) -> Result<String, IdentityError> {
        let head = Head {
            alg: "RS256".to_owned(),
            kid: self.id().to_owned(),
            typ: "JWT".to_owned(),
        };
        let text = format!("{}.{}", part(&head), part(claims));
        let mut signature = vec![0; self.signing().public_modulus_len()];
        // This padding draws no randomness: equal claims give equal tokens.
        self.signing()
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .map_err(|error| IdentityError::SigningKey(error.to_string()))?;
        Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The claims of a token that one of these keys signed and that is valid now.
///
/// # Errors
/// See [`IdentityError`].
pub fn verify<T: DeserializeOwned>(
    token: &str,
    keys: &[Jwk],
    now_seconds: i64,
) -> Result<T, IdentityError> {
    let (text, signature) = token.rsplit_once('.').ok_or(IdentityError::Malformed)?;
    let (head, body) = text.split_once('.').ok_or(IdentityError::Malformed)?;
    let bytes = |text: &str| {
        URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| IdentityError::Malformed)
    };
    let head: Head = serde_json::from_slice(&bytes(head)?).map_err(|_| IdentityError::Malformed)?;
    if head.alg != "RS256" {
        return Err(IdentityError::Malformed);
    }
    let key = keys
        .iter()
        .find(|key| key.kid == head.kid)
        .ok_or(IdentityError::UnknownKey(head.kid))?;
    let number = |text: &Option<String>| bytes(text.as_deref().unwrap_or_default());
    let public = PublicKeyComponents {
        n: number(&key.n)?,
        e: number(&key.e)?,
    };
    public
        .verify(
            &RSA_PKCS1_2048_8192_SHA256,
            text.as_bytes(),
            &bytes(signature)?,
        )
        .map_err(|_| IdentityError::Signature)?;
    let body = bytes(body)?;
    let validity: Validity = serde_json::from_slice(&body).map_err(|_| IdentityError::Malformed)?;
    if validity.nbf.is_some_and(|from| from > now_seconds)
        || validity.exp.is_some_and(|until| until <= now_seconds)
    {
        return Err(IdentityError::Time);
    }
    serde_json::from_slice(&body).map_err(|_| IdentityError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Claims;

    #[test]
    fn a_token_verifies_by_its_key_in_its_time() {
        let der = RootKey::generate_signing_der().expect("an RSA key");
        let key = RootKey::new("k", [1; 32], der).expect("a key");
        let claims = Claims {
            sub: "global:default:web:g:t:default".to_owned(),
            iat: 100,
            nbf: 100,
            ..Claims::default()
        };
        let token = key.sign(&claims.clone().lasting(50)).expect("signed");
        let read: Claims = verify(&token, &[key.jwk()], 120).expect("valid");
        assert_eq!(
            (read.sub.as_str(), read.exp),
            (claims.sub.as_str(), Some(150))
        );
        assert_eq!(
            verify::<Claims>(&token, &[key.jwk()], 150),
            Err(IdentityError::Time)
        );
        assert_eq!(
            verify::<Claims>(&token, &[key.jwk()], 99),
            Err(IdentityError::Time)
        );
        assert_eq!(
            verify::<Claims>(&token, &[], 120),
            Err(IdentityError::UnknownKey("k".to_owned()))
        );
        let forged = token.replacen('.', ".e30", 1);
        assert!(verify::<Claims>(&forged, &[key.jwk()], 120).is_err());
        assert_eq!(
            verify::<Claims>("rubbish", &[key.jwk()], 1),
            Err(IdentityError::Malformed)
        );
    }
}
