//! Browsing and reading the files of an allocation, and what of them nobody may read.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caravan_http::{Answer, ApiError, ApiRequest, Meta, content_type};
use caravan_model::AllocId;
use rustix::fs::OFlags;
use tokio::io::AsyncReadExt;

use super::contained::{self, ContainedError, go_text};
use super::wish::parse_int;
use crate::alloc::dir::AllocDir;
use crate::shared::Shared;

mod info;
mod stream;

pub(super) use stream::{read_some, stream};

/// The most that one read or cat gives.
const CHUNK: usize = 256 << 10;

pub(super) fn root(shared: &Shared, request: &ApiRequest) -> Result<PathBuf, ApiError> {
    let text = request.param("id");
    if text.is_empty() {
        return Err(ApiError::bad_request("must provide a valid alloc id"));
    }
    let id: AllocId = text
        .parse()
        .map_err(|_| ApiError::unknown_allocation(text))?;
    Ok(AllocDir::new(&shared.config.alloc_dir, id).root)
}

fn wanted(request: &ApiRequest) -> Result<PathBuf, ApiError> {
    match request.query.get("path").filter(|path| !path.is_empty()) {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(ApiError::bad_request("must provide a file name")),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ApiError::internal(error.to_string())),
    }
}

fn failure(verb: &str, error: &ContainedError) -> ApiError {
    match error {
        ContainedError::Escapes => ApiError::internal(error.to_string()),
        ContainedError::Io(..) if error.is_not_found() => {
            ApiError::not_found(format!("{verb} {error}"))
        }
        ContainedError::Io(..) => ApiError::internal(format!("{verb} {error}")),
    }
}

pub(super) async fn list(shared: &Arc<Shared>, request: &ApiRequest) -> Result<Answer, ApiError> {
    let root = root(shared, request)?;
    let path = PathBuf::from(request.query.get("path").unwrap_or("/"));
    let clean = contained::relative(&path).unwrap_or_default();
    if is_kept(&clean) {
        return Err(prohibited(&path));
    }
    let found = blocking(move || {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let folder =
            contained::open(&root, &path, flags).map_err(|error| failure("open", &error))?;
        let mut found =
            info::entries(&folder).map_err(|error| ApiError::internal(error.to_string()))?;
        found.retain(|entry| !is_kept(&clean.join(&entry.name)));
        Ok(found)
    });
    Answer::json(&found.await?, Meta::none())
}

pub(super) async fn stat(shared: &Arc<Shared>, request: &ApiRequest) -> Result<Answer, ApiError> {
    let (root, path) = (root(shared, request)?, wanted(request)?);
    let found = blocking(move || {
        let file =
            contained::open(&root, &path, OFlags::PATH).map_err(|error| failure("stat", &error))?;
        let meta = file
            .metadata()
            .map_err(|error| ApiError::internal(error.to_string()))?;
        let content = if meta.is_file() {
            info::sniff(&root, &path)
        } else {
            content_type::BYTES.to_owned()
        };
        let name = path
            .file_name()
            .map_or_else(|| "/".into(), |name| name.to_string_lossy().into_owned());
        Ok(info::of(&name, &meta, content))
    });
    Answer::json(&found.await?, Meta::none())
}

/// Opens a file for reading; what is secret is refused however it is reached.
fn open_readable(root: &Path, path: &Path) -> Result<File, ApiError> {
    refuse_secret(path, path)?;
    let file =
        contained::open(root, path, OFlags::RDONLY).map_err(|error| failure("stat", &error))?;
    if let Some(real) = contained::place(root, &file) {
        refuse_secret(&real, path)?;
    }
    match file.metadata() {
        Ok(meta) if meta.is_dir() => Err(ApiError::bad_request(format!(
            "file {:?} is a directory",
            text(path)
        ))),
        Ok(meta) if !meta.is_file() => Err(ApiError::bad_request(format!(
            "file {:?} is no regular file",
            text(path)
        ))),
        Ok(_) => Ok(file),
        Err(error) => Err(ApiError::internal(go_text(&error))),
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn refuse_secret(real: &Path, shown: &Path) -> Result<(), ApiError> {
    let Some(clean) = contained::relative(real) else {
        return Ok(());
    };
    if is_kept(&clean) {
        return Err(prohibited(shown));
    }
    let second = clean
        .components()
        .nth(1)
        .map(|part| part.as_os_str().to_owned());
    match second.as_deref().and_then(|name| name.to_str()) {
        Some("secrets" | "private") => Err(prohibited(shown)),
        _ => Ok(()),
    }
}

/// What the agent keeps beside the tasks' directories is nobody's business.
fn is_kept(clean: &Path) -> bool {
    let first = clean.components().next();
    first.is_some_and(|first| AllocDir::is_kept(first.as_os_str()))
}

fn prohibited(shown: &Path) -> ApiError {
    ApiError::internal(format!("Reading secret file prohibited: {}", text(shown)))
}

/// Errors of these two routes are shown as the file's content.
fn as_content(result: Result<Answer, ApiError>) -> Result<Answer, ApiError> {
    Ok(result.unwrap_or_else(|error| Answer::text(error.message)))
}

pub(super) async fn cat(shared: &Arc<Shared>, request: &ApiRequest) -> Result<Answer, ApiError> {
    let opened = async {
        let (root, path) = (root(shared, request)?, wanted(request)?);
        blocking(move || open_readable(&root, &path)).await
    };
    as_content(opened.await.map(|file| whole(file, u64::MAX)))
}

fn whole(file: File, most: u64) -> Answer {
    let reader = tokio::fs::File::from_std(file).take(most);
    Answer::stream(
        content_type::TEXT,
        tokio_util::io::ReaderStream::with_capacity(reader, CHUNK),
    )
}

pub(super) async fn read_at(
    shared: &Arc<Shared>,
    request: &ApiRequest,
) -> Result<Answer, ApiError> {
    let opened = async {
        let (root, path) = (root(shared, request)?, wanted(request)?);
        let number = |name: &str| -> Result<i64, ApiError> {
            let text = request.query.get(name).unwrap_or_default();
            parse_int(text)
                .map_err(|error| ApiError::bad_request(format!("error parsing {name}: {error}")))
        };
        let offset = number("offset")?;
        let limit = match request.query.get("limit").filter(|limit| !limit.is_empty()) {
            Some(_) => u64::try_from(number("limit")?).unwrap_or(0),
            None => u64::MAX,
        };
        let mut file = blocking(move || open_readable(&root, &path)).await?;
        let start = u64::try_from(offset).unwrap_or(0);
        file.seek(SeekFrom::Start(start))
            .map_err(|error| ApiError::internal(go_text(&error)))?;
        Ok(whole(file, limit))
    };
    as_content(opened.await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_refused_even_through_links() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(temp.path().join("t/secrets")).unwrap();
        std::fs::create_dir_all(temp.path().join("alloc")).unwrap();
        std::fs::write(temp.path().join("t/secrets/key"), "x").unwrap();
        std::os::unix::fs::symlink("../t/secrets/key", temp.path().join("alloc/key")).unwrap();
        for path in ["t/secrets/key", "/t//secrets/key", "alloc/key"] {
            let error = open_readable(temp.path(), Path::new(path)).unwrap_err();
            assert_eq!(
                error.message,
                format!("Reading secret file prohibited: {path}")
            );
        }
    }
}
