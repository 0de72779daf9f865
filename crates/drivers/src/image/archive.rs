//! Images in archives, as `docker save` and tools of OCI write them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use caravan_host::tree::{self, Unpack};
use serde::Deserialize;

use super::manifest::{Descriptor, Manifest};
use super::store::{Scratch, unpacking};
use super::{Fetched, ImageError, digest};

/// An archive holds few files, apart from layers, which are one each.
const MOST_ENTRIES: u64 = 10_000;
const MOST_BYTES: u64 = 100 << 30;
/// Descriptions are small.
const MOST_TEXT: u64 = 8 << 20;

/// One image of an archive of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: PathBuf,
    layers: Vec<PathBuf>,
}

/// Reads an archive into the directory.
pub(super) fn read(file: File, dir: Scratch) -> Result<Fetched, ImageError> {
    let path = dir.0.clone();
    let how = Unpack {
        wanted: &|_| true,
        layer: false,
        max_bytes: MOST_BYTES,
        max_entries: MOST_ENTRIES,
    };
    let unpacked = unpacking(file).map_err(ImageError::at(&path))?;
    tree::unpack(unpacked, &path, &how).map_err(|error| ImageError::Damaged(error.to_string()))?;
    if path.join("index.json").is_file() {
        return laid_out(dir);
    }
    saved(dir)
}

fn text(dir: &Scratch, name: &Path) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    dir.file(name)?
        .take(MOST_TEXT)
        .read_to_end(&mut bytes)
        .map_err(ImageError::at(name))?;
    Ok(bytes)
}

/// As the OCI has it: blobs by their digests.
fn laid_out(dir: Scratch) -> Result<Fetched, ImageError> {
    let blob = |of: &Descriptor| Ok(Path::new("blobs/sha256").join(digest::digits(&of.digest)?));
    let described = |of: &Descriptor| {
        let bytes = text(&dir, &blob(of)?)?;
        digest::check("a blob", &bytes, &of.digest)?;
        Ok(bytes)
    };
    let mut manifest = Manifest::read(&text(&dir, Path::new("index.json"))?)?;
    // A list may hold lists.
    for _ in 0..3 {
        match manifest.ours()? {
            Some(one) => manifest = Manifest::read(&described(one)?)?,
            None => break,
        }
    }
    let config = manifest.config()?;
    let mut layers = Vec::new();
    for layer in &manifest.layers {
        let path = blob(layer)?;
        digest::check_file(&path, dir.file(&path)?, &layer.digest)?;
        layers.push(path);
    }
    Ok(Fetched {
        digest: config.digest.clone(),
        config: described(config)?,
        layers,
        dir,
    })
}

/// As older engines save it.
fn saved(dir: Scratch) -> Result<Fetched, ImageError> {
    let bytes = text(&dir, Path::new("manifest.json"))?;
    let all: Vec<Saved> = serde_json::from_slice(&bytes)
        .map_err(|error| ImageError::Damaged(format!("manifest.json: {error}")))?;
    let [image] = all.as_slice() else {
        let text = format!("the archive holds {} images: one is wanted", all.len());
        return Err(ImageError::Damaged(text));
    };
    let config = text(&dir, &image.config)?;
    Ok(Fetched {
        digest: digest::of(&config),
        config,
        // A layer that an earlier one equals is saved as a link to it.
        layers: image.layers.clone(),
        dir,
    })
}
