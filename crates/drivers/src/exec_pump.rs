//! Carries the streams of an exec between the caller's channels and the process.

use caravan_driver::{DriverError, ExecInput, ExecIo, ExecOutput, ExecOutputFrame};
use caravan_host::{ExecSession, ExecStreams, PtyMaster};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;

/// Output beyond this is dropped from a one-shot answer.
const ONE_SHOT_LIMIT: usize = 1 << 20;

/// Runs to the exit of the process and the end of its output. The caller hanging up ends the process.
pub(crate) async fn stream(session: ExecSession, io: ExecIo) -> Result<i32, DriverError> {
    let (streams, exit) = session.split();
    let ExecIo { input, output } = io;
    match streams {
        ExecStreams::Pipes {
            stdin,
            stdout,
            stderr,
        } => {
            let outputs = async {
                tokio::join!(
                    forward(stdout, &output, ExecOutputFrame::Stdout),
                    forward(stderr, &output, ExecOutputFrame::Stderr)
                );
            };
            finish(exit, outputs, feed(stdin, input)).await
        }
        ExecStreams::Terminal(terminal) => {
            finish(exit, show(&terminal, &output), type_in(&terminal, input)).await
        }
    }
}

async fn finish(
    exit: impl Future<Output = std::io::Result<caravan_host::ExitRecord>>,
    outputs: impl Future<Output = ()>,
    inputs: impl Future<Output = ()>,
) -> Result<i32, DriverError> {
    let both = async { tokio::join!(exit, outputs).0 };
    tokio::pin!(both, inputs);
    tokio::select! {
        result = &mut both => Ok(result?.exit_code),
        () = &mut inputs => Err(DriverError::other("exec: the caller has gone")),
    }
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    to: &mpsc::Sender<ExecOutputFrame>,
    wrap: fn(Vec<u8>) -> ExecOutputFrame,
) {
    let mut buffer = vec![0; 32 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.send(wrap(buffer[..count].to_vec())).await.is_err() {
            return;
        }
    }
}

async fn show(terminal: &PtyMaster, to: &mpsc::Sender<ExecOutputFrame>) {
    let mut buffer = vec![0; 32 << 10];
    while let Ok(count @ 1..) = terminal.read(&mut buffer).await {
        if to
            .send(ExecOutputFrame::Stdout(buffer[..count].to_vec()))
            .await
            .is_err()
        {
            return;
        }
    }
}

/// Ends only when the caller has gone.
async fn feed(stdin: pipe::Sender, mut input: mpsc::Receiver<ExecInput>) {
    let mut stdin = Some(stdin);
    while let Some(message) = input.recv().await {
        match (message, &mut stdin) {
            (ExecInput::Stdin(bytes), Some(pipe)) => {
                if pipe.write_all(&bytes).await.is_err() {
                    stdin = None;
                }
            }
            (ExecInput::CloseStdin, _) => stdin = None,
            (ExecInput::Stdin(_) | ExecInput::Resize { .. }, _) => {}
        }
    }
}

async fn type_in(terminal: &PtyMaster, mut input: mpsc::Receiver<ExecInput>) {
    const END_OF_TRANSMISSION: u8 = 4;
    while let Some(message) = input.recv().await {
        // Errors mean that the process has ended, which the exit tells.
        let _ = match message {
            ExecInput::Stdin(bytes) => terminal.write_all(&bytes).await,
            ExecInput::CloseStdin => terminal.write_all(&[END_OF_TRANSMISSION]).await,
            ExecInput::Resize { width, height } => terminal.resize(width, height),
        };
    }
}

/// Collects what an exec wrote, both streams in order of arrival.
pub(crate) async fn collect(session: ExecSession) -> Result<ExecOutput, DriverError> {
    let (io, input, mut frames) = ExecIo::pair();
    // The command reads an empty standard input; the sender stays so that the caller counts as present.
    let _ = input.send(ExecInput::CloseStdin).await;
    let mut output = Vec::new();
    let gather = async {
        while let Some(ExecOutputFrame::Stdout(bytes) | ExecOutputFrame::Stderr(bytes)) =
            frames.recv().await
        {
            let room = ONE_SHOT_LIMIT.saturating_sub(output.len());
            output.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    };
    let (code, ()) = tokio::join!(stream(session, io), gather);
    drop(input);
    let exit_code = code?;
    Ok(ExecOutput {
        exit_code,
        signal: if exit_code > 128 { exit_code - 128 } else { 0 },
        output,
    })
}
