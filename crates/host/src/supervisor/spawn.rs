//! From a [`Process`] to a running one: everything that happens between fork and exec.

use std::cell::Cell;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Uid};

use super::isolate::{self, Step};
use super::spec::Process;
use crate::cgroup::TaskCgroup;
use crate::credentials::Credentials;
use crate::procs::{Identity, Stat};
use crate::sys::{self, Program};

/// Standard input, output and error of a new process; what is not given is the supervisor's, which is `/dev/null`.
#[derive(Default)]
pub(crate) struct Streams {
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

/// Starts the process (`beside` a running task, in its namespaces). It leads a session (so a process group) of its own.
pub(crate) fn spawn(
    process: &Process,
    group: Option<&TaskCgroup>,
    beside: Option<i32>,
    streams: Streams,
) -> io::Result<Identity> {
    let named = |err: io::Error| {
        let text = format!("fork/exec {}: {}", process.program.display(), go_text(&err));
        io::Error::new(err.kind(), text)
    };
    let program = program(process).map_err(named)?;
    let setup = Setup {
        process,
        group,
        beside,
        streams: &streams,
        start_time: Cell::new(0),
    };
    // An error of the set-up has a text of its own, one of the kernel's a number.
    let spawned = sys::spawn_borrowing(&program, &mut || setup.run());
    let pid = spawned.map_err(|err| match err.raw_os_error() {
        Some(_) => named(err),
        None => err,
    })?;
    Ok(Identity::since(pid, setup.start_time.get()))
}

/// The words that users know for the common failures.
fn go_text(err: &io::Error) -> String {
    match err.raw_os_error() {
        Some(nix::libc::ENOENT) => "no such file or directory".into(),
        Some(nix::libc::EACCES) => "permission denied".into(),
        Some(nix::libc::ENOEXEC) => "exec format error".into(),
        Some(nix::libc::E2BIG) => "argument list too long".into(),
        Some(nix::libc::EISDIR) => "is a directory".into(),
        _ => err.to_string(),
    }
}

/// Where the program may be: a bare name is looked for in the `PATH` that the process will have.
fn candidates(process: &Process) -> io::Result<Vec<CString>> {
    const OTHERWISE: &str = "/bin:/usr/bin";
    if process.program.as_os_str().as_bytes().contains(&b'/') {
        return Ok(vec![c_string(process.program.as_os_str())?]);
    }
    let path = process.env.get("PATH").map_or(OTHERWISE, String::as_str);
    path.split(':')
        .map(|dir| c_string(Path::new(dir).join(&process.program).as_os_str()))
        .collect()
}

fn program(process: &Process) -> io::Result<Program> {
    let own_name = match process.program.file_name() {
        Some(name) if process.program.is_relative() => name,
        _ => process.program.as_os_str(),
    };
    let mut args = vec![c_string(own_name)?];
    for arg in &process.args {
        args.push(c_string(OsStr::new(arg))?);
    }
    let env = process
        .env
        .iter()
        .map(|(name, value)| c_string(OsStr::new(&format!("{name}={value}"))));
    Ok(Program::new(
        candidates(process)?,
        args,
        env.collect::<io::Result<_>>()?,
    ))
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "nul byte found in provided data",
        )
    })
}

struct Setup<'a> {
    process: &'a Process,
    group: Option<&'a TaskCgroup>,
    beside: Option<i32>,
    streams: &'a Streams,
    /// When the child began, which it sees itself: from outside that is told only when its program is loaded.
    start_time: Cell<u64>,
}

impl Setup<'_> {
    /// In the child.
    fn run(&self) -> io::Result<()> {
        self.steps()
            .map_err(|(step, err)| io::Error::new(err.kind(), format!("{step}: {err}")))
    }

    /// The group comes first (it needs our privileges), the user last.
    fn steps(&self) -> Step {
        if let Some(stat) = Stat::read(std::process::id().cast_signed()) {
            self.start_time.set(stat.start_time);
        }
        self.standard_streams()
            .map_err(|err| ("standard streams".to_owned(), err))?;
        sys::default_hangups();
        sys::keep_inherited_from_programs();
        if let Some(group) = self.group {
            group
                .join()
                .map_err(|err| ("failed to join the cgroup".to_owned(), err))?;
        }
        nix::unistd::setsid().map_err(|err| ("setsid".to_owned(), err.into()))?;
        if self.process.terminal {
            rustix::process::ioctl_tiocsctty(io::stdin())
                .map_err(|err| ("failed to take the terminal".to_owned(), err.into()))?;
        }
        if let Some(score) = self.process.oom_score_adj {
            std::fs::write("/proc/self/oom_score_adj", score.to_string())
                .map_err(|err| ("failed to set oom_score_adj".to_owned(), err))?;
        }
        self.network()?;
        self.isolate()?;
        self.directory()?;
        self.user()
    }

    fn standard_streams(&self) -> io::Result<()> {
        let Streams {
            stdin,
            stdout,
            stderr,
        } = self.streams;
        if let Some(stdin) = stdin {
            nix::unistd::dup2_stdin(stdin.as_fd())?;
        }
        if let Some(stdout) = stdout {
            nix::unistd::dup2_stdout(stdout.as_fd())?;
        }
        if let Some(stderr) = stderr {
            nix::unistd::dup2_stderr(stderr.as_fd())?;
        }
        // The supervisor hears of its children by a descriptor, for which it keeps their signal from itself.
        Ok(SigSet::empty().thread_set_mask()?)
    }

    fn isolate(&self) -> Step {
        let Some(isolation) = &self.process.isolation else {
            return Ok(());
        };
        match self.beside {
            Some(pid) => isolate::join(pid, isolation)?,
            None => isolate::enter(isolation)?,
        }
        isolate::bound_privileges(isolation)
    }

    fn network(&self) -> Step {
        let Some(path) = &self.process.netns else {
            return Ok(());
        };
        let enter =
            || -> io::Result<()> { Ok(setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?) };
        enter().map_err(|err| {
            (
                format!("failed to enter the network namespace {}", path.display()),
                err,
            )
        })
    }

    fn directory(&self) -> Step {
        if self.process.cwd.as_os_str().is_empty() {
            return Ok(());
        }
        std::env::set_current_dir(&self.process.cwd)
            .map_err(|err| (format!("chdir {}", self.process.cwd.display()), err))
    }

    fn user(&self) -> Step {
        if let Some(isolation) = &self.process.isolation {
            isolate::keep_privileges(isolation)?;
        }
        if let Some(user) = &self.process.user {
            become_user(user)
                .map_err(|err| (format!("failed to become user {}", user.name), err))?;
        }
        match &self.process.isolation {
            Some(isolation) => isolate::drop_privileges(isolation),
            None => Ok(()),
        }
    }
}

fn become_user(user: &Credentials) -> io::Result<()> {
    let groups: Vec<Gid> = user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    nix::unistd::setgroups(&groups)?;
    let gid = Gid::from_raw(user.gid);
    nix::unistd::setresgid(gid, gid, gid)?;
    let uid = Uid::from_raw(user.uid);
    nix::unistd::setresuid(uid, uid, uid)?;
    Ok(())
}
