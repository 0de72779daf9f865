//! `sha256:…`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::ImageError;

/// The 64 digits of a digest that is well-formed; they are safe as a file's name.
pub(super) fn digits(digest: &str) -> Result<&str, ImageError> {
    let digits = digest.strip_prefix("sha256:").unwrap_or_default();
    let fine = digits.len() == 64
        && digits
            .bytes()
            .all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    match fine {
        true => Ok(digits),
        false => Err(ImageError::Damaged(format!(
            "{digest:?} is no digest of a kind that is known here"
        ))),
    }
}

pub(super) fn of(bytes: &[u8]) -> String {
    written(Sha256::digest(bytes).as_slice())
}

pub(super) fn written(digest: &[u8]) -> String {
    let digits = digest.iter().map(|byte| format!("{byte:02x}"));
    std::iter::once("sha256:".to_owned())
        .chain(digits)
        .collect()
}

/// Whether bytes are what they are said to be.
pub(super) fn check(name: &str, bytes: &[u8], digest: &str) -> Result<(), ImageError> {
    digits(digest)?;
    match of(bytes) == digest {
        true => Ok(()),
        false => Err(ImageError::Digest {
            name: name.into(),
            digest: digest.into(),
        }),
    }
}

/// The same for a file.
pub(super) fn check_file(path: &Path, mut file: File, digest: &str) -> Result<(), ImageError> {
    digits(digest)?;
    let mut hashed = || -> io::Result<String> {
        let mut hash = Sha256::new();
        let mut piece = vec![0; 1 << 16];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(written(hash.finalize().as_slice())),
                count => hash.update(piece.get(..count).unwrap_or_default()),
            }
        }
    };
    match hashed().map_err(ImageError::at(path))? == digest {
        true => Ok(()),
        false => Err(ImageError::Digest {
            name: path.display().to_string(),
            digest: digest.into(),
        }),
    }
}
