//! Gives the task its signed identities.

use std::sync::Arc;

use super::{Context, Draft, HookError};
use crate::identities::{Identities, Renewal};

pub(super) async fn run(
    context: &Context,
    draft: &mut Draft,
) -> Result<Option<Renewal>, HookError> {
    let root = context.dirs.task.clone();
    let Some(identities) = Identities::of(&context.shared, context.alloc.id, &context.task, &root)
    else {
        return Ok(None);
    };
    let fail = |error: crate::identities::IdentityError| HookError::fatal(error.to_string());
    let signed = identities.first().await.map_err(fail)?;
    draft
        .env
        .extend(identities.hand_over(&signed).map_err(fail)?);
    Ok(Some(Renewal {
        identities: Arc::new(identities),
        signed,
    }))
}

/// Takes the identities of a running task up again: how long they last is not known, so they are renewed at once.
pub(super) fn resume(context: &Context) -> Option<Renewal> {
    let root = context.dirs.task.clone();
    let identities = Identities::of(&context.shared, context.alloc.id, &context.task, &root)?;
    Some(Renewal {
        identities: Arc::new(identities),
        signed: Vec::new(),
    })
}
