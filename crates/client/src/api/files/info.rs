//! What is told of a file: its mode as Go writes it, its size and times, what kind of file it is.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use caravan_http::content_type;
use caravan_model::{FileInfo, Timestamp};
use rustix::fs::OFlags;

use crate::api::contained;

pub(super) fn entries(folder: &File) -> io::Result<Vec<FileInfo>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))? {
        let entry = entry?;
        // What went away meanwhile is not listed.
        let Ok(meta) = entry.metadata() else { continue };
        found.push(of(
            &entry.file_name().to_string_lossy(),
            &meta,
            String::new(),
        ));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

pub(super) fn of(name: &str, meta: &Metadata, content_type: String) -> FileInfo {
    FileInfo {
        name: name.to_owned(),
        is_dir: meta.is_dir(),
        size: i64::try_from(meta.len()).unwrap_or(i64::MAX),
        file_mode: mode_text(meta.mode()),
        mod_time: Timestamp(meta.mtime() * 1_000_000_000 + meta.mtime_nsec()),
        content_type,
    }
}

/// A mode as Go writes it.
fn mode_text(mode: u32) -> String {
    let mut text = String::new();
    match mode & 0o170_000 {
        0o040_000 => text.push('d'),
        0o120_000 => text.push('L'),
        0o140_000 => text.push('S'),
        0o010_000 => text.push('p'),
        0o060_000 => text.push('D'),
        0o020_000 => text.push_str("Dc"),
        _ => {}
    }
    for (bit, letter) in [(0o4000, 'u'), (0o2000, 'g'), (0o1000, 't')] {
        if mode & bit != 0 {
            text.push(letter);
        }
    }
    if text.is_empty() {
        text.push('-');
    }
    for shift in (0..9).rev() {
        let letter = ['x', 'w', 'r'][shift % 3];
        text.push(if mode & (1 << shift) != 0 {
            letter
        } else {
            '-'
        });
    }
    text
}

/// What kind of file it is, by its ending or how it begins.
pub(super) fn sniff(root: &Path, path: &Path) -> String {
    let by_ending = match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Some("application/json"),
        Some("html" | "htm") => Some("text/html; charset=utf-8"),
        Some("css") => Some("text/css; charset=utf-8"),
        Some("js") => Some("text/javascript; charset=utf-8"),
        Some("png") => Some("image/png"),
        Some("svg") => Some("image/svg+xml"),
        Some("xml") => Some("text/xml; charset=utf-8"),
        _ => None,
    };
    if let Some(known) = by_ending {
        return known.to_owned();
    }
    let mut start = [0; 512];
    let read = contained::open(root, path, OFlags::RDONLY)
        .ok()
        .and_then(|mut file| file.read(&mut start).ok());
    let start = &start[..read.unwrap_or(0)];
    let control = |byte: &u8| *byte < 9 || (14..32).contains(byte) && *byte != 27 || *byte == 11;
    if start.iter().any(control) {
        content_type::BYTES.into()
    } else {
        content_type::TEXT.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_written_as_go_does() {
        assert_eq!(mode_text(0o040_777), "drwxrwxrwx");
        assert_eq!(mode_text(0o041_777), "dtrwxrwxrwx");
        assert_eq!(mode_text(0o100_644), "-rw-r--r--");
        assert_eq!(mode_text(0o140_666), "Srw-rw-rw-");
    }
}
