//! Sessions in tasks: a command beside the task, its streams carried both ways.

use std::sync::Arc;

use bytes::Bytes;
use caravan_driver::{ExecInput, ExecIo, ExecOutputFrame, ExecRequest};
use caravan_http::exec::handler;
use caravan_http::{Answer, ApiError, ApiRequest, Session, SessionInput, SessionOutput};
use caravan_model::TaskPhase;
use tokio::sync::mpsc;

use crate::handle::{Live, Runner};
use crate::shared::Shared;

pub(super) fn exec(
    shared: &Shared,
    runner: Arc<Runner>,
    request: &ApiRequest,
) -> Result<Answer, ApiError> {
    if shared.config.disable_remote_exec {
        return Err(ApiError::permission_denied());
    }
    let query = &request.query;
    let task = query.get("task").unwrap_or_default().to_owned();
    let text = query.get("command").unwrap_or_default();
    let command: Vec<String> = serde_json::from_str(text).unwrap_or_default();
    let tty = query
        .get("tty")
        .is_some_and(|value| matches!(value, "true" | "1" | "t" | "T" | "TRUE" | "True"));
    // The words of an action are the job's; those of others are as they were typed.
    let of_job = query.get("action").is_some();
    // What is wrong with it is told inside the session.
    Ok(Answer::session(handler(move |session| async move {
        let live = target(&runner, &task)?;
        if command.is_empty() {
            return Err(ApiError::bad_request("command is not present"));
        }
        let command = match &live.env {
            Some(env) if of_job => env.replace_all(&command),
            _ => command,
        };
        let request = ExecRequest {
            command,
            tty,
            ..ExecRequest::default()
        };
        serve(live, request, session).await
    })))
}

fn target(runner: &Runner, task: &str) -> Result<Live, ApiError> {
    if task.is_empty() {
        return Err(ApiError::bad_request("must provide task name"));
    }
    let view = runner.view();
    let Some(state) = view.states.get(task) else {
        return Err(ApiError::bad_request(format!("unknown task name {task:?}")));
    };
    let not_running = || ApiError::not_found(format!("task {task:?} is not running."));
    match state.state {
        TaskPhase::Pending if state.started_at.is_zero() => Err(ApiError::not_found(format!(
            "task {task:?} not started yet."
        ))),
        TaskPhase::Running => runner.live(task).ok_or_else(not_running),
        TaskPhase::Pending | TaskPhase::Dead => Err(not_running()),
    }
}

async fn serve(live: Live, request: ExecRequest, session: Session) -> Result<(), ApiError> {
    let Session { input, output } = session;
    let (io, to_task, from_task) = ExecIo::pair();
    let feed = tokio::spawn(feed(input, to_task));
    let drain = tokio::spawn(drain(from_task, output.clone()));
    let ended = live
        .driver
        .exec_task_streaming(&live.task_id, request, io)
        .await;
    feed.abort();
    // Everything the command wrote comes before its end.
    let _ = drain.await;
    match ended {
        Ok(code) => {
            for frame in [
                SessionOutput::StdoutClosed,
                SessionOutput::StderrClosed,
                SessionOutput::Exited(code),
            ] {
                if output.send(frame).await.is_err() {
                    break;
                }
            }
            Ok(())
        }
        Err(error) => Err(ApiError::internal(format!(
            "rpc error: code = Unknown desc = {error}"
        ))),
    }
}

async fn feed(mut input: mpsc::Receiver<SessionInput>, to_task: mpsc::Sender<ExecInput>) {
    while let Some(frame) = input.recv().await {
        let frame = match frame {
            SessionInput::Stdin(data) => ExecInput::Stdin(data.to_vec()),
            SessionInput::StdinClosed => ExecInput::CloseStdin,
            SessionInput::Resize { height, width } => {
                let clamp = |value: i32| u16::try_from(value.max(0)).unwrap_or(u16::MAX);
                ExecInput::Resize {
                    width: clamp(width),
                    height: clamp(height),
                }
            }
        };
        if to_task.send(frame).await.is_err() {
            return;
        }
    }
}

async fn drain(
    mut from_task: mpsc::Receiver<ExecOutputFrame>,
    output: mpsc::Sender<SessionOutput>,
) {
    while let Some(frame) = from_task.recv().await {
        let frame = match frame {
            ExecOutputFrame::Stdout(data) => SessionOutput::Stdout(Bytes::from(data)),
            ExecOutputFrame::Stderr(data) => SessionOutput::Stderr(Bytes::from(data)),
        };
        if output.send(frame).await.is_err() {
            return;
        }
    }
}
