//! AES-256-GCM with the nonce in front of the ciphertext.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// How long a nonce is.
pub(crate) const NONCE: usize = NONCE_LEN;

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes"))
}

/// Nonce and ciphertext of `plain`, bound to `aad`.
pub(crate) fn seal(key: &[u8; 32], nonce: [u8; NONCE], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut sealed = plain.to_vec();
    cipher(key)
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(aad),
            &mut sealed,
        )
        .expect("what fits into memory can be sealed");
    let mut out = nonce.to_vec();
    out.append(&mut sealed);
    out
}

/// What was sealed; `None` when the key or `aad` is another, or the bytes were changed.
pub(crate) fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
    let mut rest = rest.to_vec();
    let plain = cipher(key)
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(aad),
            &mut rest,
        )
        .ok()?
        .to_vec();
    Some(plain)
}
