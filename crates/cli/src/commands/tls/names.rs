//! Subjects and serial numbers.

use crate::failure::Failure;
use rcgen::{CertificateParams, DistinguishedName, DnType, SerialNumber};
use std::time::{Duration, SystemTime};

/// Parameters valid from now on for so many days, with a random serial number.
pub(super) fn params(common_name: &str, days: i64) -> Result<CertificateParams, Failure> {
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| Failure::new("no randomness"))?;
    serial[0] &= 0x7f;
    let mut params = CertificateParams::default();
    let days = u64::try_from(days).map_err(|_| Failure::new("-days must not be negative"))?;
    let now = SystemTime::now();
    params.not_before = now.into();
    params.not_after = (now + Duration::from_secs(days.saturating_mul(86_400))).into();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    Ok(params)
}

/// A part of a subject, unless it is empty.
pub(super) fn push(name: &mut DistinguishedName, kind: DnType, text: &str) {
    if !text.is_empty() {
        name.push(kind, text);
    }
}
