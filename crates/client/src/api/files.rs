//! Browsing and reading the files of an allocation.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use caravan_http::{Answer, ApiError, ApiRequest, Meta, content_type};
use caravan_model::{AllocId, FileInfo, Timestamp};
use rustix::fs::OFlags;
use rustix::io::ReadWriteFlags;
use tokio::io::AsyncReadExt;

use super::contained::{self, ContainedError, go_text};
use super::frames::{Gone, HEARTBEAT, POLL, Sink};
use crate::alloc::dir::AllocDir;
use crate::shared::Shared;

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
        let mut found = entries(&folder).map_err(|error| ApiError::internal(error.to_string()))?;
        found.retain(|entry| !is_kept(&clean.join(&entry.name)));
        Ok(found)
    });
    Answer::json(&found.await?, Meta::none())
}

fn entries(folder: &File) -> io::Result<Vec<FileInfo>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))? {
        let entry = entry?;
        // What went away meanwhile is not listed.
        let Ok(meta) = entry.metadata() else { continue };
        found.push(info(
            &entry.file_name().to_string_lossy(),
            &meta,
            String::new(),
        ));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn info(name: &str, meta: &Metadata, content_type: String) -> FileInfo {
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

pub(super) async fn stat(shared: &Arc<Shared>, request: &ApiRequest) -> Result<Answer, ApiError> {
    let (root, path) = (root(shared, request)?, wanted(request)?);
    let found = blocking(move || {
        let file =
            contained::open(&root, &path, OFlags::PATH).map_err(|error| failure("stat", &error))?;
        let meta = file
            .metadata()
            .map_err(|error| ApiError::internal(error.to_string()))?;
        let content = if meta.is_file() {
            sniff(&root, &path)
        } else {
            content_type::BYTES.to_owned()
        };
        let name = path
            .file_name()
            .map_or_else(|| "/".into(), |name| name.to_string_lossy().into_owned());
        Ok(info(&name, &meta, content))
    });
    Answer::json(&found.await?, Meta::none())
}

/// What kind of file it is, by its ending or how it begins.
fn sniff(root: &Path, path: &Path) -> String {
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

/// A number as Go reads it, errors included.
pub(super) fn parse_int(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax"))
}

/// A truth as Go reads it, errors included.
pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing {text:?}: invalid syntax"
        )),
    }
}

/// What streams have in common.
pub(super) struct Wish {
    pub(super) follow: bool,
    pub(super) offset: u64,
    pub(super) from_end: bool,
    pub(super) plain: bool,
}

impl Wish {
    pub(super) fn parse(request: &ApiRequest, follows: bool) -> Result<Self, ApiError> {
        let query = &request.query;
        let given = |name: &str| query.get(name).filter(|value| !value.is_empty());
        let truth = |name: &str, otherwise: bool| match given(name) {
            None => Ok(otherwise),
            Some(text) => parse_bool(text).map_err(|error| {
                ApiError::bad_request(format!("failed to parse {name} field to boolean: {error}"))
            }),
        };
        let follow = truth("follow", follows)?;
        let plain = truth("plain", false)?;
        let offset = match given("offset") {
            None => 0,
            Some(text) => parse_int(text)
                .map_err(|error| ApiError::bad_request(format!("error parsing offset: {error}")))?,
        };
        let from_end = match given("origin") {
            None | Some("start") => false,
            Some("end") => true,
            Some(_) => return Err(ApiError::bad_request("origin must be start or end")),
        };
        Ok(Self {
            follow,
            offset: u64::try_from(offset).unwrap_or(0),
            from_end,
            plain,
        })
    }
}

pub(super) async fn stream(shared: &Arc<Shared>, request: &ApiRequest) -> Result<Answer, ApiError> {
    let root = root(shared, request)?;
    let path = wanted(request)?;
    let wish = Wish::parse(request, true)?;
    let shown = contained::relative(&path).map_or_else(|| text(&path), |path| text(&path));
    let file = {
        let (root, path) = (root.clone(), path.clone());
        let opened = blocking(move || open_readable(&root, &path)).await;
        opened.map_err(|error| {
            if error.status == 404 {
                ApiError::bad_request(error.message)
            } else {
                error
            }
        })?
    };
    let length = file.metadata().map_or(0, |meta| meta.len());
    let start = if wish.from_end {
        length.saturating_sub(wish.offset)
    } else {
        wish.offset
    };
    let (sink, answer) = Sink::answer(wish.plain, content_type::TEXT);
    let shutdown = shared.shutdown.clone();
    tokio::spawn(async move {
        let follow = Follow {
            root,
            path,
            shown,
            file: Arc::new(file),
        };
        tokio::select! {
            _ = follow.run(&sink, start, wish.follow) => {}
            () = shutdown.cancelled() => {}
        }
    });
    Ok(answer)
}

struct Follow {
    root: PathBuf,
    path: PathBuf,
    shown: String,
    file: Arc<File>,
}

impl Follow {
    async fn run(&self, sink: &Sink, mut offset: u64, follow: bool) -> Result<(), Gone> {
        let mut quiet = std::time::Duration::ZERO;
        loop {
            let data = match read_some(&self.file, offset, sink.most()).await {
                Ok(data) => data,
                Err(error) => {
                    sink.fail(go_text(&error)).await;
                    return Ok(());
                }
            };
            if !data.is_empty() {
                offset += data.len() as u64;
                sink.data(&self.shown, offset, data).await?;
                quiet = std::time::Duration::ZERO;
                continue;
            }
            if !follow {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
            if self.is_gone() {
                return sink.event(&self.shown, offset, "file deleted").await;
            }
            if self.file.metadata().is_ok_and(|meta| meta.len() < offset) {
                offset = 0;
                sink.event(&self.shown, offset, "file truncated").await?;
            }
            quiet += POLL;
            if quiet >= HEARTBEAT {
                quiet = std::time::Duration::ZERO;
                sink.heartbeat().await?;
            }
        }
    }

    fn is_gone(&self) -> bool {
        let unlinked = self.file.metadata().is_ok_and(|meta| meta.nlink() == 0);
        unlinked
            || matches!(contained::open(&self.root, &self.path, OFlags::PATH), Err(error) if error.is_not_found())
    }
}

/// The next piece of a file, of at most so many bytes. What is in memory is read at once, on this thread.
pub(super) async fn read_some(file: &Arc<File>, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; most];
    let at_once = rustix::io::preadv2(
        file,
        &mut [io::IoSliceMut::new(&mut buffer)],
        offset,
        ReadWriteFlags::NOWAIT,
    );
    if let Ok(count) = at_once {
        buffer.truncate(count);
        return Ok(buffer);
    }
    let file = Arc::clone(file);
    let read = tokio::task::spawn_blocking(move || {
        let count = file.read_at(&mut buffer, offset)?;
        buffer.truncate(count);
        Ok(buffer)
    });
    read.await.map_err(io::Error::other)?
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
