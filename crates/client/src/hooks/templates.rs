//! Renders the task's templates; the task waits until all of them are there.

use std::sync::Arc;

use super::{Context, Draft, HookError};
use crate::templates::{Templates, Watch};

pub(super) async fn run(context: &Context, draft: &mut Draft) -> Result<Option<Watch>, HookError> {
    if context.task.templates.is_empty() {
        return Ok(None);
    }
    let env = context.env(draft);
    let templates = Templates::new(
        &context.shared,
        &context.alloc,
        &context.task,
        &context.dir,
        &env,
    );
    let first = templates.first(&context.notes).await;
    let (rendered, data) = first.map_err(|failure| HookError::fatal(failure.to_string()))?;
    draft.templates.extend(rendered.vars.clone());
    let live = templates.is_live(&data);
    Ok(live.then(|| Watch {
        templates: Arc::new(templates),
        rendered,
        data,
    }))
}

/// Takes the templates of a running task up again.
pub(super) fn resume(context: &Context) -> Option<Watch> {
    // Secrets are fetched before a start only: without them templates would change.
    let once = context.task.templates.iter().all(|template| template.once);
    if once || !context.task.secrets.is_empty() {
        return None;
    }
    let env = context.env(&Draft::default());
    let templates = Templates::new(
        &context.shared,
        &context.alloc,
        &context.task,
        &context.dir,
        &env,
    );
    Some(templates.resumed())
}
