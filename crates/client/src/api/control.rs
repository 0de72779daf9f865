//! Acting on an allocation: restart, signal, pause; and its checks.

use std::collections::BTreeMap;

use caravan_http::{Answer, ApiError, ApiRequest, Meta};
use caravan_model::{TaskEvent, task_event};
use serde::{Deserialize, Serialize};

use crate::alloc::machine::{Event, Which};
use crate::clock;
use crate::handle::Runner;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Done {
    index: u64,
}

fn done() -> Result<Answer, ApiError> {
    Answer::json(&Done { index: 0 }, Meta::none())
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RestartRequest {
    task_name: String,
    all_tasks: bool,
}

pub(super) fn restart(runner: &Runner, request: &ApiRequest) -> Result<Answer, ApiError> {
    let wanted: RestartRequest = request
        .json_optional()
        .map_err(|error| ApiError::internal(error.message))?
        .unwrap_or_default();
    let view = runner.view();
    if view.alloc.server_terminal() || view.done {
        return Err(ApiError::internal(
            "restart of an alloc that should not run",
        ));
    }
    let (which, reason) = match (wanted.task_name.as_str(), wanted.all_tasks) {
        ("", false) => (Which::Running, "User requested running tasks to restart"),
        ("", true) => (Which::All, "User requested all tasks to restart"),
        (_, true) => {
            return Err(ApiError::internal(
                "task name cannot be set when restarting all tasks",
            ));
        }
        (task, false) => {
            let state = view.states.get(task);
            let state = state.ok_or_else(|| {
                ApiError::internal(format!("Could not find task runner for task: {task}"))
            })?;
            if state.state != caravan_model::TaskPhase::Running {
                return Err(ApiError::internal("Task not running"));
            }
            (
                Which::Task(task.to_owned()),
                "User requested task to restart",
            )
        }
    };
    runner.send(Event::Restart {
        which,
        failure: false,
        reason: reason.to_owned(),
    });
    done()
}

#[derive(Default, Deserialize)]
#[serde(default, rename = "AllocSignalRequest", rename_all = "PascalCase")]
struct SignalRequest {
    task: String,
    signal: String,
}

pub(super) async fn signal(runner: &Runner, request: &ApiRequest) -> Result<Answer, ApiError> {
    let wanted: SignalRequest = request.json().map_err(|error| {
        ApiError::bad_request(format!("Failed to decode body: {}", error.message))
    })?;
    let view = runner.view();
    if !wanted.task.is_empty() {
        if !view.states.contains_key(&wanted.task) {
            return Err(ApiError::internal("Task not found"));
        }
        return match signal_task(runner, &wanted.task, &wanted.signal).await {
            Ok(()) => done(),
            Err(why) => Err(ApiError::internal(why)),
        };
    }
    let mut errors = Vec::new();
    for task in view.states.keys() {
        if let Err(why) = signal_task(runner, task, &wanted.signal).await {
            errors.push(format!("\t* Failed to signal task: {task}, err: {why}"));
        }
    }
    if errors.is_empty() {
        return done();
    }
    let noun = if errors.len() == 1 { "error" } else { "errors" };
    Err(ApiError::internal(format!(
        "{} {noun} occurred:\n{}\n\n",
        errors.len(),
        errors.join("\n")
    )))
}

async fn signal_task(runner: &Runner, task: &str, signal: &str) -> Result<(), String> {
    let live = runner.live(task).ok_or("Task not running")?;
    let event = TaskEvent::new(task_event::SIGNALING, clock::now());
    // The text users know names no signal.
    runner.note(task, event.detail("task_signal", signal));
    let signal = if signal.is_empty() { "SIGKILL" } else { signal };
    match live.driver.signal_task(&live.task_id, signal).await {
        Ok(()) => Ok(()),
        // A name that is no signal is sent as one that the task may ignore.
        Err(caravan_driver::DriverError::State(_)) => Err("Task not running".to_owned()),
        Err(error) => {
            tracing::debug!(task, %error, "a signal cannot be sent");
            Ok(())
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename = "AllocPauseRequest", rename_all = "PascalCase")]
struct PauseRequest {
    schedule_state: String,
}

pub(super) fn pause(request: &ApiRequest) -> Result<Answer, ApiError> {
    let wanted: PauseRequest = request.json_optional()?.unwrap_or_default();
    match wanted.schedule_state.as_str() {
        "pause" | "run" | "scheduled" => Err(ApiError::internal("Enterprise only")),
        _ => Err(ApiError::bad_request("Not a valid task schedule state")),
    }
}

pub(super) fn checks(runner: &Runner) -> Result<Answer, ApiError> {
    let results: BTreeMap<_, _> = runner.checks.all();
    if results.is_empty() {
        return Answer::json(&None::<()>, Meta::none());
    }
    Answer::json(&results, Meta::none())
}
