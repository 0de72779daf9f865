//! What signals mean to an agent: interrupt and terminate stop it, hang-up reloads it.

use crate::announce;
use crate::config::AgentConfig;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits until the agent is told to stop. It exits with success only when it is to leave the cluster then.
pub(super) async fn wait(config: &AgentConfig) -> ExitCode {
    let mut interrupt = listen(SignalKind::interrupt());
    let mut terminate = listen(SignalKind::terminate());
    let mut hang_up = listen(SignalKind::hangup());
    loop {
        tokio::select! {
            () = caught(&mut interrupt) => return stopping("interrupt", config.settings.leave_on_interrupt),
            () = caught(&mut terminate) => return stopping("terminated", config.settings.leave_on_terminate),
            () = caught(&mut hang_up) => println!("{}", announce::caught("hangup")),
        }
    }
}

fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind).ok()
}

async fn caught(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

fn stopping(name: &str, leaves: bool) -> ExitCode {
    println!("{}", announce::caught(name));
    if leaves { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
