//! From a [`Process`] to a running one: everything that happens between fork and exec.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns};
use nix::unistd::{Gid, Uid};

use super::isolate::{self, Step};
use super::spec::Process;
use crate::cgroup::TaskCgroup;
use crate::credentials::Credentials;
use crate::sys;

/// Standard input, output and error of a new process.
pub(crate) struct Streams {
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
}

/// Starts the process (`beside` a running task, in its namespaces); the answer is its pid. It leads a session (so a process group) of its own.
pub(crate) fn spawn(
    process: &Process,
    group: Option<&TaskCgroup>,
    beside: Option<i32>,
    streams: Streams,
) -> io::Result<i32> {
    let mut command = Command::new(&process.program);
    command.args(&process.args).env_clear().envs(&process.env);
    command
        .stdin(streams.stdin)
        .stdout(streams.stdout)
        .stderr(streams.stderr);
    if let Some(name) = process.program.file_name()
        && process.program.is_relative()
    {
        command.arg0(name);
    }
    let (mut why, report) = io::pipe()?;
    let setup = Setup {
        process: process.clone(),
        group: group.cloned(),
        beside,
    };
    let report = File::from(OwnedFd::from(report));
    sys::before_exec(&mut command, move || {
        setup.run().map_err(|(step, err)| {
            let _ = (&report).write_all(format!("{step}: {err}").as_bytes());
            io::Error::from_raw_os_error(err.raw_os_error().unwrap_or(nix::libc::EIO))
        })
    });
    let spawned = command.spawn();
    drop(command);
    match spawned {
        // Reaped by `tree::reap`, not through the handle.
        Ok(child) => Ok(child.id().cast_signed()),
        Err(err) => {
            let mut text = String::new();
            let _ = why.read_to_string(&mut text);
            if text.is_empty() {
                let program = process.program.display();
                text = format!("fork/exec {program}: {}", go_text(&err));
            }
            Err(io::Error::new(err.kind(), text))
        }
    }
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

struct Setup {
    process: Process,
    group: Option<TaskCgroup>,
    beside: Option<i32>,
}

impl Setup {
    /// In the child. The group comes first (it needs our privileges), the user last.
    fn run(&self) -> Step {
        sys::default_hangups();
        sys::keep_inherited_from_programs();
        if let Some(group) = &self.group {
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
