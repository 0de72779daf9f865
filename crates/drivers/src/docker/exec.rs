//! Commands inside a container.

use std::pin::Pin;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, ResizeExecOptions, StartExecOptions, StartExecResults};
use caravan_driver::{DriverError, ExecInput, ExecIo, ExecOutput, ExecOutputFrame, ExecRequest};
use caravan_host::procs::Identity;
use futures::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::words;

const ONE_SHOT_LIMIT: usize = 1 << 20;
const KILL: i32 = 9;
/// How often, and how far apart, it is looked whether the engine has noted what happened already.
const LOOKS: usize = 200;
const LOOK: Duration = Duration::from_millis(25);

type Input = Pin<Box<dyn AsyncWrite + Send>>;
type Output =
    Pin<Box<dyn futures::Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;

fn failed(err: &bollard::errors::Error) -> DriverError {
    DriverError::other(format!("failed to exec in container: {}", words(err)))
}

async fn start(
    docker: &Docker,
    container: &str,
    request: &ExecRequest,
    stdin: bool,
) -> Result<(String, Output, Input), DriverError> {
    if request.command.is_empty() {
        return Err(DriverError::other("command is not present"));
    }
    let options = CreateExecOptions {
        attach_stdin: Some(stdin),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        tty: Some(request.tty),
        env: Some(
            request
                .env
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect(),
        ),
        cmd: Some(request.command.clone()),
        ..CreateExecOptions::<String>::default()
    };
    let id = docker
        .create_exec(container, options)
        .await
        .map_err(|err| failed(&err))?
        .id;
    let options = StartExecOptions {
        detach: false,
        tty: request.tty,
        output_capacity: Some(64 << 10),
    };
    match docker
        .start_exec(&id, Some(options))
        .await
        .map_err(|err| failed(&err))?
    {
        StartExecResults::Attached { output, input } => Ok((id, output, input)),
        StartExecResults::Detached => Err(DriverError::other(
            "the engine did not attach to the command",
        )),
    }
}

async fn exit_code(docker: &Docker, id: &str) -> Result<i32, DriverError> {
    // The output may end a moment before the engine has noted the exit.
    for _ in 0..LOOKS {
        let found = docker.inspect_exec(id).await.map_err(|err| failed(&err))?;
        if !found.running.unwrap_or(false) {
            return Ok(i32::try_from(found.exit_code.unwrap_or(0)).unwrap_or(-1));
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(DriverError::other(
        "the command closed its output but did not end",
    ))
}

/// The engine has no call to end an exec; on this host the process can be reached.
async fn kill(docker: &Docker, id: &str) {
    // The first output may come a moment before the engine has noted the process.
    for _ in 0..LOOKS {
        match docker.inspect_exec(id).await {
            Ok(found) if found.exit_code.is_none() => {
                let pid = found.pid.and_then(|pid| i32::try_from(pid).ok());
                if let Some(pid) = pid.filter(|pid| *pid > 0) {
                    if let Some(process) = Identity::of(pid) {
                        process.signal(KILL);
                    }
                    return;
                }
            }
            _ => return,
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(crate) async fn once(
    docker: &Docker,
    container: &str,
    command: &[String],
) -> Result<ExecOutput, DriverError> {
    let request = ExecRequest {
        command: command.to_vec(),
        ..ExecRequest::default()
    };
    let (id, mut frames, input) = start(docker, container, &request, false).await?;
    drop(input);
    let mut output = Vec::new();
    while let Some(frame) = frames.next().await {
        let bytes = frame.map_err(|err| failed(&err))?.into_bytes();
        let room = ONE_SHOT_LIMIT.saturating_sub(output.len());
        output.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
    Ok(ExecOutput {
        exit_code: exit_code(docker, &id).await?,
        signal: 0,
        output,
    })
}

pub(crate) async fn streaming(
    docker: &Docker,
    container: &str,
    request: &ExecRequest,
    io: ExecIo,
) -> Result<i32, DriverError> {
    let (id, frames, input) = start(docker, container, request, true).await?;
    let ExecIo {
        input: from_caller,
        output: to_caller,
    } = io;
    // Who listens no longer has gone, as has who sends nothing any more.
    let listens = tokio::select! {
        listens = forward(frames, to_caller) => listens?,
        () = feed(docker, &id, input, from_caller) => false,
    };
    if listens {
        return exit_code(docker, &id).await;
    }
    kill(docker, &id).await;
    Err(DriverError::other("exec: the caller has gone"))
}

/// Whether the caller listened to the end.
async fn forward(
    mut frames: Output,
    to: mpsc::Sender<ExecOutputFrame>,
) -> Result<bool, DriverError> {
    while let Some(frame) = frames.next().await {
        let frame = match frame.map_err(|err| failed(&err))? {
            LogOutput::StdErr { message } => ExecOutputFrame::Stderr(message.to_vec()),
            other => ExecOutputFrame::Stdout(other.into_bytes().to_vec()),
        };
        if to.send(frame).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ends only when the caller has gone.
async fn feed(docker: &Docker, id: &str, input: Input, mut from: mpsc::Receiver<ExecInput>) {
    let mut input = Some(input);
    while let Some(message) = from.recv().await {
        match (message, &mut input) {
            (ExecInput::Stdin(bytes), Some(pipe)) => {
                let written = async {
                    pipe.write_all(&bytes).await?;
                    pipe.flush().await
                };
                if written.await.is_err() {
                    input = None;
                }
            }
            (ExecInput::CloseStdin, Some(pipe)) => {
                let _ = pipe.shutdown().await;
            }
            (ExecInput::Resize { width, height }, _) => {
                // The command may not be up yet, or over already.
                let _ = docker
                    .resize_exec(id, ResizeExecOptions { height, width })
                    .await;
            }
            (ExecInput::Stdin(_) | ExecInput::CloseStdin, None) => {}
        }
    }
}
