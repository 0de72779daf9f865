//! Makes the task's directories.

use caravan_model::{TaskEvent, task_event};

use super::{Context, HookError};

pub(super) async fn run(context: &Context) -> Result<(), HookError> {
    if context.again {
        return Ok(());
    }
    let event = TaskEvent::new(task_event::TASK_SETUP, crate::clock::now());
    context.note(event.message(task_event::BUILDING_TASK_DIRECTORY));
    let (dir, task) = (context.dir.clone(), context.task.name.clone());
    let secrets = context.task.resources.secrets_mb;
    let logs = !context.task.log_config.disabled;
    let build = move || {
        dir.build_task(&task, secrets)?;
        if logs {
            dir.build_log_pipes(&task)
        } else {
            Ok(())
        }
    };
    match context.shared.files.take(build).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(HookError::fatal(error.to_string())),
        Err(error) => Err(HookError::fatal(error.to_string())),
    }
}
