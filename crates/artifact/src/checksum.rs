//! Checksums: `type:value`, a value alone, or `file:url` of a list that names it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::FetchError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// What a file must come out as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    /// Lower-case hex.
    pub(crate) value: String,
}

impl Algorithm {
    fn of_name(name: &str) -> Option<Self> {
        match name {
            "md5" => Some(Self::Md5),
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The one whose values have so many hex digits.
    fn of_length(digits: usize) -> Option<Self> {
        match digits {
            32 => Some(Self::Md5),
            40 => Some(Self::Sha1),
            64 => Some(Self::Sha256),
            128 => Some(Self::Sha512),
            _ => None,
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// What a `checksum` option asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Value(Checksum),
    /// It is in a file elsewhere.
    Listed(String),
}

impl Wanted {
    pub(crate) fn parse(text: &str) -> Result<Self, FetchError> {
        let invalid = |why: String| FetchError::Source(format!("invalid checksum {text:?}: {why}"));
        let (name, value) = match text.split_once(':') {
            Some(("file", url)) => return Ok(Self::Listed(url.to_owned())),
            Some((name, value)) => {
                let algorithm = Algorithm::of_name(name)
                    .ok_or_else(|| invalid(format!("unsupported checksum type: {name}")))?;
                (Some(algorithm), value)
            }
            None => (None, text),
        };
        let algorithm = name
            .or_else(|| Algorithm::of_length(value.len()))
            .ok_or_else(|| {
                invalid("its length fits none of md5, sha1, sha256 and sha512".into())
            })?;
        if value.len() != algorithm.digits() || !value.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(invalid(format!(
                "expected {} hex digits",
                algorithm.digits()
            )));
        }
        Ok(Self::Value(Checksum {
            algorithm,
            value: value.to_ascii_lowercase(),
        }))
    }
}

/// The checksum of a file in a list as `sha256sum` and BSD's `md5` write it; a lone value counts for every file.
pub(crate) fn listed(list: &str, file: &str) -> Option<Checksum> {
    let entries: Vec<(Checksum, Option<String>)> = list.lines().filter_map(entry).collect();
    let base = |name: &str| {
        name.trim_start_matches(['*', '.', '/'])
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let named = entries
        .iter()
        .find(|(_, name)| name.as_deref().is_some_and(|name| base(name) == file));
    let lone = || entries.iter().find(|(_, name)| name.is_none());
    named.or_else(lone).map(|(checksum, _)| checksum.clone())
}

fn entry(line: &str) -> Option<(Checksum, Option<String>)> {
    let line = line.trim();
    let checksum = |value: &str| {
        let hex = value.chars().all(|c| c.is_ascii_hexdigit());
        let algorithm = Algorithm::of_length(value.len()).filter(|_| hex)?;
        Some(Checksum {
            algorithm,
            value: value.to_ascii_lowercase(),
        })
    };
    // MD5 (name) = value
    if let Some((name, value)) = line.split_once(") = ") {
        let name = name.split_once('(').map(|(_, name)| name.to_owned());
        return Some((checksum(value)?, name));
    }
    let mut words = line.splitn(2, char::is_whitespace);
    let found = checksum(words.next()?)?;
    Some((found, words.next().map(|name| name.trim().to_owned())))
}

impl Checksum {
    /// Refuses a file that comes out otherwise.
    pub(crate) fn check(&self, path: &Path, name: &str) -> Result<(), FetchError> {
        let found = match self.algorithm {
            Algorithm::Md5 => digest::<Md5>(path),
            Algorithm::Sha1 => digest::<Sha1>(path),
            Algorithm::Sha256 => digest::<Sha256>(path),
            Algorithm::Sha512 => digest::<Sha512>(path),
        };
        let found = found.map_err(FetchError::io(format!("reading {name}")))?;
        if found == self.value {
            return Ok(());
        }
        Err(FetchError::Checksum {
            file: name.to_owned(),
            expected: self.value.clone(),
            found,
        })
    }
}

fn digest<D: Digest>(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = D::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f");
        std::fs::write(&path, "abc").unwrap();
        for text in [
            "md5:900150983cd24fb0d6963f7d28e17f72",
            "sha1:A9993E364706816ABA3E25717850C26C9CD0D89D",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ] {
            let Wanted::Value(wanted) = Wanted::parse(text).unwrap() else {
                panic!("{text}")
            };
            wanted.check(&path, "f").unwrap();
        }
        let Wanted::Value(wrong) = Wanted::parse(&format!("md5:{}", "0".repeat(32))).unwrap()
        else {
            panic!()
        };
        assert!(
            wrong
                .check(&path, "f")
                .unwrap_err()
                .to_string()
                .starts_with("checksums did not match for f")
        );
        for text in [
            "md5:12",
            "crc:00",
            "xyz",
            "sha1:zz993e364706816aba3e25717850c26c9cd0d89d",
        ] {
            assert!(Wanted::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_name_files() {
        let list = "900150983cd24fb0d6963f7d28e17f72  ./dir/a.zip\nMD5 (b.zip) = 11111111111111111111111111111111\n";
        assert_eq!(
            listed(list, "a.zip").unwrap().value,
            "900150983cd24fb0d6963f7d28e17f72"
        );
        assert_eq!(listed(list, "b.zip").unwrap().value, "1".repeat(32));
        assert_eq!(listed(list, "c.zip"), None);
        assert_eq!(
            listed("900150983cd24fb0d6963f7d28e17f72\n", "x")
                .unwrap()
                .algorithm,
            Algorithm::Md5
        );
    }
}
