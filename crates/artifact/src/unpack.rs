//! Unpacks archives into a directory, within bounds. Entries that would land elsewhere are refused, not skipped.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use crate::archive::{Archive, Packing};
use crate::{FetchError, Limits};

/// Unpacks `file` into `into`, which exists; a single packed file becomes `name` there.
pub(crate) fn unpack(
    file: &Path,
    archive: Archive,
    into: &Path,
    name: &str,
    limits: &Limits,
) -> Result<(), FetchError> {
    let open = || File::open(file).map_err(FetchError::io("opening what was fetched"));
    let mut budget = Budget {
        bytes: limits.unpacked_bytes,
        files: limits.unpacked_files,
    };
    match archive {
        Archive::Zip => zip_into(open()?, into, &mut budget),
        Archive::Tar(None) => tar_into(BufReader::new(open()?), into, &mut budget),
        Archive::Tar(Some(packing)) => tar_into(unpacking(packing, open()?)?, into, &mut budget),
        Archive::Single(packing) => {
            budget.file()?;
            let reader = unpacking(packing, open()?)?;
            let path = into.join(inside(Path::new(name))?);
            let mut out = create(&path, 0o644)?;
            budget.copy(reader, &mut out, name)
        }
    }
}

fn unpacking(packing: Packing, file: File) -> Result<Box<dyn Read>, FetchError> {
    let file = BufReader::new(file);
    Ok(match packing {
        Packing::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Packing::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(file)),
        Packing::Xz => Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(file)),
        Packing::Zstd => Box::new(ruzstd::decoding::StreamingDecoder::new(file).map_err(broken)?),
    })
}

fn broken(error: impl std::fmt::Display) -> FetchError {
    FetchError::Archive(error.to_string())
}

/// What is left of what may be written.
struct Budget {
    bytes: u64,
    files: u64,
}

impl Budget {
    fn file(&mut self) -> Result<(), FetchError> {
        self.files = self.files.checked_sub(1).ok_or_else(|| {
            FetchError::TooMuch(
                "the archive has more files than decompression_file_count_limit".into(),
            )
        })?;
        Ok(())
    }

    fn copy(&mut self, reader: impl Read, out: &mut File, name: &str) -> Result<(), FetchError> {
        let mut bounded = reader.take(self.bytes.saturating_add(1));
        let written = io::copy(&mut bounded, out)
            .map_err(|error| FetchError::Archive(format!("{name}: {error}")))?;
        self.bytes = self.bytes.checked_sub(written).ok_or_else(|| {
            FetchError::TooMuch("the archive is larger than decompression_size_limit".into())
        })?;
        out.flush().map_err(FetchError::io(name))
    }
}

/// The path of an entry, which must stay inside.
fn inside(path: &Path) -> Result<PathBuf, FetchError> {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(FetchError::Escapes(format!(
                    "archive entry {:?}",
                    path.display().to_string()
                )));
            }
        }
    }
    Ok(out)
}

/// Whether a link at `entry` leads to something inside.
fn link_stays(entry: &Path, target: &Path) -> bool {
    let mut depth = entry.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

/// Makes the directories of an entry. None of them may be a link that an earlier entry made.
fn make_dirs(root: &Path, path: &Path) -> Result<(), FetchError> {
    let mut so_far = root.to_path_buf();
    for part in path.components() {
        so_far.push(part);
        match fs::symlink_metadata(&so_far) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                return Err(FetchError::Escapes(format!(
                    "archive entry below {:?}, which is no directory,",
                    so_far.display().to_string()
                )));
            }
            Err(_) => {
                fs::create_dir(&so_far).map_err(FetchError::io(so_far.display().to_string()))?
            }
        }
    }
    Ok(())
}

fn create(path: &Path, mode: u32) -> Result<File, FetchError> {
    // What an earlier entry put there is replaced, a link too, and never written through.
    let _ = fs::remove_file(path);
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode & 0o777)
        .open(path);
    let file = file.map_err(FetchError::io(path.display().to_string()))?;
    file.set_permissions(fs::Permissions::from_mode(mode & 0o777))
        .map_err(FetchError::io(path.display().to_string()))?;
    Ok(file)
}

/// The place of an entry, its directories made.
fn place(root: &Path, path: &Path) -> Result<PathBuf, FetchError> {
    if let Some(parent) = path.parent() {
        make_dirs(root, parent)?;
    }
    Ok(root.join(path))
}

fn link(root: &Path, path: &Path, target: &Path) -> Result<(), FetchError> {
    if !link_stays(path, target) {
        return Err(FetchError::Escapes(format!(
            "archive entry {:?}, a link to {:?},",
            path.display().to_string(),
            target.display().to_string()
        )));
    }
    let at = place(root, path)?;
    let _ = fs::remove_file(&at);
    std::os::unix::fs::symlink(target, &at).map_err(FetchError::io(at.display().to_string()))
}

fn tar_into(reader: impl Read, root: &Path, budget: &mut Budget) -> Result<(), FetchError> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        let named = entry.path().map_err(broken)?.into_owned();
        let path = inside(&named)?;
        if path.as_os_str().is_empty() {
            continue;
        }
        let mode = entry.header().mode().unwrap_or(0o644);
        let target = entry
            .link_name()
            .map_err(broken)?
            .map(std::borrow::Cow::into_owned);
        match (kind, target) {
            (tar::EntryType::Directory, _) => make_dirs(root, &path)?,
            (
                tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse,
                _,
            ) => {
                budget.file()?;
                let mut out = create(&place(root, &path)?, mode)?;
                budget.copy(&mut entry, &mut out, &named.display().to_string())?;
            }
            (tar::EntryType::Symlink, Some(target)) => {
                budget.file()?;
                link(root, &path, &target)?;
            }
            (tar::EntryType::Link, Some(target)) => {
                budget.file()?;
                hard_link(root, &path, &target)?;
            }
            (tar::EntryType::XGlobalHeader | tar::EntryType::XHeader, _) => {}
            (other, _) => {
                return Err(FetchError::Archive(format!(
                    "{} is neither file, directory nor link ({other:?})",
                    named.display()
                )));
            }
        }
    }
    Ok(())
}

/// A second name of a file that the archive brought before.
fn hard_link(root: &Path, path: &Path, target: &Path) -> Result<(), FetchError> {
    let target = inside(target)?;
    if let Some(parent) = target.parent() {
        make_dirs(root, parent)?;
    }
    let source = root.join(&target);
    let plain = fs::symlink_metadata(&source).is_ok_and(|found| found.is_file());
    if !plain {
        return Err(FetchError::Archive(format!(
            "{} is a name of {}, which is not there",
            path.display(),
            target.display()
        )));
    }
    let at = place(root, path)?;
    let _ = fs::remove_file(&at);
    fs::hard_link(source, &at).map_err(FetchError::io(at.display().to_string()))
}

fn zip_into(file: File, root: &Path, budget: &mut Budget) -> Result<(), FetchError> {
    const LINK: u32 = 0o120_000;
    const KIND: u32 = 0o170_000;
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    for number in 0..archive.len() {
        let mut entry = archive.by_index(number).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        let path = inside(Path::new(&name))?;
        if path.as_os_str().is_empty() {
            continue;
        }
        if entry.is_dir() {
            make_dirs(root, &path)?;
            continue;
        }
        budget.file()?;
        let mode = entry.unix_mode().unwrap_or(0o644);
        if mode & KIND == LINK {
            let mut target = String::new();
            entry
                .by_ref()
                .take(4096)
                .read_to_string(&mut target)
                .map_err(broken)?;
            link(root, &path, Path::new(&target))?;
            continue;
        }
        let mut out = create(
            &place(root, &path)?,
            if mode & 0o777 == 0 { 0o644 } else { mode },
        )?;
        budget.copy(&mut entry, &mut out, &name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(entries: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o4755);
            // Names that no tool writes are set byte by byte.
            let bytes = name.as_bytes();
            header.as_old_mut().name[..bytes.len()].copy_from_slice(bytes);
            let data: &[u8] = if *kind == tar::EntryType::Regular {
                content.as_bytes()
            } else {
                b""
            };
            if data.is_empty() {
                header.as_old_mut().linkname[..content.len()].copy_from_slice(content.as_bytes());
            }
            header.set_size(data.len() as u64);
            header.set_cksum();
            builder.append(&header, data).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn try_tar(
        entries: &[(&str, tar::EntryType, &str)],
        limits: &Limits,
    ) -> (tempfile::TempDir, Result<(), FetchError>) {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("a.tar");
        fs::write(&file, tar(entries)).unwrap();
        fs::create_dir(temp.path().join("in")).unwrap();
        let result = unpack(
            &file,
            Archive::Tar(None),
            &temp.path().join("in"),
            "a",
            limits,
        );
        (temp, result)
    }

    use tar::EntryType::{Directory, Link, Regular, Symlink};

    #[test]
    fn a_good_archive_comes_out_as_it_is_without_special_bits() {
        let entries = [
            ("d", Directory, ""),
            ("d/x", Regular, "hello"),
            ("d/y", Symlink, "x"),
            ("e/up", Symlink, "../d/x"),
            ("z", Link, "d/x"),
        ];
        let (temp, result) = try_tar(&entries, &Limits::default());
        result.unwrap();
        let read = |name: &str| fs::read_to_string(temp.path().join("in").join(name)).unwrap();
        for name in ["d/x", "d/y", "e/up", "z"] {
            assert_eq!(read(name), "hello", "{name}");
        }
        let mode = fs::metadata(temp.path().join("in/d/x"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o755);
    }

    #[test]
    fn nothing_climbs_out() {
        for entries in [
            &[("../x", Regular, "evil")][..],
            &[("/caravan-evil", Regular, "evil")],
            &[("d/../../x", Regular, "evil")],
            &[("l", Symlink, "/etc")],
            &[("l", Symlink, "../..")],
            &[("l", Symlink, "d"), ("l/x", Regular, "evil")],
            &[("l", Symlink, "."), ("l/d/x", Regular, "evil")],
            &[("z", Link, "../outside")],
            &[("z", Link, "/etc/passwd")],
        ] {
            let (temp, result) = try_tar(entries, &Limits::default());
            assert!(
                matches!(result, Err(FetchError::Escapes(_))),
                "{entries:?}: {result:?}"
            );
            let left: Vec<_> = fs::read_dir(temp.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            assert_eq!(left.len(), 2, "{left:?}");
        }
        assert!(!Path::new("/caravan-evil").exists());
    }

    #[test]
    fn devices_are_refused_and_bounds_hold() {
        let (_temp, result) = try_tar(&[("dev", tar::EntryType::Block, "")], &Limits::default());
        assert!(matches!(result, Err(FetchError::Archive(_))));
        let few = Limits {
            unpacked_files: 1,
            ..Limits::default()
        };
        let (_temp, result) = try_tar(&[("a", Regular, "x"), ("b", Regular, "y")], &few);
        assert!(matches!(result, Err(FetchError::TooMuch(_))));
        let small = Limits {
            unpacked_bytes: 5,
            ..Limits::default()
        };
        let (_temp, result) = try_tar(&[("a", Regular, "123456")], &small);
        assert!(matches!(result, Err(FetchError::TooMuch(_))));
        let (_temp, result) = try_tar(&[("a", Regular, "12345")], &small);
        result.unwrap();
    }

    #[test]
    fn a_link_is_replaced_not_written_through() {
        let temp = tempfile::tempdir().unwrap();
        let (_keep, result) = try_tar(
            &[("a", Symlink, "b"), ("a", Regular, "x")],
            &Limits::default(),
        );
        result.unwrap();
        drop(temp);
        assert_eq!(fs::read_to_string(_keep.path().join("in/a")).unwrap(), "x");
        assert!(!_keep.path().join("in/b").exists());
    }
}
