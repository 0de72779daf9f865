//! The agent's half: launching supervisors, finding them again, and asking them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::{Semaphore, watch};

use super::control::Control;
use super::frame;
use super::pty::PtyMaster;
use super::record::{ExitRecord, Record};
use super::spec::{Process, Reply, Request, Spec};
use crate::sys;

/// Why a task did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The supervisor says what about the task is wrong.
    #[error("{0}")]
    Task(String),
    /// No supervisor could be made.
    #[error("failed to start the task's supervisor: {0}")]
    Supervisor(#[from] io::Error),
}

/// All that is needed to find a supervised task again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locator {
    pub state_file: PathBuf,
    pub record: Record,
}

/// What became of a task while nobody was connected.
#[derive(Debug)]
pub enum Reconnected {
    Running(Supervised),
    Exited(Locator, ExitRecord),
    /// The supervisor is gone and wrote no exit; what was left of the task has been killed.
    Lost(String),
}

/// The source of supervisors. One for the agent.
#[derive(Debug)]
pub struct Supervisors {
    program: PathBuf,
    pool: Mutex<Option<StdStream>>,
    /// Starts under way: more at once would only compete for the processors.
    starting: Semaphore,
    idle: Arc<Idle>,
}

/// How many tasks are started at once.
const STARTS: usize = 32;

/// Supervisors whose task is over and that take another one. There are some only while starts are under way: with the
/// last of these they end.
#[derive(Debug, Default)]
struct Idle(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    starts: usize,
    supervisors: Vec<Control>,
}

/// A start that is under way.
struct UnderWay<'a>(&'a Idle);

impl Idle {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> UnderWay<'_> {
        self.lock().starts += 1;
        UnderWay(self)
    }

    fn take(&self) -> Option<Control> {
        self.lock().supervisors.pop()
    }

    /// One that is not kept ends, for its connection does.
    fn put(&self, control: Control) {
        let mut waiting = self.lock();
        if waiting.starts > 0 && waiting.supervisors.len() < STARTS {
            waiting.supervisors.push(control);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.starts -= 1;
        if waiting.starts == 0 {
            waiting.supervisors.clear();
        }
    }
}

impl Default for Supervisors {
    fn default() -> Self {
        Self::new("/proc/self/exe")
    }
}

impl Supervisors {
    /// `program supervise` must call [`crate::supervise_main`].
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            pool: Mutex::new(None),
            starting: Semaphore::new(STARTS),
            idle: Arc::default(),
        }
    }

    /// Starts a task. When this answers, the task runs and its record is written.
    pub async fn launch(&self, spec: &Spec) -> Result<Supervised, LaunchError> {
        let _under_way = self.idle.begin();
        let _turn = self.starting.acquire().await.map_err(io::Error::other)?;
        let mut control = self.tell(&frame::encode(spec)?).await?;
        match control.receive().await? {
            Reply::State { record } => Ok(Supervised::follow(
                Locator {
                    state_file: spec.state_file.clone(),
                    record: *record,
                },
                control,
                Some(Arc::clone(&self.idle)),
            )),
            Reply::Failed { message } => Err(LaunchError::Task(message)),
            Reply::Done | Reply::Exited { .. } => Err(io::Error::other("unexpected answer").into()),
        }
    }

    /// Gives a supervisor its task: one that is idle, else a new one.
    async fn tell(&self, spec: &[u8]) -> io::Result<Control> {
        while let Some(mut control) = self.idle.take() {
            // One that was killed meanwhile takes nothing.
            if control.send(spec).await.is_ok() {
                return Ok(control);
            }
        }
        let mut control = Control::new(self.fork()?);
        control.send(spec).await?;
        Ok(control)
    }

    fn fork(&self) -> io::Result<UnixStream> {
        let (mine, theirs) = StdStream::pair()?;
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(socket) = pool.as_ref()
            && frame::send_with_fds(socket, &[1], &[theirs.as_fd()]).is_err()
        {
            // The pool was killed; running supervisors do not depend on it.
            *pool = None;
        }
        if pool.is_none() {
            let socket = start_pool(&self.program)?;
            frame::send_with_fds(&socket, &[1], &[theirs.as_fd()])?;
            *pool = Some(socket);
        }
        mine.set_nonblocking(true)?;
        UnixStream::from_std(mine)
    }

    /// Finds a task of an earlier agent.
    pub async fn reconnect(&self, locator: &Locator) -> Reconnected {
        match attach(locator).await {
            Ok((found, stream)) if found.record.supervisor == locator.record.supervisor => {
                match found.record.exit.clone() {
                    Some(exit) => Reconnected::Exited(found, exit),
                    None => Reconnected::Running(Supervised::follow(found, stream, None)),
                }
            }
            Ok(_) => Reconnected::Lost("another supervisor answered".into()),
            Err(_) => after_death(locator),
        }
    }

    /// Ends whatever an earlier start left behind, by its state file, and removes that file.
    pub async fn clear(&self, state_file: &Path) -> io::Result<()> {
        match Record::read(state_file) {
            Ok(record) => {
                let locator = Locator {
                    state_file: state_file.to_owned(),
                    record,
                };
                if let Reconnected::Running(old) = self.reconnect(&locator).await {
                    old.stop(9, Duration::ZERO).await?;
                    old.wait().await.ok();
                }
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
            // Damaged: it tells of nothing.
            Err(_) => {}
        }
        std::fs::remove_file(state_file)
    }
}

fn start_pool(program: &Path) -> io::Result<StdStream> {
    let (mine, theirs) = StdStream::pair()?;
    let mut child = Command::new(program)
        .arg("supervise")
        .env_clear()
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|err| io::Error::new(err.kind(), format!("{}: {err}", program.display())))?;
    // The pool ends with us or is killed by others; either way somebody has to take note.
    std::thread::Builder::new()
        .name("supervisor-pool".into())
        .stack_size(64 << 10)
        .spawn(move || child.wait())?;
    Ok(mine)
}

/// A connection to the very supervisor of the record: nobody else can answer in its name.
fn connect(record: &Record) -> io::Result<StdStream> {
    let stream = StdStream::connect_addr(&record.address()?)?;
    let peer = getsockopt(&stream, PeerCredentials)?;
    if peer.pid() != record.supervisor.pid {
        return Err(io::Error::other(
            "another process answers in the supervisor's place",
        ));
    }
    let key = record.key.clone();
    io::Write::write_all(&mut &stream, &frame::encode(&Request::Open { key })?)?;
    Ok(stream)
}

fn connect_async(record: &Record) -> io::Result<Control> {
    let stream = connect(record)?;
    stream.set_nonblocking(true)?;
    Ok(Control::new(UnixStream::from_std(stream)?))
}

/// Connects as a watcher; the first answer is the task's record.
async fn attach(locator: &Locator) -> io::Result<(Locator, Control)> {
    let mut control = connect_async(&locator.record)?;
    control.send(&frame::encode(&Request::Watch)?).await?;
    match control.receive().await? {
        Reply::State { record } => Ok((
            Locator {
                state_file: locator.state_file.clone(),
                record: *record,
            },
            control,
        )),
        other => Err(io::Error::other(format!("unexpected answer {other:?}"))),
    }
}

/// No supervisor answers: its record tells the exit, or the task is lost.
fn after_death(locator: &Locator) -> Reconnected {
    match Record::read(&locator.state_file) {
        Ok(record) if record.socket != locator.record.socket => {
            Reconnected::Lost("the task was replaced".into())
        }
        Ok(record) => match record.exit.clone() {
            Some(exit) => Reconnected::Exited(
                Locator {
                    record,
                    ..locator.clone()
                },
                exit,
            ),
            None => {
                kill_orphan(&record);
                Reconnected::Lost(
                    "the supervisor of the task has gone without a record of its exit".into(),
                )
            }
        },
        Err(err) => {
            kill_orphan(&locator.record);
            Reconnected::Lost(format!("no record of the task: {err}"))
        }
    }
}

/// Without its supervisor a task has no output and no waiter: it ends. Nothing happens to another process that
/// has come to have its pid.
fn kill_orphan(record: &Record) {
    if record.task.is_alive() {
        sys::kill_group(record.task.pid, sys::SIGKILL);
        record.task.signal(sys::SIGKILL);
    }
}

/// A task with a living supervisor and a connection to it.
#[derive(Debug, Clone)]
pub struct Supervised {
    pub locator: Locator,
    exit: watch::Receiver<Option<Result<ExitRecord, String>>>,
}

impl Supervised {
    /// `idle` takes the supervisor when the task is over.
    fn follow(locator: Locator, mut control: Control, idle: Option<Arc<Idle>>) -> Self {
        let (tell, exit) = watch::channel(None);
        let known = locator.clone();
        tokio::spawn(async move {
            let end = loop {
                match control.receive().await {
                    Ok(Reply::Exited { exit }) => break Ok(exit),
                    Ok(_) => {}
                    Err(_) => match after_death(&known) {
                        Reconnected::Exited(_, exit) => break Ok(exit),
                        Reconnected::Lost(why) => break Err(why),
                        Reconnected::Running(_) => {
                            break Err("the connection to the supervisor broke".into());
                        }
                    },
                }
            };
            if let (Ok(_), Some(idle)) = (&end, idle) {
                idle.put(control);
            }
            let _ = tell.send(Some(end));
        });
        Self { locator, exit }
    }

    /// The exit, or why it will never be known.
    pub async fn wait(&self) -> Result<ExitRecord, String> {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(value) => value.clone().unwrap_or_else(|| Err("no exit".into())),
            Err(_) => Err("the agent is shutting down".into()),
        }
    }

    #[must_use]
    pub fn exited(&self) -> Option<Result<ExitRecord, String>> {
        self.exit.borrow().clone()
    }

    pub async fn signal(&self, signo: i32) -> io::Result<()> {
        self.ask(&Request::Signal { signo }).await
    }

    /// Answers at once; the supervisor kills after the timeout, whether the agent still lives or not.
    pub async fn stop(&self, signo: i32, timeout: Duration) -> io::Result<()> {
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        match self.ask(&Request::Stop { signo, timeout_ms }).await {
            // It ended by itself in between.
            Err(_) if self.exit.borrow().is_some() => Ok(()),
            other => other,
        }
    }

    async fn ask(&self, request: &Request) -> io::Result<()> {
        let mut control = connect_async(&self.locator.record)?;
        control.send(&frame::encode(request)?).await?;
        match control.receive().await? {
            Reply::Failed { message } => Err(io::Error::other(message)),
            _ => Ok(()),
        }
    }

    /// Runs a process beside the task. Dropping the session kills it.
    pub async fn exec(&self, process: Process) -> io::Result<ExecSession> {
        let (streams, theirs) = open_streams(process.terminal)?;
        let blocking = connect(&self.locator.record)?;
        let bytes = frame::encode(&Request::Exec {
            process: Box::new(process),
        })?;
        let stream = tokio::task::spawn_blocking(move || -> io::Result<UnixStream> {
            let fds: Vec<_> = theirs.iter().map(AsFd::as_fd).collect();
            frame::send_with_fds(&blocking, &bytes, &fds)?;
            blocking.set_nonblocking(true)?;
            UnixStream::from_std(blocking)
        })
        .await??;
        let mut control = Control::new(stream);
        match control.receive().await? {
            Reply::Failed { message } => Err(io::Error::other(message)),
            _ => Ok(ExecSession { streams, control }),
        }
    }

    /// Everything that runs for this task.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        crate::procs::descendants(self.locator.record.supervisor.pid)
    }
}

fn open_streams(terminal: bool) -> io::Result<(ExecStreams, Vec<OwnedFd>)> {
    if terminal {
        let (master, slave) = PtyMaster::open()?;
        return Ok((ExecStreams::Terminal(master), vec![slave]));
    }
    let (in_read, in_write) = io::pipe()?;
    let (out_read, out_write) = io::pipe()?;
    let (err_read, err_write) = io::pipe()?;
    let streams = ExecStreams::Pipes {
        stdin: pipe::Sender::from_owned_fd(nonblocking(in_write.into())?)?,
        stdout: pipe::Receiver::from_owned_fd(nonblocking(out_read.into())?)?,
        stderr: pipe::Receiver::from_owned_fd(nonblocking(err_read.into())?)?,
    };
    Ok((
        streams,
        vec![in_read.into(), out_write.into(), err_write.into()],
    ))
}

fn nonblocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(fd)
}

#[derive(Debug)]
pub enum ExecStreams {
    Pipes {
        stdin: pipe::Sender,
        stdout: pipe::Receiver,
        stderr: pipe::Receiver,
    },
    Terminal(PtyMaster),
}

/// A process that runs beside a task.
#[derive(Debug)]
pub struct ExecSession {
    pub streams: ExecStreams,
    control: Control,
}

impl ExecSession {
    /// The streams, and the future of the exit; dropping the latter kills the process.
    pub fn split(
        self,
    ) -> (
        ExecStreams,
        impl Future<Output = io::Result<ExitRecord>> + Send,
    ) {
        let mut control = self.control;
        (self.streams, async move {
            loop {
                if let Reply::Exited { exit } = control.receive().await? {
                    return Ok(exit);
                }
            }
        })
    }
}
