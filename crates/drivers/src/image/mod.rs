//! OCI images without an engine: found in an archive or a registry, unpacked once each into a directory that tasks have
//! as the lowest layer of their root.
//!
//! Every blob is checked against its digest; an image is known by the digest of its configuration. Must never know:
//! what runs in it.

use std::io;
use std::path::{Path, PathBuf};

use caravan_driver::DriverError;
use serde::Deserialize;
use tokio::sync::Mutex;

mod archive;
mod digest;
mod manifest;
mod reference;
mod registry;
mod store;
mod user;

pub(crate) use reference::Source;
pub(crate) use user::user;

use store::Store;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("{0:?} is neither an image of a registry nor an archive")]
    Name(String),
    #[error("the registry {host} {what}")]
    Registry {
        host: String,
        what: String,
        /// Asking again may help.
        temporary: bool,
    },
    #[error("{name} is not what its digest {digest} says")]
    Digest { name: String, digest: String },
    #[error("the image has no variant for linux/{0}")]
    Platform(&'static str),
    #[error("the image is damaged: {0}")]
    Damaged(String),
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
}

impl ImageError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self::Io { path, error }
    }

    fn is_temporary(&self) -> bool {
        match self {
            Self::Registry { temporary, .. } => *temporary,
            Self::Io { .. } => true,
            _ => false,
        }
    }
}

impl From<ImageError> for DriverError {
    fn from(error: ImageError) -> Self {
        let text = format!("failed to get the image: {error}");
        match error.is_temporary() {
            true => Self::recoverable(text),
            false => Self::fatal(text),
        }
    }
}

/// What an image says of how it is run.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct RunConfig {
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) user: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) env: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) cmd: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) working_dir: String,
}

fn null_is_default<'de, D, T>(value: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// An image that is unpacked here.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// Its files; nobody changes them.
    pub(crate) root: PathBuf,
    pub(crate) run: RunConfig,
}

/// The images of this node.
#[derive(Debug)]
pub(crate) struct Images {
    store: Store,
    /// One at a time: they compete for the same network and disk.
    fetching: Mutex<()>,
}

/// How a task asks for its image.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) source: Source,
    /// What is here already under that name may be old.
    pub(crate) force_pull: bool,
    pub(crate) login: Option<(String, String)>,
    /// Registries that have no certificate.
    pub(crate) insecure: &'a [String],
}

impl Images {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self {
            store: Store::new(dir),
            fetching: Mutex::default(),
        }
    }

    /// The image, fetched and unpacked when it is not here; `downloading` is called before it is fetched.
    pub(crate) async fn obtain(
        &self,
        wanted: Wanted<'_>,
        downloading: impl FnOnce(),
    ) -> Result<Image, ImageError> {
        let name = wanted.source.name();
        let may_be_kept = !wanted.force_pull && wanted.source.is_steady();
        if may_be_kept && let Some(image) = self.store.named(&name) {
            return Ok(image);
        }
        let _turn = self.fetching.lock().await;
        if may_be_kept && let Some(image) = self.store.named(&name) {
            return Ok(image);
        }
        downloading();
        let fetched = match wanted.source {
            Source::Archive { file, .. } => {
                let dir = self.store.scratch()?;
                blocking(move || archive::read(file, dir)).await?
            }
            Source::Registry(reference) => {
                let dir = self.store.scratch()?;
                registry::pull(&reference, wanted.login, wanted.insecure, dir, &|digest| {
                    self.store.has(digest)
                })
                .await?
            }
        };
        let store = self.store.clone();
        blocking(move || store.keep(fetched, &name)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(ImageError::Damaged(error.to_string())),
    }
}

/// What was fetched of an image: its configuration, and the files of its layers, lowest first.
#[derive(Debug)]
struct Fetched {
    /// Of the configuration.
    digest: String,
    config: Vec<u8>,
    /// Below `dir`, whose content may be whatever somebody put into an archive.
    layers: Vec<PathBuf>,
    /// Removed with this.
    dir: store::Scratch,
}
