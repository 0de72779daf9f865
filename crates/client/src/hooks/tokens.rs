//! Gives the task its tokens of Vault and Consul.

use super::{Context, Draft, HookError};
use crate::tokens::{self, Renewal};

pub(super) async fn run(context: &Context, draft: &mut Draft) -> Result<Vec<Renewal>, HookError> {
    let mut all = Vec::new();
    for token in tokens::of(
        &context.shared,
        context.alloc.id,
        &context.task,
        &context.dir,
    ) {
        // That of a task that runs again is as good as before.
        let kept = token.kept().filter(|_| context.again);
        let resumed = kept.is_some();
        let granted = match kept {
            Some(granted) => Ok(granted),
            None => token.first().await,
        };
        let handed = granted.and_then(|granted| Ok((token.hand_over(&granted)?, granted)));
        let (variables, granted) =
            handed.map_err(|error| HookError::fatal(token.failure(&error)))?;
        draft.env.extend(variables);
        all.push(Renewal {
            token,
            granted: Some(granted),
            resumed,
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
        &context.dir,
    );
    let renewal = |token: tokens::TaskToken| Renewal {
        granted: token.kept(),
        token,
        resumed: true,
    };
    all.into_iter().map(renewal).collect()
}
