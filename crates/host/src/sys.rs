//! The calls that the type system cannot vouch for. Everything else in the workspace forbids `unsafe`.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::io;

use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{ForkResult, Pid};

pub(crate) const SIGKILL: i32 = 9;

/// Sends a signal; errors mean that the process is gone already.
pub(crate) fn kill(pid: i32, signo: i32) -> bool {
    if pid <= 0 {
        return false;
    }
    let Ok(signal) = Signal::try_from(signo) else {
        return false;
    };
    nix::sys::signal::kill(Pid::from_raw(pid), signal).is_ok()
}

pub(crate) fn kill_group(pgid: i32, signo: i32) {
    if pgid > 1
        && let Ok(signal) = Signal::try_from(signo)
    {
        let _ = nix::sys::signal::killpg(Pid::from_raw(pgid), signal);
    }
}

/// Gives memory back to the machine: what was freed, which the allocator keeps for many threads each, after a burst of
/// work up to a gigabyte; and pages of the program's code, most of which only its start needed. What runs on has its
/// own again at the next step, for they stay in the page cache as long as the machine has room.
pub fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes no pointer, and is safe to call from any thread at any time.
    unsafe {
        nix::libc::malloc_trim(0);
    }
    if let Some(code) = crate::procs::own_code() {
        // SAFETY: these pages are mapped from the program's file, executable and never written: the kernel reads
        // them again from there when they are needed.
        unsafe {
            nix::libc::madvise(
                std::ptr::without_provenance_mut::<c_void>(code.start),
                code.len(),
                nix::libc::MADV_DONTNEED,
            );
        }
    }
}

/// Which version of Landlock the kernel has; none where it has none.
#[must_use]
pub fn landlock_version() -> Option<u32> {
    const ASK_VERSION: u32 = 1;
    let nothing = std::ptr::null::<u8>();
    // SAFETY: with this flag the call reads no memory: the pointer must be null and the size 0.
    let version = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_landlock_create_ruleset,
            nothing,
            0_usize,
            ASK_VERSION,
        )
    };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// What is not to be had any more of what is mounted at a path, and of all that is mounted in it.
///
/// # Errors
/// What the system has against it; kernels before 5.12 do not know the call (`Unsupported`).
pub(crate) fn restrict_mounts(path: &std::path::Path, attributes: u64) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let change = nix::libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: both pointers are to values that live as long as the call, and the size is that of the second.
    let done = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_mount_setattr,
            nix::libc::AT_FDCWD,
            path.as_ptr(),
            nix::libc::AT_RECURSIVE,
            &raw const change,
            size_of_val(&change),
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The first descriptor that is not one of the standard streams.
const FIRST_OTHER: u32 = 3;

/// Whatever this process inherited ends with it: programs that it executes get the standard streams and what they are
/// given. Who starts an agent may leave files and pipes open in it that are no business of tasks or plugins.
pub fn keep_inherited_from_programs() {
    if close_range(FIRST_OTHER, u32::MAX, nix::libc::CLOSE_RANGE_CLOEXEC).is_err() {
        for number in open_descriptors() {
            // SAFETY: setting the flag of a descriptor closes nothing and touches no memory.
            let _ = unsafe { nix::libc::fcntl(number, nix::libc::F_SETFD, nix::libc::FD_CLOEXEC) };
        }
    }
}

/// Closes everything but the standard streams and `kept`. Nothing else may be open that somebody owns.
pub(crate) fn close_all_but(kept: std::os::fd::BorrowedFd<'_>) {
    use std::os::fd::AsRawFd;
    let number = kept.as_raw_fd();
    let Ok(kept) = u32::try_from(number) else {
        return;
    };
    let below = kept > FIRST_OTHER && close_range(FIRST_OTHER, kept - 1, 0).is_err();
    if below || close_range(kept + 1, u32::MAX, 0).is_err() {
        for other in open_descriptors()
            .into_iter()
            .filter(|other| *other != number)
        {
            // SAFETY: the caller vouches that nobody owns it.
            unsafe { nix::libc::close(other) };
        }
    }
}

/// Kernels before 5.9 (with the flag: 5.11) do not know the call.
fn close_range(first: u32, last: u32, flags: u32) -> io::Result<()> {
    // SAFETY: the call takes no pointers. With the flag it closes nothing now; without it the callers vouch that
    // nobody owns what is closed.
    let done = unsafe { nix::libc::syscall(nix::libc::SYS_close_range, first, last, flags) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// What is open besides the standard streams.
fn open_descriptors() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|number| *number > 2).collect()
}

pub(crate) enum Forked {
    Child,
    Parent,
}

/// Forks a process that must have exactly one thread.
pub(crate) fn fork_single_threaded() -> io::Result<Forked> {
    debug_assert_eq!(crate::procs::thread_count(), 1);
    // SAFETY: the caller runs before any thread was created (checked above in debug builds), so the child has
    // a consistent heap and no lock is held by a thread that does not exist there.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Child => Ok(Forked::Child),
        ForkResult::Parent { .. } => Ok(Forked::Parent),
    }
}

/// A program to execute, in the form in which the kernel takes it: nothing is made of it any more once there is a
/// child.
pub(crate) struct Program {
    /// Tried one after another.
    candidates: Vec<CString>,
    args: Terminated,
    env: Terminated,
}

/// Texts, and the array of pointers to them that ends with null.
struct Terminated {
    _texts: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Terminated {
    fn new(texts: Vec<CString>) -> Self {
        let pointers = texts.iter().map(|text| text.as_ptr());
        Self {
            pointers: pointers.chain([std::ptr::null()]).collect(),
            _texts: texts,
        }
    }
}

impl Program {
    pub(crate) fn new(candidates: Vec<CString>, args: Vec<CString>, env: Vec<CString>) -> Self {
        Self {
            candidates,
            args: Terminated::new(args),
            env: Terminated::new(env),
        }
    }

    /// Becomes the program; returns why that was not possible.
    fn execute(&self) -> io::Error {
        let mut why = io::Error::from_raw_os_error(nix::libc::ENOENT);
        for candidate in &self.candidates {
            // SAFETY: the path is a C string, the others are arrays of C strings that end with null; all live
            // in `self`.
            unsafe {
                nix::libc::execve(
                    candidate.as_ptr(),
                    self.args.pointers.as_ptr(),
                    self.env.pointers.as_ptr(),
                );
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(nix::libc::ENOENT | nix::libc::ENOTDIR) => {}
                Some(nix::libc::EACCES) => why = error,
                _ => return error,
            }
        }
        why
    }
}

/// What the child of [`spawn_borrowing`] finds in the memory that it borrows.
struct Borrowed<'a> {
    program: &'a Program,
    setup: &'a mut dyn FnMut() -> io::Result<()>,
    failed: Option<io::Error>,
}

/// Room for what `setup` calls; pages that are not touched cost nothing.
const BORROWED_STACK: usize = 512 << 10;

thread_local! {
    /// What such a child runs on. Kept for the next one: so much memory taken and given back each time would have the
    /// allocator tidy up its whole heap, which is shared with the process that this one was forked from.
    // u128: the stack begins where the processor wants it.
    static STACK: RefCell<Vec<u128>> =
        RefCell::new(Vec::with_capacity(BORROWED_STACK / size_of::<u128>()));
}

/// Starts a program in a child that borrows this process's memory until the program takes its place (as `vfork` does):
/// nothing is copied for the child only to be thrown away at once. `setup` runs in the child before; what it allocates
/// it must free, for this process lives on with it. The calling process must have exactly one thread.
pub(crate) fn spawn_borrowing(
    program: &Program,
    setup: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<i32> {
    extern "C" fn child(borrowed: *mut c_void) -> c_int {
        // SAFETY: the pointer is that of `borrowed` below, which the waiting parent does not touch meanwhile.
        let borrowed = unsafe { &mut *borrowed.cast::<Borrowed<'_>>() };
        let error = match (borrowed.setup)() {
            Ok(()) => borrowed.program.execute(),
            Err(error) => error,
        };
        borrowed.failed = Some(error);
        127
    }
    debug_assert_eq!(crate::procs::thread_count(), 1);
    let mut borrowed = Borrowed {
        program,
        setup,
        failed: None,
    };
    let flags = nix::libc::CLONE_VM | nix::libc::CLONE_VFORK | nix::libc::SIGCHLD;
    let pid = STACK.with_borrow_mut(|stack| {
        // SAFETY: with CLONE_VFORK this process, which has no other thread, stands still until the child has executed
        // its program or ended: the child is alone with the memory. It runs on a stack of its own, which grows down
        // from the end of the allocation. Descriptors, signal handling and directories are copies.
        unsafe {
            let top = stack.as_mut_ptr().add(stack.capacity());
            nix::libc::clone(child, top.cast(), flags, (&raw mut borrowed).cast())
        }
    });
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    match borrowed.failed {
        None => Ok(pid),
        Some(error) => {
            // It has ended; nobody else is to hear of it.
            let _ = nix::sys::wait::waitpid(Pid::from_raw(pid), None);
            Err(error)
        }
    }
}

/// Default handling for every signal, so that nothing inherits what some launcher ignored.
pub(crate) fn default_signals() {
    for sig in Signal::iterator() {
        if !matches!(sig, Signal::SIGKILL | Signal::SIGSTOP) {
            default_signal(sig);
        }
    }
}

fn default_signal(sig: Signal) {
    // SAFETY: SIG_DFL installs no handler, so there is no code that could run at a bad moment.
    let _ = unsafe { signal(sig, SigHandler::SigDfl) };
}

/// Children are to be waited for again.
pub(crate) fn default_children() {
    default_signal(Signal::SIGCHLD);
}

/// Takes back [`ignore_hangups`] for a program.
pub(crate) fn default_hangups() {
    default_signal(Signal::SIGPIPE);
    default_signal(Signal::SIGHUP);
}

/// Children are reaped by the kernel.
pub(crate) fn ignore_children() {
    // SAFETY: SIG_IGN installs no handler.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) };
}

/// Writes to a peer that has gone give an error instead of ending the process.
pub(crate) fn ignore_hangups() {
    for sig in [Signal::SIGPIPE, Signal::SIGHUP] {
        // SAFETY: SIG_IGN installs no handler.
        let _ = unsafe { signal(sig, SigHandler::SigIgn) };
    }
}

/// Registers a descriptor with the runtime.
pub(crate) fn async_fd(
    fd: std::os::fd::OwnedFd,
) -> io::Result<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    // SAFETY: the owned descriptor moves into the registration and stays open and the same until both are dropped.
    Ok(unsafe { tokio::io::unix::AsyncFd::register(fd) }?)
}
