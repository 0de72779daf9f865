//! Images on this node's disk: a directory for each, by the digest of its configuration, and which one a name meant last.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use caravan_host::tree::{self, Unpack};
use serde::Deserialize;

use super::{Fetched, Image, ImageError, RunConfig, digest};

/// What an image may hold, unpacked.
const MOST_BYTES: u64 = 100 << 30;
const MOST_ENTRIES: u64 = 4_000_000;
const CONFIG: &str = "config.json";
const ROOT: &str = "rootfs";

#[derive(Debug, Clone)]
pub(super) struct Store {
    dir: PathBuf,
}

/// A directory that goes away.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) PathBuf);

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
        let path = self.dir.join(format!(".new-{}-{number}", std::process::id()));
        // Left by an agent with this number before a restart of the machine.
        let _ = fs::remove_dir_all(&path);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
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
            fs::DirBuilder::new().mode(0o755).create(&root).map_err(ImageError::at(&root))?;
            for layer in &fetched.layers {
                apply(layer, &root)?;
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
        Ok(image)
    }

    fn load(&self, digest: &str) -> Result<Image, ImageError> {
        let place = self.dir.join(digest::digits(digest)?);
        let (path, root) = (place.join(CONFIG), place.join(ROOT));
        let bytes = fs::read(&path).map_err(ImageError::at(&path))?;
        let config: Config = serde_json::from_slice(&bytes)
            .map_err(|error| ImageError::Damaged(format!("configuration: {error}")))?;
        Ok(Image {
            root,
            run: config.config.unwrap_or_default(),
        })
    }

    fn name_file(&self, name: &str) -> PathBuf {
        let digest = digest::of(name.as_bytes());
        self.dir.join("names").join(digest.trim_start_matches("sha256:"))
    }
}

fn apply(layer: &Path, root: &Path) -> Result<(), ImageError> {
    let file = File::open(layer).map_err(ImageError::at(layer))?;
    let how = Unpack {
        wanted: &|_| true,
        layer: true,
        max_bytes: MOST_BYTES,
        max_entries: MOST_ENTRIES,
    };
    let unpacked = unpacking(file).map_err(ImageError::at(layer))?;
    tree::unpack(unpacked, root, &how).map_err(|error| ImageError::Damaged(error.to_string()))?;
    Ok(())
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
