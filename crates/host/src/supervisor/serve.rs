//! The life of one supervisor: start the task, move its output, answer the agent, record the exit, end (or begin
//! anew, when the agent has another task for it at once).
//!
//! One thread, one `poll`. The order at the end is fixed: leftovers killed, output written, exit recorded,
//! watchers told; so whoever learns of the exit finds the log complete and the record there.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;

use super::frame::{self, Inbox};
use super::isolate;
use super::logs::{Output, Pumped, Rotator};
use super::record::{self, ExitRecord, Record, RecordFile};
use super::spawn::{self, Streams};
use super::spec::{Process, Reply, Request, Spec};
use super::tree;
use crate::procs::Identity;
use crate::sys;

/// Connections that have not said the key yet; with more than that the oldest goes.
const STRANGERS: usize = 16;
/// More than a stranger can have to say.
const LONGEST_GREETING: usize = 1024;

/// How long output of a dead task may keep coming from something that escaped the kill.
const DRAIN: Duration = Duration::from_secs(2);

/// Runs to the end of the task, and of those that the agent has for it then; the answer is the exit code of the
/// supervisor.
pub(crate) fn supervise(mut control: UnixStream) -> i32 {
    sys::default_children();
    let _ = nix::unistd::setsid();
    let _ = nix::sys::prctl::set_child_subreaper(true);
    let Some(me) = Identity::of(std::process::id().cast_signed()) else {
        return refuse(&control, "/proc is not mounted".into());
    };
    // It ends with its agent, and when that has nothing more for it.
    while let Ok(spec) = frame::read(&mut control) {
        match Supervisor::start(spec, &me, &control) {
            Ok(mut supervisor) => {
                supervisor.adopt(control, true, true);
                supervisor.run();
                match supervisor.into_control() {
                    Some(again) => control = again,
                    None => return 0,
                }
            }
            Err(err) => return refuse(&control, err.to_string()),
        }
    }
    0
}

fn refuse(control: &UnixStream, message: String) -> i32 {
    send(control, &Reply::Failed { message });
    1
}

fn send(stream: &UnixStream, reply: &Reply) -> bool {
    let Ok(bytes) = frame::encode(reply) else {
        return false;
    };
    let mut stream = stream;
    // A watcher that does not read is dropped rather than waited for; frames are far smaller than the buffer.
    stream.write_all(&bytes).is_ok()
}

struct Connection {
    stream: UnixStream,
    inbox: Inbox,
    /// It said the key.
    trusted: bool,
    watching: bool,
    /// The process that this connection asked to be run beside the task.
    exec: Option<i32>,
    open: bool,
}

struct Supervisor {
    spec: Spec,
    record: Record,
    file: RecordFile,
    signals: SignalFd,
    listener: UnixListener,
    outputs: Vec<Output>,
    connections: Vec<Connection>,
    kill_at: Option<Instant>,
    drain_until: Option<Instant>,
    oom_before: u64,
    /// The task is over, and nothing that it started is left.
    alone: bool,
}

impl Supervisor {
    fn start(spec: Spec, me: &Identity, control: &UnixStream) -> io::Result<Self> {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        mask.thread_block()?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        let (socket, key) = record::socket_and_key()?;
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&socket)?)?;
        listener.set_nonblocking(true)?;
        let (outputs, streams) = outputs(&spec)?;
        let oom_before = spec
            .cgroup
            .as_ref()
            .map_or(0, crate::cgroup::TaskCgroup::oom_kills);
        if let Some(isolation) = &spec.process.isolation {
            isolate::prepare_parent(isolation)?;
        }
        let task = spawn::spawn(&spec.process, spec.cgroup.as_ref(), None, streams)?;
        let record = Record {
            id: spec.id.clone(),
            socket,
            key,
            supervisor: me.clone(),
            task,
            started_at: record::now_ns(),
            exit: None,
        };
        let file = match record.create(&spec.state_file) {
            Ok(file) => file,
            Err(err) => {
                tree::kill_all(spec.cgroup.as_ref());
                let message = format!("{}: {err}", spec.state_file.display());
                return Err(io::Error::new(err.kind(), message));
            }
        };
        send(
            control,
            &Reply::State {
                record: Box::new(record.clone()),
            },
        );
        let connections = Vec::new();
        Ok(Self {
            spec,
            record,
            file,
            signals,
            listener,
            outputs,
            connections,
            kill_at: None,
            drain_until: None,
            oom_before,
            alone: false,
        })
    }

    fn adopt(&mut self, stream: UnixStream, trusted: bool, watching: bool) {
        if stream.set_nonblocking(true).is_ok() {
            self.connections.push(Connection {
                stream,
                inbox: Inbox::default(),
                trusted,
                watching,
                exec: None,
                open: true,
            });
        }
    }

    fn run(&mut self) {
        loop {
            if self.finished() {
                break;
            }
            let Ok(ready) = self.wait() else { break };
            self.children();
            self.pump(&ready.outputs);
            if ready.listener {
                self.accept();
            }
            self.requests(&ready.connections);
            self.deadlines();
        }
        self.finish();
    }

    fn finished(&self) -> bool {
        self.record.exit.is_some()
            && (self.outputs.is_empty()
                || self
                    .drain_until
                    .is_some_and(|until| Instant::now() >= until))
    }

    fn wait(&self) -> io::Result<Ready> {
        let mut fds: Vec<PollFd<'_>> = vec![
            readable(self.signals.as_fd()),
            readable(self.listener.as_fd()),
        ];
        fds.extend(
            self.outputs
                .iter()
                .map(|output| readable(output.pipe.as_fd())),
        );
        fds.extend(self.connections.iter().map(|c| readable(c.stream.as_fd())));
        match poll(&mut fds, self.timeout()) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(err) => return Err(err.into()),
        }
        let hit = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        let outputs = self.outputs.len();
        Ok(Ready {
            listener: hit(&fds[1]),
            outputs: fds[2..2 + outputs].iter().map(hit).collect(),
            connections: fds[2 + outputs..].iter().map(hit).collect(),
        })
    }

    fn timeout(&self) -> PollTimeout {
        let Some(next) = [self.kill_at, self.drain_until].into_iter().flatten().min() else {
            return PollTimeout::NONE;
        };
        let wait = next.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)
    }

    fn children(&mut self) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        let mut ended = Vec::new();
        tree::reap(|pid, how| ended.push((pid, how)));
        for (pid, (exit_code, signal)) in ended {
            if pid == self.record.task.pid && self.record.exit.is_none() {
                self.task_ended(exit_code, signal);
            } else if let Some(connection) =
                self.connections.iter_mut().find(|c| c.exec == Some(pid))
            {
                connection.exec = None;
                let exit = ExitRecord {
                    exit_code,
                    signal,
                    oom_killed: false,
                    finished_at: record::now_ns(),
                };
                send(&connection.stream, &Reply::Exited { exit });
                connection.open = false;
            }
        }
        self.connections.retain(|connection| connection.open);
    }

    fn task_ended(&mut self, exit_code: i32, signal: i32) {
        let oom_kills = self
            .spec
            .cgroup
            .as_ref()
            .map_or(0, crate::cgroup::TaskCgroup::oom_kills);
        let oom_killed =
            oom_kills > self.oom_before && (signal == sys::SIGKILL || exit_code == 137);
        self.record.exit = Some(ExitRecord {
            exit_code,
            signal,
            oom_killed,
            finished_at: record::now_ns(),
        });
        self.alone = tree::kill_all(self.spec.cgroup.as_ref());
        self.kill_at = None;
        self.drain_until = Some(Instant::now() + DRAIN);
    }

    fn pump(&mut self, ready: &[bool]) {
        let mut index = 0;
        self.outputs.retain_mut(|output| {
            index += 1;
            if !ready.get(index - 1).copied().unwrap_or(false) {
                return true;
            }
            matches!(
                output.rotator.pump(&output.pipe),
                Ok(Pumped::Some | Pumped::Empty)
            )
        });
    }

    fn accept(&mut self) {
        if let Ok((stream, _)) = self.listener.accept()
            && is_ours(&stream)
        {
            self.adopt(stream, false, false);
            let strangers = self.connections.iter().filter(|c| !c.trusted).count();
            if strangers > STRANGERS
                && let Some(oldest) = self.connections.iter().position(|c| !c.trusted)
            {
                self.connections.remove(oldest);
            }
        }
    }

    fn requests(&mut self, ready: &[bool]) {
        let there = ready.iter().enumerate().take(self.connections.len());
        for index in there.filter_map(|(index, ready)| ready.then_some(index)) {
            let connection = &mut self.connections[index];
            let mut alive = connection.inbox.fill(&connection.stream).unwrap_or(false);
            loop {
                if !self.connections[index].open {
                    break;
                }
                match self.connections[index].inbox.next() {
                    Ok(Some(request)) => self.handle(index, request),
                    Ok(None) => break,
                    Err(_) => {
                        self.connections[index].open = false;
                        break;
                    }
                }
            }
            let connection = &self.connections[index];
            alive &= connection.trusted || connection.inbox.len() <= LONGEST_GREETING;
            if !alive {
                self.hang_up(index);
            }
        }
        self.connections.retain(|connection| connection.open);
    }

    /// The agent went away: what it watched goes on, what it ran interactively ends.
    fn hang_up(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        connection.open = false;
        if let Some(pid) = connection.exec.take() {
            sys::kill_group(pid, sys::SIGKILL);
        }
    }

    fn handle(&mut self, index: usize, request: Request) {
        let connection = &mut self.connections[index];
        if let Request::Open { key } = &request {
            connection.trusted = *key == self.record.key;
        }
        if !connection.trusted {
            connection.open = false;
            return;
        }
        let reply = match request {
            Request::Open { .. } => return,
            Request::Watch => {
                self.connections[index].watching = true;
                Reply::State {
                    record: Box::new(self.record.clone()),
                }
            }
            Request::Signal { signo } => self.signal(signo),
            Request::Stop { signo, timeout_ms } => {
                self.stop(signo, Duration::from_millis(timeout_ms));
                Reply::Done
            }
            Request::Exec { process } => self.exec(index, &process),
        };
        if !send(&self.connections[index].stream, &reply) {
            self.connections[index].open = false;
        }
    }

    fn signal(&self, signo: i32) -> Reply {
        if self.record.exit.is_none() && sys::kill(self.record.task.pid, signo) {
            Reply::Done
        } else {
            Reply::Failed {
                message: "the task has ended".into(),
            }
        }
    }

    fn stop(&mut self, signo: i32, timeout: Duration) {
        if self.record.exit.is_some() {
            return;
        }
        if !timeout.is_zero() {
            sys::kill(self.record.task.pid, signo);
        }
        let at = Instant::now() + timeout;
        self.kill_at = Some(self.kill_at.map_or(at, |before| before.min(at)));
    }

    fn exec(&mut self, index: usize, process: &Process) -> Reply {
        let mut fds: Vec<OwnedFd> = std::mem::take(&mut self.connections[index].inbox.fds);
        let streams = match (fds.len(), fds.pop(), fds.pop(), fds.pop()) {
            (3, Some(stderr), Some(stdout), Some(stdin)) => Ok((stdin, stdout, stderr)),
            (1, Some(terminal), _, _) => terminal
                .try_clone()
                .and_then(|a| Ok((a, terminal.try_clone()?, terminal))),
            _ => Err(io::Error::other("exec needs its streams")),
        };
        let started = streams.and_then(|(stdin, stdout, stderr)| {
            let streams = Streams {
                stdin: Some(stdin),
                stdout: Some(stdout),
                stderr: Some(stderr),
            };
            if self.record.exit.is_some() {
                return Err(io::Error::other("the task has ended"));
            }
            spawn::spawn(
                process,
                self.spec.cgroup.as_ref(),
                Some(self.record.task.pid),
                streams,
            )
        });
        match started {
            Ok(process) => {
                self.connections[index].exec = Some(process.pid);
                Reply::Done
            }
            Err(err) => Reply::Failed {
                message: format!("failed to start command: {err}"),
            },
        }
    }

    fn deadlines(&mut self) {
        if self.kill_at.is_some_and(|at| Instant::now() >= at) {
            self.kill_at = None;
            sys::kill(self.record.task.pid, sys::SIGKILL);
            if let Some(group) = &self.spec.cgroup {
                group.kill_all();
            }
        }
    }

    /// The connection on which another task may come, if this process is fit for one: it must be as it was before.
    fn into_control(self) -> Option<UnixStream> {
        let fit = self.alone && self.spec.process.isolation.is_none();
        let control = self.connections.into_iter().find(|c| c.watching && fit)?;
        control.stream.set_nonblocking(false).ok()?;
        Some(control.stream)
    }

    fn finish(&mut self) {
        self.outputs.clear();
        // Before anybody learns of the exit: a restart of the task takes the same group.
        if let Some(group) = &self.spec.cgroup {
            let _ = group.remove();
        }
        let Some(exit) = self.record.exit.clone() else {
            return;
        };
        // Whoever listens is told even when the record cannot be written.
        let _ = self.file.finish(&exit);
        for connection in self.connections.iter().filter(|c| c.watching) {
            send(&connection.stream, &Reply::Exited { exit: exit.clone() });
        }
    }
}

struct Ready {
    listener: bool,
    outputs: Vec<bool>,
    connections: Vec<bool>,
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::POLLIN)
}

/// The name space of the socket has no permissions: other users are turned away here. Root of a container passes,
/// and fails at the key.
fn is_ours(stream: &UnixStream) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    getsockopt(stream, PeerCredentials).is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

fn outputs(spec: &Spec) -> io::Result<(Vec<Output>, Streams)> {
    let Some(logs) = &spec.logs else {
        return Ok((Vec::new(), Streams::default()));
    };
    let prefixes = ["stdout", "stderr"].map(|kind| format!("{}.{kind}", logs.name));
    let [out, err] = Rotator::open_all(&logs.dir, prefixes, logs.max_files, logs.max_file_bytes);
    let ((out, stdout), (err, stderr)) = (Output::new(out)?, Output::new(err)?);
    let streams = Streams {
        stdin: None,
        stdout: Some(stdout),
        stderr: Some(stderr),
    };
    Ok((vec![out, err], streams))
}
