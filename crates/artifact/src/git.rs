//! Clones repositories with the programs of their makers, `git` and `hg`.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::FetchError;
use crate::source::Source;

/// Clones into `into`, which does not exist; `scratch` is a folder for what is needed meanwhile.
pub(crate) fn git(source: &Source, into: &Path, scratch: &Path) -> Result<(), FetchError> {
    let git = Git::new(source, scratch)?;
    let depth = match source.option("depth") {
        Some(text) => text
            .parse::<u32>()
            .map_err(|_| FetchError::Source(format!("depth {text:?} is no number")))?,
        None => 0,
    };
    let reference = source.option("ref");
    if let Some(reference) = reference.filter(|reference| reference.starts_with('-')) {
        return Err(FetchError::Source(format!(
            "ref {reference:?} is no branch, tag or commit"
        )));
    }
    let depth = (depth > 0).then(|| format!("--depth={depth}"));
    let mut clone = vec!["clone", "--quiet"];
    clone.extend(depth.as_deref());
    // A shallow clone has only what is named.
    let named = reference.filter(|reference| depth.is_some() && !is_commit(reference));
    if let Some(reference) = named {
        clone.extend(["--branch", reference]);
    }
    let target = into.display().to_string();
    clone.extend(["--", &source.url, &target]);
    git.run(None, &clone)?;
    if let Some(reference) = reference.filter(|_| named.is_none()) {
        if depth.is_some() {
            git.run(
                Some(into),
                &["fetch", "--quiet", "--depth=1", "origin", reference],
            )?;
        }
        // A branch that is not the default one exists as the remote's only.
        let checked = git.run(Some(into), &["checkout", "--quiet", reference, "--"]);
        if checked.is_err() {
            git.run(
                Some(into),
                &["checkout", "--quiet", &format!("origin/{reference}"), "--"],
            )?;
        }
    }
    if into.join(".gitmodules").is_file() {
        let mut update = vec!["submodule", "--quiet", "update", "--init", "--recursive"];
        update.extend(depth.as_deref());
        git.run(Some(into), &update)?;
    }
    Ok(())
}

fn is_commit(reference: &str) -> bool {
    (7..=64).contains(&reference.len()) && reference.chars().all(|c| c.is_ascii_hexdigit())
}

struct Git {
    scratch: PathBuf,
    ssh: Option<String>,
}

impl Git {
    fn new(source: &Source, scratch: &Path) -> Result<Self, FetchError> {
        let mut ssh = None;
        if let Some(key) = source.option("sshkey") {
            let bytes = STANDARD
                .decode(key)
                .map_err(|_| FetchError::Source("sshkey is not base64".into()))?;
            let path = scratch.join("key");
            let file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, &bytes));
            written.map_err(FetchError::io("writing the ssh key"))?;
            ssh = Some(format!(
                "ssh -i '{}' -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR",
                path.display()
            ));
        }
        Ok(Self {
            scratch: scratch.to_path_buf(),
            ssh,
        })
    }

    fn run(&self, dir: Option<&Path>, args: &[&str]) -> Result<(), FetchError> {
        let mut command = Command::new("git");
        command
            // Neither hooks of templates nor protocols that run programs.
            .args([
                "-c",
                "init.templateDir=",
                "-c",
                "core.hooksPath=/dev/null",
                "-c",
                "protocol.ext.allow=never",
            ])
            .args(["-c", "safe.directory=*", "-c", "advice.detachedHead=false"])
            .args(args)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("TMPDIR", &self.scratch);
        if let Some(ssh) = &self.ssh {
            command.env("GIT_SSH_COMMAND", ssh);
        }
        if let Some(dir) = dir {
            command.current_dir(dir);
        }
        finish("git", &mut command)
    }
}

/// Clones a Mercurial repository into `into`.
pub(crate) fn hg(source: &Source, into: &Path) -> Result<(), FetchError> {
    let mut command = Command::new("hg");
    command.args(["clone", "--quiet"]);
    if let Some(rev) = source.option("rev") {
        if rev.starts_with('-') {
            return Err(FetchError::Source(format!("rev {rev:?} is no revision")));
        }
        command.arg(format!("--updaterev={rev}"));
    }
    command
        .arg("--")
        .arg(&source.url)
        .arg(into)
        .env("HGPLAIN", "1");
    finish("hg", &mut command)
}

fn finish(name: &str, command: &mut Command) -> Result<(), FetchError> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        FetchError::Remote(format!("{name} cannot be run, is it installed? {error}"))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(FetchError::Remote(format!(
        "{name} exited with {}: {}",
        output.status.code().unwrap_or(-1),
        words.trim()
    )))
}
