//! Renders the task's templates; the task waits until all of them are there.

use std::sync::Arc;

use super::{Context, Draft, HookError, secrets};
use crate::templates::{Templates, Watch};
use crate::tokens::Renewal;

pub(super) async fn run(
    context: &Context,
    tokens: &[Renewal],
    draft: &mut Draft,
) -> Result<Option<Watch>, HookError> {
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
        tokens,
    );
    let checked = templates.check();
    checked.map_err(|failure| HookError::fatal(failure.to_string()))?;
    let first = templates.first(&context.notes).await;
    let (rendered, data) = first.map_err(|failure| HookError::killing(failure.to_string()))?;
    draft.templates.extend(rendered.vars.clone());
    let live = templates.is_live(&data);
    Ok(live.then(|| Watch {
        templates: Arc::new(templates),
        rendered,
        data,
    }))
}

/// Takes the templates of a running task up again.
pub(super) fn resume(context: &Context, tokens: &[Renewal]) -> Option<Watch> {
    if context.task.templates.iter().all(|template| template.once) {
        return None;
    }
    let mut draft = Draft::default();
    if !context.task.secrets.is_empty() {
        // Without what it started with, templates would come out differently.
        draft.secrets = secrets::kept(context)?;
    }
    let env = context.env(&draft);
    let templates = Templates::new(
        &context.shared,
        &context.alloc,
        &context.task,
        &context.dir,
        &env,
        tokens,
    );
    Some(templates.resumed())
}
