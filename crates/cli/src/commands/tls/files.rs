//! PEM files of certificates and keys.

use crate::failure::Failure;
use crate::hostfiles::io_text;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rcgen::SerialNumber;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// Everybody may read a certificate.
pub(super) const CERTIFICATE: u32 = 0o644;
/// Only the owner may read a key.
pub(super) const KEY: u32 = 0o600;

/// Refuses to replace a file; `what` names its kind.
pub(super) fn must_be_new(path: &str, what: &str) -> Result<(), Failure> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Err(format!("{what} file '{path}' already exists").into()),
        Err(_) => Ok(()),
    }
}

/// Writes a file that does not exist yet, with a mode from its first byte on.
pub(super) fn write_new(path: &str, mode: u32, content: &str) -> Result<(), Failure> {
    let opened = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    opened
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(|error| format!("open {path}: {}", io_text(&error)).into())
}

/// A random serial number, positive and of full length.
pub(super) fn serial() -> Result<SerialNumber, Failure> {
    let mut bytes = [0u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "Error generating serial number: no random bytes".to_owned())?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
