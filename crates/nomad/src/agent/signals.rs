//! What signals mean to an agent: interrupt and terminate stop it, hang-up reloads it.

use super::reload::Reloader;
use crate::announce;
use crate::config::AgentConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How an agent is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// At once; what runs on this node goes on.
    AtOnce,
    /// After it has left the cluster.
    Leaving,
}

/// Waits until the agent is told to stop.
pub(super) async fn wait(config: &AgentConfig, reloader: &Reloader) -> Stop {
    let mut interrupt = listen(SignalKind::interrupt());
    let mut terminate = listen(SignalKind::terminate());
    let mut hang_up = listen(SignalKind::hangup());
    loop {
        tokio::select! {
            () = caught(&mut interrupt) => return stopping("interrupt", config.settings.leave_on_interrupt),
            () = caught(&mut terminate) => return stopping("terminated", config.settings.leave_on_terminate),
            () = caught(&mut hang_up) => {
                println!("{}", announce::caught("hangup"));
                // What is wrong with it was logged, and the old one stays.
                let _ = reloader.reload();
            }
        }
    }
}

/// Waits for a signal that says not to wait any longer.
pub(super) async fn again() {
    let mut interrupt = listen(SignalKind::interrupt());
    let mut terminate = listen(SignalKind::terminate());
    tokio::select! {
        () = caught(&mut interrupt) => {}
        () = caught(&mut terminate) => {}
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

fn stopping(name: &str, leaves: bool) -> Stop {
    println!("{}", announce::caught(name));
    if leaves { Stop::Leaving } else { Stop::AtOnce }
}
