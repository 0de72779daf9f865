//! The process that fetches, from both sides.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::archive::Archive;
use crate::checksum::{self, Wanted};
use crate::objects::{self, Store};
use crate::source::{Kind, Source};
use crate::{FetchError, Mode, Request, git, http, merge, place, sandbox, unpack};

/// The program that fetches, and what of the agent's environment it gets.
#[derive(Clone, Debug)]
pub struct Helper {
    /// The program.
    pub program: PathBuf,
    /// What comes before anything else on its command line.
    pub args: Vec<String>,
    /// Names of variables that are passed on.
    pub variables: Vec<String>,
}

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Exit codes of the process besides 0.
const RECOVERABLE: i32 = 1;
const FATAL: i32 = 2;
/// The longest list of checksums.
const CHECKSUMS: usize = 1 << 20;
/// Longer words are no help.
const WORDS: u64 = 8192;

/// Starts the process and waits for it; dropping this ends it.
///
/// # Errors
/// See [`FetchError`]; what the process says is passed on in its words.
pub async fn fetch(helper: &Helper, request: &Request) -> Result<(), Failure> {
    let spoiled = |why: String| Failure {
        message: format!("the fetching process {why}"),
        recoverable: true,
    };
    let mut command = tokio::process::Command::new(&helper.program);
    command
        .args(&helper.args)
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let passed = helper
        .variables
        .iter()
        .chain([&"HOME".to_owned()])
        .filter_map(|name| Some((name.clone(), std::env::var_os(name)?)))
        .collect::<Vec<_>>();
    command.envs(passed);
    let mut child = command
        .spawn()
        .map_err(|error| spoiled(format!("cannot be started: {error}")))?;
    let _group = Group(child.id());
    let bytes = serde_json::to_vec(request)
        .map_err(|error| spoiled(format!("cannot be told what to do: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that died says so below.
        let _ = stdin.write_all(&bytes).await;
    }
    let stderr = child.stderr.take();
    let words = async {
        let mut text = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(WORDS).read_to_end(&mut text).await;
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    };
    let both = async { tokio::join!(words, child.wait()) };
    let grace = Duration::from_secs(60);
    let (words, status) = match tokio::time::timeout(request.limits.timeout + grace, both).await {
        Ok((words, status)) => (words, status.map_err(|error| spoiled(error.to_string()))?),
        Err(_) => {
            return Err(spoiled(format!(
                "did not end within {:?}",
                request.limits.timeout
            )));
        }
    };
    match status.code() {
        Some(0) => Ok(()),
        Some(code @ (RECOVERABLE | FATAL)) => Err(Failure {
            message: words,
            recoverable: code == RECOVERABLE,
        }),
        _ => Err(spoiled(format!(
            "ended early: {status}{}{words}",
            if words.is_empty() { "" } else { ": " }
        ))),
    }
}

/// What the process said when it failed, and whether another try may help.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Why.
    pub message: String,
    /// Whether another try may help.
    pub recoverable: bool,
}

/// Ends the whole group of processes with it.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.and_then(|pid| i32::try_from(pid).ok()) {
            let _ = nix::sys::signal::killpg(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
    }
}

/// The process: reads a request from its standard input and carries it out. The code to exit with.
#[must_use]
pub fn fetch_main() -> i32 {
    let mut text = Vec::new();
    let request: Request = match std::io::stdin()
        .read_to_end(&mut text)
        .map(|_| serde_json::from_slice(&text))
    {
        Ok(Ok(request)) => request,
        _ => {
            eprintln!("the request on standard input cannot be read");
            return FATAL;
        }
    };
    match carry_out(&request) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            if error.is_recoverable() {
                RECOVERABLE
            } else {
                FATAL
            }
        }
    }
}

fn carry_out(request: &Request) -> Result<(), FetchError> {
    let source = Source::parse(&request.source, &request.options)?;
    let archive = archive_of(&source)?;
    let wanted = source.option("checksum").map(Wanted::parse).transpose()?;
    if !request.destination.starts_with(&request.root) {
        return Err(FetchError::Escapes(
            request.destination.display().to_string(),
        ));
    }
    sandbox::bound(request)?;
    sandbox::close(request)?;
    let scratch = Scratch::new(request.scratch())?;
    let tree = scratch.0.join("tree");
    match source.kind {
        Kind::Git | Kind::Hg if wanted.is_some() => {
            return Err(FetchError::Source(
                "checksums are for files, not for repositories".into(),
            ));
        }
        Kind::Git => git::git(&source, &tree, &scratch.0)?,
        Kind::Hg => git::hg(&source, &tree)?,
        Kind::Http | Kind::S3 | Kind::Gcs => {
            let file = scratch.0.join("file");
            if download(request, &source, archive, wanted, &file, &tree)? == Downloaded::File {
                let name = plain_name(&source.file_name())?;
                arrange(request, &source, archive, &file, &name, &tree)?;
            }
        }
    }
    settle(request, &source, &tree)
}

/// What is to be unpacked: as the options say, else by the name.
fn archive_of(source: &Source) -> Result<Option<Archive>, FetchError> {
    match source.option("archive") {
        Some(text) => Archive::of_option(text).map_err(FetchError::Source),
        None => Ok(Archive::of_name(&source.file_name()).map(|(archive, _)| archive)),
    }
}

/// A name that is one part of a path.
fn plain_name(name: &str) -> Result<String, FetchError> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(FetchError::Source(format!("{name:?} is no name of a file")));
    }
    Ok(name.to_owned())
}

/// What is there after a download.
#[derive(PartialEq)]
enum Downloaded {
    File,
    /// A directory of objects, which is the tree already.
    Tree,
}

fn download(
    request: &Request,
    source: &Source,
    archive: Option<Archive>,
    wanted: Option<Wanted>,
    file: &Path,
    tree: &Path,
) -> Result<Downloaded, FetchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(FetchError::io("starting"))?;
    let (downloaded, expected) = runtime.block_on(async {
        let client = http::client(request)?;
        match Store::of(source).await? {
            Some(store) => {
                let may_be_tree = archive.is_none() && wanted.is_none();
                let tree = may_be_tree.then_some(tree);
                if objects(&store, &client, request, file, tree).await? == Downloaded::Tree {
                    return Ok((Downloaded::Tree, None));
                }
            }
            None => {
                let headers = http::headers(request)?;
                let most = request.limits.download_bytes;
                http::download(&client, &source.url, headers, file, most).await?;
            }
        }
        let expected = match wanted {
            None => None,
            Some(Wanted::Value(checksum)) => Some(checksum),
            Some(Wanted::Listed(list)) => {
                let text = http::text(&client, &list, HeaderMap::new(), CHECKSUMS).await?;
                let found = checksum::listed(&text, &source.file_name());
                let missing = || FetchError::Remote(format!("no checksum for it in {list}"));
                Some(found.ok_or_else(missing)?)
            }
        };
        Ok::<_, FetchError>((Downloaded::File, expected))
    })?;
    if let Some(checksum) = expected {
        checksum.check(file, &source.file_name())?;
    }
    Ok(downloaded)
}

/// One object as `file`, or, where there may be one, a directory of objects as `tree`.
async fn objects(
    store: &Store,
    client: &reqwest::Client,
    request: &Request,
    file: &Path,
    tree: Option<&Path>,
) -> Result<Downloaded, FetchError> {
    if request.mode == Mode::Dir
        && let Some(tree) = tree
        && store.download_below(client, request, tree).await?
    {
        return Ok(Downloaded::Tree);
    }
    let error = match store.download(client, request, file).await {
        Ok(()) => return Ok(Downloaded::File),
        Err(error) => error,
    };
    let Some(tree) = tree.filter(|_| objects::may_be_directory(request, &error)) else {
        return Err(error);
    };
    match store.download_below(client, request, tree).await {
        Ok(true) => Ok(Downloaded::Tree),
        Ok(false) | Err(FetchError::Status { .. }) => Err(error),
        Err(other) => Err(other),
    }
}

/// Makes the tree of a downloaded file: what it unpacks to, or itself.
fn arrange(
    request: &Request,
    source: &Source,
    archive: Option<Archive>,
    file: &Path,
    name: &str,
    tree: &Path,
) -> Result<(), FetchError> {
    let stem = Archive::of_name(name).map_or(name, |(_, stem)| stem);
    match (archive, request.mode) {
        (Some(archive @ Archive::Single(_)), Mode::File) => {
            let opened = tree.with_file_name("opened");
            fs::create_dir(&opened).map_err(FetchError::io("unpacking"))?;
            unpack::unpack(file, archive, &opened, "file", &request.limits)?;
            fs::rename(opened.join("file"), tree).map_err(FetchError::io("unpacking"))
        }
        (Some(Archive::Tar(_) | Archive::Zip), Mode::File) => {
            // One file of the archive, or the only one in it.
            let opened = tree.with_file_name("opened");
            fs::create_dir(&opened).map_err(FetchError::io("unpacking"))?;
            if let Some(archive) = archive {
                unpack::unpack(file, archive, &opened, name, &request.limits)?;
            }
            let only = only_file(&opened, source)?;
            fs::rename(only, tree).map_err(FetchError::io("unpacking"))
        }
        (Some(archive), Mode::Any | Mode::Dir) => {
            fs::create_dir(tree).map_err(FetchError::io("unpacking"))?;
            unpack::unpack(file, archive, tree, stem, &request.limits)
        }
        (None, Mode::File) => fs::rename(file, tree).map_err(FetchError::io("moving the file")),
        (None, Mode::Any | Mode::Dir) => {
            fs::create_dir(tree).map_err(FetchError::io("moving the file"))?;
            fs::rename(file, tree.join(name)).map_err(FetchError::io("moving the file"))
        }
    }
}

fn only_file(opened: &Path, source: &Source) -> Result<PathBuf, FetchError> {
    if let Some(below) = &source.below {
        return Ok(opened.join(below));
    }
    let entries: Vec<PathBuf> = fs::read_dir(opened)
        .map_err(FetchError::io("unpacking"))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    match entries.as_slice() {
        [only] if only.is_file() => Ok(only.clone()),
        _ => Err(FetchError::Source(
            "mode \"file\" needs an archive of exactly one file".into(),
        )),
    }
}

/// Looks at the tree and moves it to the destination.
fn settle(request: &Request, source: &Source, tree: &Path) -> Result<(), FetchError> {
    let mut from = tree.to_path_buf();
    if let Some(below) = source.below.as_deref().filter(|_| tree.is_dir()) {
        for part in Path::new(below).components() {
            from.push(part);
            let is_dir = fs::symlink_metadata(&from).is_ok_and(|found| found.is_dir());
            let plain = matches!(part, std::path::Component::Normal(_));
            if !plain || !is_dir {
                return Err(FetchError::Source(format!(
                    "there is no directory {below:?} in it"
                )));
            }
        }
    }
    if request.mode == Mode::File && from.is_dir() {
        return Err(FetchError::Source(
            "mode \"file\" is for files, and this is a directory".into(),
        ));
    }
    if !request.links_unchecked {
        place::inspect(&from, &request.destination, &request.root)?;
    }
    place::hand_over(&from, request.owner)?;
    merge::merge(&from, &request.root, &request.destination)
}

/// A folder that only this process uses, and that goes with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(below: &Path) -> Result<Self, FetchError> {
        let path = below.join(format!(".artifact-{}", std::process::id()));
        // One of an earlier process with the same number.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).map_err(FetchError::io(path.display().to_string()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
            .map_err(FetchError::io(path.display().to_string()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
