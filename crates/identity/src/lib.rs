//! Keys and what they are for: the root keys that encrypt variables and sign identities, and the identities.
//!
//! Entry points: [`RootKey`] wraps and unwraps itself, encrypts and signs; [`Claims`] is what an identity says.
//! Randomness comes in as bytes, time as numbers.
//!
//! Invariants: a ciphertext names the key that made it, and does not open under another; what is signed by a key
//! verifies by the public half that [`RootKey::jwk`] shows. This crate must never know where keys are kept.

mod claims;
mod encryption;
mod jwt;
mod key;

pub use claims::{Audience, Claims, IdentityOf, NodeClaims};
pub use jwt::verify;
pub use key::{RootKey, WrapSeed};

/// Why a key, a ciphertext or an identity was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The bytes are no wrapped key, or were wrapped by another key-encryption key.
    #[error("the wrapped root key cannot be read: {0}")]
    Wrapped(String),
    /// The signing key is not one.
    #[error("the signing key cannot be read: {0}")]
    SigningKey(String),
    /// The bytes were not encrypted by this key, or were changed.
    #[error("the ciphertext does not open under key {0}")]
    Ciphertext(String),
    /// The text is no token of three parts.
    #[error("malformed token")]
    Malformed,
    /// No key of this id is known.
    #[error("public key {0:?} not found")]
    UnknownKey(String),
    /// The signature is not of this token.
    #[error("invalid signature")]
    Signature,
    /// The identity is over, or not yet valid.
    #[error("token is expired or not yet valid")]
    Time,
}
