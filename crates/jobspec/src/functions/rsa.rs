//! `rsadecrypt`: PKCS #1 v1.5 with a private key in PEM. For values of a job file, where timing tells nobody
//! anything that the file does not.

use super::{Call, Fault, Outcome};
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;

/// Longer keys take too long.
const MOST_BITS: u64 = 8192;

pub(super) fn rsadecrypt(call: &mut Call<'_>) -> Outcome {
    let refuse = |at: usize, why: &str| Fault::Argument(at, why.to_owned());
    let secret = STANDARD
        .decode(call.text(0).replace(['\n', '\r'], ""))
        .map_err(|_| refuse(0, "failed to decode: cipher text must be base64-encoded"))?;
    let pem = call.text(1);
    let der = pem_content(&pem).ok_or_else(|| refuse(1, "failed to parse key: no key found"))?;
    let (modulus, exponent) = private_key(&der, 0)
        .ok_or_else(|| refuse(1, "failed to parse key: it is no RSA private key"))?;
    if modulus.bits() > MOST_BITS || modulus.bits() < 64 {
        return Err(refuse(1, "keys of this length are not supported"));
    }
    let secret = BigUint::from_bytes_be(&secret);
    if secret >= modulus {
        return Err("failed to decrypt: decryption error".into());
    }
    let length = modulus.bits().div_ceil(8) as usize;
    let mut block = secret.modpow(&exponent, &modulus).to_bytes_be();
    while block.len() < length {
        block.insert(0, 0);
    }
    let plain = match block.as_slice() {
        [0, 2, rest @ ..] => rest
            .iter()
            .position(|byte| *byte == 0)
            .filter(|at| *at >= 8)
            .map(|at| rest[at + 1..].to_vec()),
        _ => None,
    };
    match plain.map(String::from_utf8) {
        Some(Ok(text)) => Ok(Value::from(text)),
        _ => Err("failed to decrypt: decryption error".into()),
    }
}

fn pem_content(pem: &str) -> Option<Vec<u8>> {
    let start = pem.find("-----BEGIN ")?;
    let (header, rest) = pem[start + 11..].split_once("-----")?;
    if !header.ends_with("PRIVATE KEY") || header.starts_with("ENCRYPTED") {
        return None;
    }
    let (content, _) = rest.split_once("-----END ")?;
    let digits: String = content.split_whitespace().collect();
    STANDARD.decode(digits).ok()
}

/// Modulus and private exponent of a key in PKCS #1, or in PKCS #8 around it.
fn private_key(der: &[u8], depth: u8) -> Option<(BigUint, BigUint)> {
    let (0x30, sequence, _) = element(der)? else {
        return None;
    };
    let (0x02, _version, rest) = element(sequence)? else {
        return None;
    };
    let (tag, first, rest) = element(rest)?;
    if tag == 0x30 && depth == 0 {
        let (0x04, inner, _) = element(rest)? else {
            return None;
        };
        return private_key(inner, 1);
    }
    let (0x02, _public, rest) = element(rest)? else {
        return None;
    };
    let (0x02, private, _) = element(rest)? else {
        return None;
    };
    Some((
        BigUint::from_bytes_be(first),
        BigUint::from_bytes_be(private),
    ))
}

/// Tag and content of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let bytes = rest.get(..count)?;
            let length = bytes
                .iter()
                .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
            (length, &rest[count..])
        }
        _ => return None,
    };
    Some((*tag, rest.get(..length)?, rest.get(length..)?))
}
