//! A root key: one half encrypts, the other signs.

use crate::{IdentityError, encryption};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use caravan_model::Jwk;
use serde::{Deserialize, Serialize};

/// An unwrapped root key. `Debug` shows its id alone.
pub struct RootKey {
    id: String,
    secret: [u8; 32],
    signing_der: Vec<u8>,
    signing: KeyPair,
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RootKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What a wrapped key looks like in the log. The key-encryption key lies beside it, as the reference's built-in
/// provider has it: who must keep keys from readers of the data directory uses an external provider.
#[derive(Serialize, Deserialize)]
struct Wrapped {
    provider: String,
    provider_id: String,
    key_encryption_key: String,
    encrypted_secret: String,
    encrypted_signing_key: String,
}

/// Randomness that wrapping takes.
pub type WrapSeed = [u8; 56];

impl RootKey {
    /// A key out of its parts: 32 random bytes, and an RSA key as PKCS#8.
    ///
    /// # Errors
    /// When the second is no RSA key.
    pub fn new(
        id: impl Into<String>,
        secret: [u8; 32],
        signing_der: Vec<u8>,
    ) -> Result<Self, IdentityError> {
        let signing = KeyPair::from_pkcs8(&signing_der)
            .map_err(|error| IdentityError::SigningKey(error.to_string()))?;
        Ok(Self {
            id: id.into(),
            secret,
            signing_der,
            signing,
        })
    }

    /// A fresh RSA key as PKCS#8. The one thing here that draws its own randomness, for the library has no other way.
    ///
    /// # Errors
    /// When the library cannot make one.
    pub fn generate_signing_der() -> Result<Vec<u8>, IdentityError> {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
        let fault =
            |error: aws_lc_rs::error::Unspecified| IdentityError::SigningKey(error.to_string());
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(fault)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(fault)?;
        Ok(der.as_ref().to_vec())
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half of the signing key, DER.
    #[must_use]
    pub fn public_der(&self) -> Vec<u8> {
        self.signing.public_key().as_ref().to_vec()
    }

    /// The document under which the key is kept in the log.
    #[must_use]
    pub fn wrap(&self, seed: &WrapSeed) -> Vec<u8> {
        let mut kek = [0; 32];
        kek.copy_from_slice(&seed[..32]);
        let nonce = |at: usize| -> [u8; encryption::NONCE] {
            seed[at..at + encryption::NONCE]
                .try_into()
                .expect("the seed is long enough for two nonces")
        };
        let aad = self.id.as_bytes();
        let wrapped = Wrapped {
            provider: "aead".to_owned(),
            provider_id: "aead".to_owned(),
            key_encryption_key: STANDARD.encode(kek),
            encrypted_secret: STANDARD.encode(encryption::seal(&kek, nonce(32), aad, &self.secret)),
            encrypted_signing_key: STANDARD.encode(encryption::seal(
                &kek,
                nonce(44),
                aad,
                &self.signing_der,
            )),
        };
        serde_json::to_vec(&wrapped).expect("texts can be written as JSON")
    }

    /// The key out of such a document.
    ///
    /// # Errors
    /// When the document is of another key, or damaged.
    pub fn unwrap(id: &str, document: &[u8]) -> Result<Self, IdentityError> {
        let fault = |what: &str| IdentityError::Wrapped(format!("key {id}: {what}"));
        let wrapped: Wrapped =
            serde_json::from_slice(document).map_err(|error| fault(&error.to_string()))?;
        let bytes = |text: &str| {
            STANDARD
                .decode(text)
                .map_err(|error| fault(&error.to_string()))
        };
        let kek: [u8; 32] = bytes(&wrapped.key_encryption_key)?
            .try_into()
            .map_err(|_| fault("its key-encryption key is not 32 bytes"))?;
        let open = |text: &str| {
            encryption::open(&kek, id.as_bytes(), &bytes(text)?)
                .ok_or_else(|| fault("it does not open"))
        };
        let secret = open(&wrapped.encrypted_secret)?
            .try_into()
            .map_err(|_| fault("its secret is not 32 bytes"))?;
        Self::new(id, secret, open(&wrapped.encrypted_signing_key)?)
    }

    /// Nonce and ciphertext of `plain`. A nonce must never be given twice.
    #[must_use]
    pub fn encrypt(&self, nonce: [u8; 12], plain: &[u8]) -> Vec<u8> {
        encryption::seal(&self.secret, nonce, self.id.as_bytes(), plain)
    }

    /// What was encrypted by this key.
    ///
    /// # Errors
    /// When another key did it, or the bytes were changed.
    pub fn decrypt(&self, sealed: &[u8]) -> Result<Vec<u8>, IdentityError> {
        encryption::open(&self.secret, self.id.as_bytes(), sealed)
            .ok_or_else(|| IdentityError::Ciphertext(self.id.clone()))
    }

    pub(crate) fn signing(&self) -> &KeyPair {
        &self.signing
    }

    /// The public half as others verify by it.
    #[must_use]
    pub fn jwk(&self) -> Jwk {
        let (n, e) = modulus_and_exponent(self.signing.public_key().as_ref()).unwrap_or_default();
        Jwk {
            usage: "sig".to_owned(),
            kty: "RSA".to_owned(),
            kid: self.id.clone(),
            alg: "RS256".to_owned(),
            n: Some(URL_SAFE_NO_PAD.encode(n)),
            e: Some(URL_SAFE_NO_PAD.encode(e)),
            ..Jwk::default()
        }
    }
}

/// The two numbers of a public key: a DER sequence of two integers.
fn modulus_and_exponent(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (inside, _) = der_value(der, 0x30)?;
    let (n, rest) = der_value(inside, 0x02)?;
    let (e, _) = der_value(rest, 0x02)?;
    // An integer whose first bit is set has a zero in front, which is not part of the number.
    Some((
        n.strip_prefix(&[0]).unwrap_or(n),
        e.strip_prefix(&[0]).unwrap_or(e),
    ))
}

/// The content of the DER value at the beginning, and what follows it.
fn der_value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], mut rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let count = usize::from(first & 0x7f);
        let (digits, after) = rest.split_at_checked(count)?;
        length = digits
            .iter()
            .fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = after;
    }
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> RootKey {
        let der = RootKey::generate_signing_der().expect("an RSA key");
        RootKey::new(id, [7; 32], der).expect("a key")
    }

    #[test]
    fn what_is_wrapped_comes_back_under_its_own_id_only() {
        let key = key("a");
        let document = key.wrap(&[3; 56]);
        let back = RootKey::unwrap("a", &document).expect("it opens");
        assert_eq!(back.jwk(), key.jwk());
        assert_eq!(
            back.decrypt(&key.encrypt([1; 12], b"items"))
                .expect("the same secret"),
            b"items"
        );
        assert!(RootKey::unwrap("b", &document).is_err());
    }

    #[test]
    fn a_changed_ciphertext_does_not_open() {
        let key = key("a");
        let mut sealed = key.encrypt([1; 12], b"items");
        sealed[13] ^= 1;
        assert!(key.decrypt(&sealed).is_err());
        assert!(key.decrypt(b"short").is_err());
    }
}
