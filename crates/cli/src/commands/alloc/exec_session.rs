//! A command in a task, joined to this terminal.

use super::of_job;
use crate::api::Api;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::json::Fields;
use crate::resolve::FoundJob;
use caravan_sdk::{Error, ExecEvent, Query};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::{IsTerminal, Read};
use std::time::Duration;
use tokio::sync::mpsc;

/// How the command is joined to the terminal.
pub(crate) struct Terminal {
    pub(crate) tty: bool,
    stdin: bool,
    escape: Option<u8>,
}

impl Terminal {
    /// As `-i`, `-t` and `-e` have it.
    pub(crate) fn from_flags(context: &Context) -> Result<Self, Failure> {
        let given = &context.given;
        let both = given.on("it") || given.on("ti");
        let stdin = given.on("i") || both;
        let tty = match given.is_set("t") {
            true => given.on("t"),
            false => {
                both || stdin && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
            }
        };
        if tty && !stdin {
            return Err("-i must be enabled if running with tty".into());
        }
        let escape = match given.text("e") {
            "none" | "" => None,
            one if one.len() == 1 => one.bytes().next(),
            _ => return Err("-e requires 'none' or a single character".into()),
        };
        Ok(Self { tty, stdin, escape })
    }
}

/// A running allocation of a job that has the task.
pub(crate) fn any_alloc(
    api: &Api,
    found: &FoundJob,
    group: &str,
    task: &str,
) -> Result<String, Failure> {
    of_job(api, found, group, task).map(|alloc| alloc.str("ID").to_owned())
}

/// The terminal's settings, put back when dropped.
struct Raw(Termios);

impl Raw {
    fn enter() -> Option<Self> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The terminal may be gone by now.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

/// What comes from stdin.
enum Input {
    Data(Vec<u8>),
    End,
    Escaped,
}

/// Finds the escape sequence (`~.` at the start of a line) in what is typed.
struct Escape {
    char: Option<u8>,
    line_start: bool,
    pending: bool,
}

impl Escape {
    /// What is to be passed on, and whether the session is to be closed.
    fn filter(&mut self, data: &[u8]) -> (Vec<u8>, bool) {
        let Some(escape) = self.char else {
            return (data.to_vec(), false);
        };
        let mut out = Vec::with_capacity(data.len());
        for byte in data {
            if std::mem::take(&mut self.pending) {
                match *byte {
                    b'.' => return (out, true),
                    other if other == escape => {}
                    _ => out.push(escape),
                }
            } else if self.line_start && *byte == escape {
                self.pending = true;
                self.line_start = false;
                continue;
            }
            out.push(*byte);
            self.line_start = matches!(byte, b'\r' | b'\n');
        }
        (out, false)
    }
}

fn read_stdin(escape: Option<u8>, to: mpsc::Sender<Input>) {
    std::thread::spawn(move || {
        let mut escape = Escape {
            char: escape,
            line_start: true,
            pending: false,
        };
        let mut buffer = [0; 4096];
        loop {
            let input = match std::io::stdin().lock().read(&mut buffer) {
                Ok(0) | Err(_) => Input::End,
                Ok(count) => {
                    let (data, escaped) = escape.filter(&buffer[..count]);
                    match escaped {
                        true => Input::Escaped,
                        false => Input::Data(data),
                    }
                }
            };
            let last = !matches!(input, Input::Data(_));
            if to.blocking_send(input).is_err() || last {
                return;
            }
        }
    });
}

/// Runs a session to its end; the exit code is the command's.
pub(crate) fn run(
    context: &mut Context,
    api: &Api,
    path: &str,
    query: Query,
    terminal: &Terminal,
) -> Outcome {
    let ended = api.wait(session(context, api, path, query, terminal));
    match ended {
        Ok(code) => Ok(code),
        Err(error) => Err(format!("failed to exec into task: {error}").into()),
    }
}

async fn session(
    context: &mut Context,
    api: &Api,
    path: &str,
    query: Query,
    terminal: &Terminal,
) -> Result<u8, Error> {
    let mut session = api.client.exec(path, query).await?;
    let raw = if terminal.tty { Raw::enter() } else { None };
    let (sender, mut input) = mpsc::channel(16);
    match terminal.stdin {
        true => read_stdin(terminal.escape.filter(|_| terminal.tty), sender),
        false => drop(sender),
    }
    let mut open = terminal.stdin;
    let mut heartbeat = tokio::time::interval(Duration::from_secs(10));
    let failed = |error: std::io::Error| Error::Closed(error.to_string());
    let window = tokio::signal::unix::SignalKind::window_change();
    let mut resized = tokio::signal::unix::signal(window).map_err(failed)?;
    if terminal.tty
        && let Ok(size) = tcgetwinsize(std::io::stdout())
    {
        session.resize(size.ws_row, size.ws_col).await?;
    }
    loop {
        tokio::select! {
            event = session.next() => match event? {
                Some(ExecEvent::Stdout(data)) => context.ui.raw(&data),
                Some(ExecEvent::Stderr(data)) => context.ui.raw_err(&data),
                Some(ExecEvent::Exited(code)) => return Ok(u8::try_from(code & 0xff).unwrap_or(1)),
                None => return Err(Error::Closed("connection closed unexpectedly".into())),
            },
            typed = input.recv(), if open => match typed {
                Some(Input::Data(data)) => session.stdin(&data).await?,
                Some(Input::Escaped) => {
                    drop(raw);
                    context.ui.error("\nConnection closed");
                    return Ok(1);
                }
                Some(Input::End) | None => {
                    open = false;
                    session.close_stdin().await?;
                }
            },
            _ = resized.recv(), if terminal.tty => {
                if let Ok(size) = tcgetwinsize(std::io::stdout()) {
                    session.resize(size.ws_row, size.ws_col).await?;
                }
            }
            _ = heartbeat.tick() => session.heartbeat().await?,
        }
    }
}
