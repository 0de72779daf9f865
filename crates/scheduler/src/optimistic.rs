//! Verifies plans one after the other while those before are still being committed (scheduler sheet §6.3).

use crate::command::to_command;
use crate::verify::verify;
use caravan_model::*;
use caravan_state::{Command, PlanApply, State};

/// A state in which accepted plans count although the log does not hold them yet.
///
/// It is thrown away once they are committed: what others have written in between is not in it. So it may refuse
/// what would fit by now, and what it accepts still fits, as long as no node has changed.
#[derive(Clone)]
pub struct Optimistic {
    state: State,
    /// Accepted, and not yet applied to `state`: often nobody asks again before they are committed.
    accepted: Vec<PlanApply>,
}

impl Optimistic {
    /// Begins with what is committed.
    #[must_use]
    pub fn new(committed: &State) -> Self {
        Self {
            state: committed.clone(),
            accepted: Vec::new(),
        }
    }

    /// The committed state that it began with, or one with accepted plans on top.
    #[must_use]
    pub fn state(&mut self) -> &State {
        for command in std::mem::take(&mut self.accepted) {
            let index = self.state.index() + 1;
            // What the state refuses here it will refuse when it is committed, too.
            let _refused = self
                .state
                .apply(index, Command::ApplyPlan(Box::new(command)));
        }
        &self.state
    }

    /// What of a plan can be done, and the command that does it; none when nothing is left of it.
    pub fn accept(
        &mut self,
        plan: &Plan,
        seed: u64,
        now: UnixNanos,
    ) -> (PlanResult, Option<PlanApply>) {
        let state = self.state();
        let result = verify(state, plan);
        let command = (!result.is_no_op()).then(|| to_command(plan, &result, state, seed, now));
        self.accepted.extend(command.clone());
        (result, command)
    }
}
