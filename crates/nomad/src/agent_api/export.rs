//! What the agent has logged so far: from its log file, or from the journal of the service that it runs as.

use super::{AgentOps, Answered};
use bytes::Bytes;
use caravan_http::frames::{self, Frame};
use caravan_http::{ApiError, ApiRequest};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::mpsc;

const CHUNK: usize = 64 << 10;
/// Frames that may wait for a slow reader.
const WAITING: usize = 4;
/// How often a file that is followed is looked at.
const AGAIN: Duration = Duration::from_millis(500);
/// How far back the journal is read when nothing is asked for, in nanoseconds: 72 hours.
const USUAL: i64 = 72 * 3_600_000_000_000;

type Sender = mpsc::Sender<Result<Frame, ApiError>>;

pub(super) async fn export(agent: &AgentOps, request: &ApiRequest) -> Answered {
    let query = &request.query;
    let (follow, plain) = (query.flag("follow")?, query.flag("plain")?);
    let (sender, received) = mpsc::channel(WAITING);
    if query.flag("on_disk")? {
        let path = agent.reloader.log.file().ok_or_else(|| {
            ApiError::bad_request("this agent writes no log file: log_file is not configured")
        })?;
        tokio::spawn(from_file(path, follow, sender));
    } else {
        let unit = query.text("service_name").unwrap_or_default();
        let since = query.text("logs_since").map_or(Ok(USUAL), nanos)?;
        let journal = journal(unit, since, follow)?;
        tokio::spawn(from_journal(journal, sender));
    }
    let form = match plain {
        true => frames::Form::Plain,
        false => frames::Form::Json,
    };
    frames::answer(received, form).await
}

fn nanos(text: &str) -> Result<i64, ApiError> {
    let length: Result<caravan_model::Duration, _> = text.parse();
    length
        .map(|length| length.0)
        .map_err(|_| ApiError::bad_request(format!("time: invalid duration {text:?}")))
}

/// The command that reads the journal of a unit. Only those of this program: who may read the agent's log may not read
/// everybody's.
fn journal(unit: &str, since: i64, follow: bool) -> Result<Command, ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._-".contains(c);
    let named = unit.chars().all(plain) && !unit.starts_with('-');
    if !named || !unit.to_ascii_lowercase().contains("nomad") {
        return Err(ApiError::bad_request(format!(
            "{unit:?} is no name of a service of nomad"
        )));
    }
    let mut command = Command::new("journalctl");
    command
        .args(["--no-pager", "--quiet", "--unit", unit])
        .arg(format!("--since=-{}s", since / 1_000_000_000))
        .args(follow.then_some("--follow"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

async fn from_journal(mut command: Command, sender: Sender) {
    match command.spawn() {
        Ok(mut child) => {
            if let Some(output) = child.stdout.take() {
                pass(output, &sender).await;
            }
        }
        Err(error) => {
            let text = format!("the journal cannot be read: {error}");
            let _ = sender.send(Err(ApiError::internal(text))).await;
        }
    }
}

async fn from_file(path: PathBuf, follow: bool, sender: Sender) {
    let mut file = match tokio::fs::File::open(&path).await {
        Ok(file) => file,
        Err(error) => {
            let text = format!("{} cannot be read: {error}", path.display());
            let _ = sender.send(Err(ApiError::internal(text))).await;
            return;
        }
    };
    while pass(&mut file, &sender).await && follow {
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = sender.closed() => return,
        }
    }
}

/// Sends what there is to read; whether somebody still listens.
async fn pass(mut input: impl AsyncRead + Unpin, sender: &Sender) -> bool {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = tokio::select! {
            read = input.read(&mut buffer) => read,
            () = sender.closed() => return false,
        };
        let count = match read {
            Ok(0) | Err(_) => return true,
            Ok(count) => count,
        };
        let frame = Frame {
            data: Bytes::copy_from_slice(&buffer[..count]),
            ..Frame::default()
        };
        if sender.send(Ok(frame)).await.is_err() {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_journal_of_nomad_is_read() {
        assert!(journal("nomad.service", USUAL, false).is_ok());
        assert!(journal("my-nomad@a", USUAL, true).is_ok());
        for other in ["sshd", "", "-nomad", "nomad --all", "nomad/../x"] {
            assert!(journal(other, USUAL, false).is_err(), "{other}");
        }
    }
}
