//! `nomad supervise`: the process that forks a supervisor for each task.
//!
//! It reads one byte with one descriptor (the control connection of the new supervisor) for each launch from the
//! socket on its standard input, and ends when the agent closes that socket.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use super::{frame, serve};
use crate::procs;
use crate::sys::{self, Forked};

/// Runs the pool, or one supervisor of it; the answer is the process's exit code. Must be called before any
/// thread exists.
pub fn supervise_main(_args: impl IntoIterator<Item = OsString>) -> i32 {
    match run() {
        Ok(()) => 0,
        Err(err) => {
            eprintln!("nomad supervise is started by the agent, not by hand: {err}");
            1
        }
    }
}

fn run() -> io::Result<()> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.peer_addr()?;
    sys::close_all_but(socket.as_fd());
    detach()?;
    sys::default_signals();
    sys::ignore_hangups();
    sys::ignore_children();
    // Read here, every supervisor has it.
    let _ = procs::boot_id();
    loop {
        let mut byte = [0];
        let mut fds = Vec::new();
        match frame::receive(&socket, &mut byte, &mut fds) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
            Err(err) => return Err(err),
        }
        let Some(control) = fds.pop() else { continue };
        match sys::fork_single_threaded() {
            Ok(Forked::Parent) => {}
            Ok(Forked::Child) => {
                drop(socket);
                std::process::exit(serve::supervise(UnixStream::from(control)));
            }
            // The agent sees the control connection end.
            Err(_) => drop(control),
        }
    }
}

/// A session of its own, away from the agent's process group and terminal, holding nothing but `/`.
fn detach() -> io::Result<()> {
    // Fails only for a group leader, which is detached already.
    let _ = nix::unistd::setsid();
    let null = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    std::env::set_current_dir("/")
}
