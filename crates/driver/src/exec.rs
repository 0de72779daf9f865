//! Running a command beside a task.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

/// What a one-shot exec gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOutput {
    pub exit_code: i32,
    pub signal: i32,
    /// Output of both streams in the order it came, capped by the driver.
    pub output: Vec<u8>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecRequest {
    pub command: Vec<String>,
    pub tty: bool,
    /// Added to the task's environment.
    pub env: BTreeMap<String, String>,
}

/// What the caller sends to the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecInput {
    Stdin(Vec<u8>),
    CloseStdin,
    Resize { width: u16, height: u16 },
}

/// What the command sends back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutputFrame {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
}

/// The streams of one exec. Dropping the sender of `input` means that the caller has gone: the command is killed.
#[derive(Debug)]
pub struct ExecIo {
    pub input: mpsc::Receiver<ExecInput>,
    pub output: mpsc::Sender<ExecOutputFrame>,
}

impl ExecIo {
    /// Both ends: the driver's, and the caller's sender and receiver.
    #[must_use]
    pub fn pair() -> (
        Self,
        mpsc::Sender<ExecInput>,
        mpsc::Receiver<ExecOutputFrame>,
    ) {
        let (input_tx, input) = mpsc::channel(64);
        let (output, output_rx) = mpsc::channel(64);
        (Self { input, output }, input_tx, output_rx)
    }
}
