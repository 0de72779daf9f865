//! Plans: verified against the newest state one after the other, then committed through the log.

use crate::clock;
use crate::propose::{ProposeError, Proposer};
use crate::store::Store;
use caravan_model::*;
use caravan_state::Command;
use tokio::sync::{Mutex, oneshot, mpsc};

/// How many plans may wait; a worker whose plan does not fit waits with it.
const WAITING_PLANS: usize = 1024;

/// A plan on its way, and who waits for what becomes of it.
struct Submitted {
    plan: Plan,
    answer: oneshot::Sender<Result<PlanResult, ProposeError>>,
}

/// The queue of plans. One task drains it, so that each is verified against everything committed before it.
pub(crate) struct Plans {
    sender: mpsc::Sender<Submitted>,
    receiver: Mutex<mpsc::Receiver<Submitted>>,
}

impl Default for Plans {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_PLANS);
        Self { sender, receiver: Mutex::new(receiver) }
    }
}

impl Plans {
    /// Submits a plan and waits for what was accepted of it.
    pub(crate) async fn submit(&self, plan: Plan) -> Result<PlanResult, ProposeError> {
        let (answer, result) = oneshot::channel();
        self.sender.send(Submitted { plan, answer }).await.map_err(|_| ProposeError::NoLeader)?;
        result.await.map_err(|_| ProposeError::NoLeader)?
    }

    /// Applies plans until dropped: the leader's duty.
    pub(crate) async fn apply_all(&self, store: &Store, proposer: &Proposer) {
        let mut receiver = self.receiver.lock().await;
        let mut applied_index = 0;
        while let Some(Submitted { plan, answer }) = receiver.recv().await {
            let state = store.at_least(applied_index.max(plan.snapshot_index)).await;
            let mut result = caravan_scheduler::verify(&state, &plan);
            if !result.is_no_op() {
                let command = caravan_scheduler::to_command(&plan, &result, &state, clock::seed(), clock::now());
                match proposer.propose(&Command::ApplyPlan(Box::new(command))).await {
                    Ok(applied) => {
                        applied_index = applied.index;
                        result.alloc_index = applied.index;
                        if result.refresh_index != 0 {
                            result.refresh_index = result.refresh_index.max(applied.index);
                        }
                    }
                    Err(error) => {
                        let _ = answer.send(Err(error));
                        continue;
                    }
                }
            }
            // A worker that is gone does not need to know.
            let _ = answer.send(Ok(result));
        }
    }
}
