//! Gives the task its tokens of Vault and Consul.

use super::{Context, Draft, HookError};
use crate::tokens::{self, Renewal};

pub(super) async fn run(context: &Context, draft: &mut Draft) -> Result<Vec<Renewal>, HookError> {
    let mut all = Vec::new();
    for token in tokens::of(
        &context.shared,
        context.alloc.id,
        &context.task,
        &context.dirs().task,
    ) {
        let granted = token.first().await;
        let handed = granted.and_then(|granted| Ok((token.hand_over(&granted)?, granted)));
        let (variables, granted) =
            handed.map_err(|error| HookError::fatal(token.failure(&error)))?;
        draft.env.extend(variables);
        all.push(Renewal {
            token,
            granted: Some(granted),
        });
    }
    Ok(all)
}

/// Takes the tokens of a running task up again.
pub(super) fn resume(context: &Context) -> Vec<Renewal> {
    let all = tokens::of(
        &context.shared,
        context.alloc.id,
        &context.task,
        &context.dirs().task,
    );
    let renewal = |token| Renewal {
        token,
        granted: None,
    };
    all.into_iter().map(renewal).collect()
}
