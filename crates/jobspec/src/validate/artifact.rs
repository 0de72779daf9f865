//! Artifacts, and paths that have to stay inside the allocation.

use super::Faults;
use caravan_model::Artifact;

pub(super) fn validate(artifacts: &[Artifact], faults: &mut Faults) {
    for (at, it) in artifacts.iter().enumerate() {
        let mut inner = Faults::default();
        artifact(it, &mut inner);
        faults.nest(&format!("Artifact {} validation failed: ", at + 1), inner);
    }
}

fn artifact(artifact: &Artifact, faults: &mut Faults) {
    faults.add_if(
        artifact.getter_source.is_empty(),
        "source must be specified",
    );
    let mode = artifact.getter_mode.as_str();
    faults.add_if(
        !["any", "file", "dir"].contains(&mode),
        format!("invalid artifact mode {mode:?}; must be one of: any, file, dir"),
    );
    faults.add_if(
        escapes(&artifact.relative_dest),
        "destination escapes allocation directory",
    );
    if let Some(checksum) = artifact.getter_options.get("checksum")
        && let Some(why) = checksum_problem(checksum)
    {
        faults.add(why);
    }
}

fn checksum_problem(checksum: &str) -> Option<String> {
    // What is filled in at run time cannot be judged now.
    if checksum.is_empty() || checksum.contains("${") {
        return None;
    }
    let Some((kind, value)) = checksum.split_once(':') else {
        return Some(format!(
            "checksum must be given as \"type:value\"; got {checksum:?}"
        ));
    };
    let bytes = match kind {
        "md5" => 16,
        "sha1" => 20,
        "sha256" => 32,
        "sha512" => 64,
        other => return Some(format!("unsupported checksum type: {other}")),
    };
    if let Some(letter) = value.chars().find(|c| !c.is_ascii_hexdigit()) {
        return Some(format!(
            "invalid checksum: encoding/hex: invalid byte: U+{:04X} '{letter}'",
            u32::from(letter)
        ));
    }
    if value.len() % 2 == 1 {
        return Some("invalid checksum: encoding/hex: odd length hex string".to_owned());
    }
    (value.len() != bytes * 2).then(|| format!("invalid {kind} checksum: {value}"))
}

/// Whether a path from the task's directory leaves the allocation's, which is one above.
pub(super) fn escapes(path: &str) -> bool {
    let mut depth = 1i32;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}
