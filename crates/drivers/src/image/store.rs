//! Images on this node's disk: a directory for each, by the digest of its configuration, and which one a name meant last.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use caravan_host::tree::{self, Unpack};
use serde::Deserialize;

use super::{Fetched, Image, ImageError, RunConfig, digest};

/// What an image may hold, unpacked.
pub(super) const MOST_BYTES: u64 = 100 << 30;
const MOST_ENTRIES: u64 = 4_000_000;
/// An image that no task has had for so long goes when another one comes.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
const CONFIG: &str = "config.json";
/// Tells by its time when a task last began with the image.
const USED: &str = "used";
const ROOT: &str = "rootfs";
/// How the directories are named that become images, and those that were images.
const NEW: &str = ".new-";
const GONE: &str = ".gone-";

/// What the names of this agent's directories begin with.
fn own_scratch() -> String {
    format!("{NEW}{}-", std::process::id())
}

#[derive(Debug, Clone)]
pub(super) struct Store {
    dir: PathBuf,
}

/// A directory that goes away.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    /// A file of it. Links lead nowhere but into the directory, and what is no file is not waited for.
    pub(super) fn file(&self, path: &Path) -> Result<File, ImageError> {
        let file = tree::open(&self.0, path).map_err(ImageError::at(path))?;
        match file.metadata().map_err(ImageError::at(path))?.is_file() {
            true => Ok(file),
            false => Err(ImageError::Damaged(format!(
                "{} is no file",
                path.display()
            ))),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    config: Option<RunConfig>,
}

impl Store {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// A new directory beside the images.
    pub(super) fn scratch(&self) -> Result<Scratch, ImageError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("{}{number}", own_scratch()));
        // Left by an agent with this number before a restart of the machine.
        let _ = fs::remove_dir_all(&path);
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path);
        made.map_err(ImageError::at(&path))?;
        Ok(Scratch(path))
    }

    /// The image that the name meant when it was fetched last.
    pub(super) fn named(&self, name: &str) -> Option<Image> {
        let found = fs::read_to_string(self.name_file(name)).ok()?;
        self.load(&found).ok()
    }

    pub(super) fn has(&self, digest: &str) -> bool {
        self.load(digest).is_ok()
    }

    /// Unpacks what was fetched, unless that is here already.
    pub(super) fn keep(&self, fetched: Fetched, name: &str) -> Result<Image, ImageError> {
        let place = self.dir.join(digest::digits(&fetched.digest)?);
        if !place.join(ROOT).is_dir() {
            let scratch = self.scratch()?;
            let root = scratch.0.join(ROOT);
            fs::DirBuilder::new()
                .mode(0o755)
                .create(&root)
                .map_err(ImageError::at(&root))?;
            let mut left = MOST_BYTES;
            for layer in &fetched.layers {
                left -= apply(fetched.dir.file(layer)?, &root, left)?;
            }
            let config = scratch.0.join(CONFIG);
            fs::write(&config, &fetched.config).map_err(ImageError::at(&config))?;
            // An image is there as a whole or not at all.
            fs::rename(&scratch.0, &place).map_err(ImageError::at(&place))?;
        }
        let image = self.load(&fetched.digest)?;
        let file = self.name_file(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(ImageError::at(parent))?;
        }
        fs::write(&file, &fetched.digest).map_err(ImageError::at(&file))?;
        self.collect(SystemTime::now(), &is_mounted);
        Ok(image)
    }

    /// Removes what agents left that were killed, and images that nobody used for long and nobody has.
    fn collect(&self, now: SystemTime, in_use: &dyn Fn(&Path) -> bool) {
        self.sweep();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let used = entry
                .path()
                .join(USED)
                .metadata()
                .and_then(|used| used.modified());
            let Ok(used) = used else { continue };
            let old = now.duration_since(used).is_ok_and(|since| since > KEPT);
            if old && !in_use(&entry.path().join(ROOT)) {
                tracing::info!(image = %entry.path().display(), "an image that was not used for long is removed");
                // First it is no image any more, then its files go.
                let gone = self
                    .dir
                    .join(format!("{GONE}{}", entry.file_name().display()));
                let removed =
                    fs::rename(entry.path(), &gone).and_then(|()| fs::remove_dir_all(&gone));
                if let Err(error) = removed {
                    tracing::warn!(path = %gone.display(), %error, "an image cannot be removed");
                }
            }
        }
    }

    fn sweep(&self) {
        let own = own_scratch();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let new = name.starts_with(NEW) && !name.starts_with(&own);
            if (new || name.starts_with(GONE))
                && let Err(error) = fs::remove_dir_all(entry.path())
            {
                tracing::warn!(path = %entry.path().display(), %error, "what an earlier agent left cannot be removed");
            }
        }
    }

    fn load(&self, digest: &str) -> Result<Image, ImageError> {
        let place = self.dir.join(digest::digits(digest)?);
        let (path, root) = (place.join(CONFIG), place.join(ROOT));
        let bytes = fs::read(&path).map_err(ImageError::at(&path))?;
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|error| ImageError::Damaged(format!("configuration: {error}")))?;
        // Where that cannot be noted the image stays.
        let _ = fs::write(place.join(USED), "");
        Ok(Image {
            root,
            run: config.config.unwrap_or_default(),
        })
    }

    fn name_file(&self, name: &str) -> PathBuf {
        let digest = digest::of(name.as_bytes());
        self.dir
            .join("names")
            .join(digest.trim_start_matches("sha256:"))
    }
}

/// Whether the directory is the lowest layer of some task's root, each of which has mounts of its own.
fn is_mounted(root: &Path) -> bool {
    // Kernels write it in one of two ways.
    let wanted = ["lowerdir=", "lowerdir+="].map(|name| format!("{name}{}", root.display()));
    let holds = |table: &str| {
        let mut options = table.split([' ', ',', '\n']);
        options.any(|option| wanted.iter().any(|wanted| option == wanted))
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut tables =
        processes.filter_map(|entry| fs::read_to_string(entry.path().join("mountinfo")).ok());
    tables.any(|table| holds(&table))
}

/// Unpacks a layer over the ones before; the answer is how many bytes it holds.
fn apply(layer: File, root: &Path, max_bytes: u64) -> Result<u64, ImageError> {
    let damaged = |error: &dyn std::fmt::Display| ImageError::Damaged(error.to_string());
    let how = Unpack {
        wanted: &|_| true,
        layer: true,
        max_bytes,
        max_entries: MOST_ENTRIES,
    };
    let unpacked = unpacking(layer).map_err(|error| damaged(&error))?;
    tree::unpack(unpacked, root, &how).map_err(|error| damaged(&error))
}

/// Layers are packed in one of two ways, or not at all; how they begin says it.
pub(super) fn unpacking(file: File) -> io::Result<Box<dyn Read>> {
    let mut file = BufReader::with_capacity(1 << 17, file);
    let start = io::BufRead::fill_buf(&mut file)?;
    Ok(match start {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Box::new(ruzstd::decoding::StreamingDecoder::new(file).map_err(io::Error::other)?)
        }
        _ => Box::new(file),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_agents_left_goes_and_what_is_being_made_stays() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::new(dir.path().to_owned());
        let left = [".new-0-7", ".gone-aa"].map(|name| dir.path().join(name).join(ROOT));
        for place in &left {
            fs::create_dir_all(place).expect("made");
        }
        let made = store.scratch().expect("made");
        store.collect(SystemTime::now(), &|_| false);
        assert!(left.iter().all(|place| !place.exists()) && made.0.exists());
    }

    #[test]
    fn an_image_holds_no_more_than_it_may() {
        let dir = tempfile::tempdir().expect("dir");
        let mut header = tar::Header::new_gnu();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mode(0o644);
        header.set_size(3);
        let mut builder = tar::Builder::new(Vec::new());
        builder
            .append_data(&mut header, "x", b"abc".as_slice())
            .expect("added");
        let path = dir.path().join("layer.tar");
        fs::write(&path, builder.into_inner().expect("whole")).expect("written");
        let layer = || File::open(&path).expect("opened");
        let root = dir.path().join(ROOT);
        fs::create_dir(&root).expect("made");
        assert_eq!(apply(layer(), &root, 3).expect("it fits"), 3);
        assert!(apply(layer(), &root, 2).is_err());
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let store = tempfile::tempdir().expect("dir");
        let dir = Store::new(store.path().to_owned()).scratch().expect("made");
        let made = std::process::Command::new("mkfifo")
            .arg(dir.0.join("pipe"))
            .status();
        assert!(made.expect("mkfifo").success());
        std::os::unix::fs::symlink("/pipe", dir.0.join("link")).expect("linked");
        std::os::unix::fs::symlink("/etc/passwd", dir.0.join("out")).expect("linked");
        for name in ["pipe", "link", "out", "."] {
            assert!(dir.file(Path::new(name)).is_err(), "{name}");
        }
        fs::write(dir.0.join("real"), "").expect("written");
        assert!(dir.file(Path::new("real")).is_ok());
    }

    #[test]
    fn what_is_old_and_unused_goes() {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::new(dir.path().to_owned());
        let place = |digit: &str| dir.path().join(digit.repeat(64));
        for digit in ["a", "b", "c"] {
            fs::create_dir_all(place(digit).join(ROOT)).expect("made");
            fs::write(place(digit).join(CONFIG), "{}").expect("written");
            assert!(store.has(&format!("sha256:{}", digit.repeat(64))));
        }
        let now = SystemTime::now();
        let early = File::options()
            .write(true)
            .open(place("a").join(USED))
            .expect("opened");
        early
            .set_modified(now - Duration::from_secs(3600))
            .expect("set");
        let has_c = |root: &Path| root.starts_with(place("c"));
        store.collect(now + KEPT - Duration::from_secs(60), &has_c);
        assert!(!place("a").exists() && place("b").exists());
        store.collect(now + KEPT + Duration::from_secs(60), &has_c);
        assert!(!place("b").exists() && place("c").exists());
        assert!(!is_mounted(dir.path()));
    }
}
