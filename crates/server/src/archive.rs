//! The file of a snapshot: a compressed archive of what describes it, the dump of the state, and checksums of both.

use aws_lc_rs::digest::{SHA256, digest};
use caravan_model::{Timestamp, UnixNanos};
use caravan_state::State;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;

const META: &str = "meta.json";
const STATE: &str = "state.bin";
const SUMS: &str = "SHA256SUMS";
/// A dump is not believed to be larger than this.
const MOST: u64 = 8 << 30;

/// A snapshot of `state`, which was written in this term.
pub(crate) fn pack(state: &State, term: u64, now: UnixNanos) -> std::io::Result<Vec<u8>> {
    let dump = state.dump();
    let index = state.index();
    let stats: Vec<_> = state
        .census()
        .into_iter()
        .map(|census| json!({"Type": census.kind, "Count": census.count, "Size": census.bytes}))
        .collect();
    let meta = json!({
        "Version": 1,
        "ID": format!("{term}-{index}-{}", now.0 / 1_000_000),
        "Index": index,
        "Term": term,
        "Size": dump.len(),
        "Created": Timestamp::from(now),
        "Stats": stats,
    });
    let meta = serde_json::to_vec(&meta)?;
    let mut sums = String::new();
    for (name, content) in [(META, &meta), (STATE, &dump)] {
        // Writing to a string cannot fail.
        let _ = writeln!(sums, "{}  {name}", sum(content));
    }
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (name, content) in [
        (META, &meta[..]),
        (STATE, &dump[..]),
        (SUMS, sums.as_bytes()),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(now.0 / 1_000_000_000).unwrap_or_default());
        archive.append_data(&mut header, name, content)?;
    }
    archive.into_inner()?.finish()
}

/// The dump in a snapshot, when its checksums are right.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let broken = |error: std::io::Error| format!("failed to decompress snapshot: {error}");
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err("failed to decompress snapshot: unexpected EOF".to_owned());
    }
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(MOST));
    let mut files = BTreeMap::new();
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(broken)?;
        files.insert(name, content);
    }
    let sums = files
        .get(SUMS)
        .ok_or("failed to read snapshot: there are no checksums")?;
    let sums = String::from_utf8_lossy(sums).into_owned();
    for name in [META, STATE] {
        let content = files
            .get(name)
            .ok_or_else(|| format!("failed to read snapshot: there is no {name}"))?;
        let wanted = format!("{}  {name}", sum(content));
        if !sums.lines().any(|line| line == wanted) {
            return Err(format!(
                "failed to read snapshot: the checksum of {name:?} does not match"
            ));
        }
    }
    files
        .remove(STATE)
        .ok_or_else(|| "failed to read snapshot".to_owned())
}

fn sum(content: &[u8]) -> String {
    digest(&SHA256, content)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_what_was_altered_is_refused() {
        let state = State::default();
        let packed = pack(&state, 3, UnixNanos(1)).expect("packed");
        assert_eq!(unpack(&packed).expect("whole"), state.dump());
        assert!(unpack(&packed[..packed.len() / 2]).is_err());
        assert!(unpack(b"junk").is_err());
    }
}
