//! Collecting what is over, counting anew (http-api §2.7).

use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, Meta};
use caravan_state::Command;

pub(super) async fn collect(call: &Call) -> Answered {
    for command in caravan_control::gc::force_gc(&call.state, crate::clock::now()) {
        call.propose(command).await?;
    }
    Ok(Answer::empty(Meta::none()))
}

pub(super) async fn reconcile(call: &Call) -> Answered {
    call.propose(Command::ReconcileSummaries).await?;
    Ok(Answer::empty(Meta::none()))
}
