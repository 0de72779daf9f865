//! Shuts this process in: what it may write and read, and how much it may use. It cannot be undone, and what it
//! starts is shut in with it.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus,
};
use nix::sys::resource::{Resource, setrlimit};

use crate::{FetchError, Request};

/// What programs need to run and to find names and certificates.
const READ: [&str; 17] = [
    "/bin",
    "/sbin",
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/gitconfig",
    "/etc/mercurial",
];
const READ_TOO: [&str; 8] = [
    "/etc/ssh",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/run/systemd/resolve",
    "/dev/urandom",
];
const READ_AT_HOME: [&str; 5] = [
    ".gitconfig",
    ".config/git",
    ".ssh/known_hosts",
    ".hgrc",
    ".netrc",
];
const OPEN_FILES: u64 = 1024;
/// Unpacking and git both need far less.
const DATA_BYTES: u64 = 2 << 30;

/// Bounds what this process may use.
pub(crate) fn bound(request: &Request) -> Result<(), FetchError> {
    let fail = |what: &str| {
        let what = what.to_owned();
        move |error: nix::errno::Errno| {
            FetchError::Helper(format!("cannot be bounded ({what}): {error}"))
        }
    };
    let largest = request
        .limits
        .download_bytes
        .max(request.limits.unpacked_bytes);
    for (what, resource, most) in [
        ("core", Resource::RLIMIT_CORE, 0),
        ("files", Resource::RLIMIT_NOFILE, OPEN_FILES),
        ("data", Resource::RLIMIT_DATA, DATA_BYTES),
        ("file size", Resource::RLIMIT_FSIZE, largest),
    ] {
        setrlimit(resource, most, most).map_err(fail(what))?;
    }
    nix::sys::prctl::set_no_new_privs().map_err(fail("privileges"))?;
    // Without its agent, nobody waits for it.
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(fail("parent"))
}

/// Keeps this process out of everything but the task's directory. A kernel without landlock keeps out nothing; what
/// is fetched is still only moved to where it may be.
pub(crate) fn close(request: &Request) -> Result<(), FetchError> {
    if !request.sandboxed {
        return Ok(());
    }
    let fail =
        |error: &dyn std::fmt::Display| FetchError::Helper(format!("cannot be shut in: {error}"));
    let abi = ABI::V5;
    let (all, read) = (AccessFs::from_all(abi), AccessFs::from_read(abi));
    let ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(Ruleset::create)
        .map_err(|error| fail(&error))?;
    let mut rules: Vec<(PathBuf, BitFlags<AccessFs>)> = vec![
        (request.root.clone(), all & !AccessFs::Execute),
        (request.scratch().to_path_buf(), all & !AccessFs::Execute),
        ("/dev/null".into(), AccessFs::ReadFile | AccessFs::WriteFile),
    ];
    rules.extend(
        READ.iter()
            .chain(&READ_TOO)
            .map(|path| (PathBuf::from(path), read)),
    );
    if let Some(home) = std::env::var_os("HOME") {
        rules.extend(
            READ_AT_HOME
                .iter()
                .map(|name| (Path::new(&home).join(name), read)),
        );
    }
    for text in &request.extra_paths {
        rules.push(extra(text, all, read)?);
    }
    let mut created = ruleset;
    for (path, access) in rules {
        // What is not there needs no rule.
        let Ok(fd) = PathFd::new(&path) else { continue };
        let access = if path.is_dir() {
            access
        } else {
            access & AccessFs::from_file(abi)
        };
        created = created
            .add_rule(PathBeneath::new(fd, access))
            .map_err(|error| fail(&error))?;
    }
    let status = created.restrict_self().map_err(|error| fail(&error))?;
    if status.ruleset == RulesetStatus::NotEnforced {
        eprintln!(
            "this kernel has no landlock: the process that fetches is bounded, but not shut in"
        );
    }
    Ok(())
}

/// `<kind>:<mode>:<path>`, such as `d:rx:/opt/bin`.
fn extra(
    text: &str,
    all: BitFlags<AccessFs>,
    read: BitFlags<AccessFs>,
) -> Result<(PathBuf, BitFlags<AccessFs>), FetchError> {
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let [kind, mode, path] = parts.as_slice() else {
        return Err(FetchError::Source(format!(
            "filesystem_isolation_extra_paths: {text:?} is not <d|f>:<mode>:<path>"
        )));
    };
    if !matches!(*kind, "d" | "f")
        || !mode.chars().all(|c| "rwxc".contains(c))
        || !path.starts_with('/')
    {
        return Err(FetchError::Source(format!(
            "filesystem_isolation_extra_paths: {text:?} is not <d|f>:<mode>:<path>"
        )));
    }
    let mut access = BitFlags::empty();
    if mode.contains('r') {
        access |= AccessFs::ReadFile | AccessFs::ReadDir;
    }
    if mode.contains('x') {
        access |= AccessFs::Execute;
    }
    if mode.contains('w') {
        access |= AccessFs::WriteFile;
    }
    if mode.contains('c') {
        access |= all & !read;
    }
    Ok((PathBuf::from(path), access))
}
