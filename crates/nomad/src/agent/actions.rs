//! Actions of tasks: a command that the job declares, run in an allocation of it like any other command.

use caravan_http::{ApiError, ApiRequest, Op, Params};
use caravan_model::{AllocId, Task};
use caravan_state::State;

/// The session in a task that a request for an action means.
///
/// # Errors
/// When the allocation, its task or the action of it is not there.
pub(super) fn as_exec(state: &State, request: &ApiRequest) -> Result<ApiRequest, ApiError> {
    let text = |name: &str| request.query.text(name).unwrap_or_default();
    let (job, alloc, task, action) = (
        request.param("id"),
        text("allocID"),
        text("task"),
        text("action"),
    );
    let foreign = || ApiError::bad_request(format!("job {job} does not have allocation {alloc}"));
    let id: AllocId = alloc.parse().map_err(|_| foreign())?;
    let found = state
        .alloc(&id)
        .filter(|found| found.job_id.as_str() == job)
        .ok_or_else(foreign)?;
    let spec: Option<&Task> = found
        .job
        .as_ref()
        .and_then(|job| job.lookup_task_group(&found.task_group))
        .and_then(|group| group.lookup_task(task));
    let spec = spec.ok_or_else(|| {
        ApiError::bad_request(format!("task {task} not found in allocation {alloc}"))
    })?;
    let wanted = spec.actions.iter().find(|wanted| wanted.name == action);
    let wanted = wanted.ok_or_else(|| {
        ApiError::bad_request(format!("action {action} not found in task {task}"))
    })?;
    let words: Vec<&str> = std::iter::once(&wanted.command)
        .chain(&wanted.args)
        .map(String::as_str)
        .collect();
    let command =
        serde_json::to_string(&words).map_err(|error| ApiError::internal(error.to_string()))?;
    let mut exec = request.clone();
    exec.op = Op::ClientAllocExec;
    exec.params = Params(vec![("id".to_owned(), alloc.to_owned())]);
    exec.query.set("command", command);
    Ok(exec)
}
