//! Plans: verified one after the other, each against everything accepted before it, then committed through the log.
//!
//! While one group of plans is being committed, the next is verified as if it were: the log's disk and the check of
//! what comes next do not wait for each other.

use crate::clock;
use crate::propose::{ProposeError, Proposer};
use crate::store::Store;
use caravan_control::rejections::{RejectionLimit, Rejections};
use caravan_model::*;
use caravan_scheduler::Optimistic;
use caravan_state::{Applied, Command, PlanApply, State, Table};
use caravan_telemetry as telemetry;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

/// How many plans may wait; a worker whose plan does not fit waits with it.
const WAITING_PLANS: usize = 1024;
/// How many plans are committed together.
const GROUP: usize = 64;
/// How old the committed state under accepted plans may get: room that came free meanwhile is not seen before.
const OLDEST_VIEW: Duration = Duration::from_millis(100);

type Answer = Result<PlanResult, ProposeError>;

/// A plan on its way, and who waits for what becomes of it.
struct Submitted {
    plan: Plan,
    answer: oneshot::Sender<Answer>,
}

/// A verified plan: what was accepted of it, and the command that does that.
struct Verified {
    eval: EvalId,
    result: PlanResult,
    command: Option<PlanApply>,
    answer: oneshot::Sender<Answer>,
}

/// The queue of plans. One task drains it.
pub(crate) struct Plans {
    sender: mpsc::Sender<Submitted>,
    receiver: Mutex<mpsc::Receiver<Submitted>>,
}

impl Default for Plans {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_PLANS);
        Self {
            sender,
            receiver: Mutex::new(receiver),
        }
    }
}

impl Plans {
    /// How many plans wait.
    pub(crate) fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Submits a plan and waits for what was accepted of it.
    pub(crate) async fn submit(&self, plan: Plan) -> Answer {
        let (answer, result) = oneshot::channel();
        self.sender
            .send(Submitted { plan, answer })
            .await
            .map_err(|_| ProposeError::NoLeader)?;
        result.await.map_err(|_| ProposeError::NoLeader)?
    }

    /// Applies plans until dropped: the leader's duty.
    pub(crate) async fn apply_all(
        &self,
        store: &Store,
        proposer: &Proposer,
        limit: Option<RejectionLimit>,
    ) {
        let mut receiver = self.receiver.lock().await;
        // What an earlier leadership left behind has nobody who waits for it.
        while receiver.try_recv().is_ok() {}
        let rejections = limit.map(|limit| Rejections::new(limit, clock::now()));
        let mut pipeline = Pipeline {
            store,
            view: None,
            committing: None,
            newest: 0,
            rejections,
        };
        loop {
            let first = tokio::select! {
                biased;
                first = receiver.recv() => first,
                () = pipeline.committed() => {
                    pipeline.rest();
                    continue;
                }
            };
            let Some(first) = first else { return };
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = receiver.try_recv()
            {
                group.push(next);
            }
            group.sort_by_key(|submitted| std::cmp::Reverse(submitted.plan.priority));
            let Some(verified) = pipeline.verify(group).await else {
                continue;
            };
            let began = Instant::now();
            pipeline.settle().await;
            telemetry::took("nomad.nomad.plan.outstanding_apply", began);
            pipeline.committing = Some(Commit(tokio::spawn(commit(
                proposer.clone(),
                verified,
                pipeline.newest,
            ))));
        }
    }
}

/// A group that is being committed. It is given up with the leadership that began it.
struct Commit(JoinHandle<u64>);

impl Drop for Commit {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The verified state, and the group on its way to the disk.
struct Pipeline<'a> {
    store: &'a Store,
    view: Option<View>,
    committing: Option<Commit>,
    /// The index of the newest committed plan.
    newest: u64,
    /// None when nodes may reject as much as they like.
    rejections: Option<Rejections>,
}

/// A committed state with accepted plans on top.
struct View {
    plans: Optimistic,
    committed: Arc<State>,
    since: UnixNanos,
}

impl Pipeline<'_> {
    /// Resolves when the group on its way is committed; never, when there is none.
    async fn committed(&mut self) {
        let Some(commit) = &mut self.committing else {
            return std::future::pending().await;
        };
        // A group that failed has told those who wait for it.
        let index = (&mut commit.0).await.unwrap_or(0);
        self.newest = self.newest.max(index);
        self.committing = None;
    }

    /// Nothing is on its way: what comes next begins with what is committed, and nobody needs what was verified
    /// against. It would keep a whole state of old alive for as long as no plan comes.
    fn rest(&mut self) {
        self.view = None;
    }

    /// Waits until nothing is on its way.
    async fn settle(&mut self) {
        if self.committing.is_some() {
            self.committed().await;
        }
    }

    /// What the next plans are verified against.
    async fn view(&mut self, needed: u64) -> View {
        let now = clock::now();
        let current = self.store.snapshot();
        let usable = self.view.take().filter(|view| {
            self.committing.is_some()
                && view.committed.index() >= needed
                && now.since(view.since) < OLDEST_VIEW
                && view.committed.index_of(Table::Nodes) == current.index_of(Table::Nodes)
        });
        if let Some(view) = usable {
            return view;
        }
        self.settle().await;
        let committed = self.store.at_least(self.newest.max(needed)).await;
        self.newest = committed.index();
        View {
            plans: Optimistic::new(&committed),
            committed,
            since: clock::now(),
        }
    }

    /// Verifies a group, off the event loop.
    async fn verify(&mut self, group: Vec<Submitted>) -> Option<Vec<Verified>> {
        let needed = group
            .iter()
            .map(|submitted| submitted.plan.snapshot_index)
            .max()
            .unwrap_or(0);
        let began = Instant::now();
        let mut view = self.view(needed).await;
        telemetry::took("nomad.nomad.plan.wait_for_index", began);
        let work = tokio::task::spawn_blocking(move || {
            let accept = |Submitted { plan, answer }| {
                let began = Instant::now();
                let (result, command) = view.plans.accept(&plan, clock::seed(), clock::now());
                telemetry::took("nomad.nomad.plan.evaluate", began);
                telemetry::took("nomad.nomad.plan.optimistic_apply", began);
                Verified {
                    eval: plan.eval_id,
                    result,
                    command,
                    answer,
                }
            };
            let verified: Vec<Verified> = group.into_iter().map(accept).collect();
            (view, verified)
        });
        match work.await {
            Ok((view, mut verified)) => {
                self.view = Some(view);
                if let Some(rejections) = &mut self.rejections {
                    give_nodes_up(rejections, &mut verified, clock::now());
                }
                Some(verified)
            }
            Err(error) => {
                tracing::error!(%error, "plans could not be verified; their evaluations are tried again");
                None
            }
        }
    }
}

/// Has nodes that rejected too many plans take no more, with the plan that was one too many.
fn give_nodes_up(rejections: &mut Rejections, group: &mut [Verified], now: UnixNanos) {
    for Verified {
        eval,
        result,
        command,
        ..
    } in group
    {
        for node in result.rejected_nodes.iter().copied() {
            if !rejections.add(node, now) {
                continue;
            }
            tracing::warn!(%node, %eval, "a node takes no more allocations: it rejected too many plans");
            let command = command.get_or_insert_with(|| PlanApply {
                eval: *eval,
                now,
                ..PlanApply::default()
            });
            command.ineligible_nodes.push(node);
        }
    }
}

type Proposal = Pin<Box<dyn Future<Output = Result<Arc<Applied>, ProposeError>> + Send>>;

/// Commits a group in order and answers those who wait. Returns the newest index.
async fn commit(proposer: Proposer, group: Vec<Verified>, mut newest: u64) -> u64 {
    let began = Instant::now();
    let mut pending = Vec::with_capacity(group.len());
    for Verified {
        result,
        command,
        answer,
        ..
    } in group
    {
        let proposal = command.map(|command| begin(proposer.clone(), command));
        let proposal = match proposal {
            Some(proposal) => Some(proposal.await),
            None => None,
        };
        pending.push((result, proposal, answer));
    }
    telemetry::took("nomad.nomad.plan.raft_dispatch", began);
    for (mut result, proposal, answer) in pending {
        let outcome = match proposal {
            None => Ok(None),
            Some(Begun::Done(outcome)) => outcome.map(Some),
            Some(Begun::Waiting(proposal)) => proposal.await.map(Some),
        };
        let answered = outcome.map(|applied| {
            if let Some(applied) = applied {
                newest = newest.max(applied.index);
                result.alloc_index = applied.index;
            }
            if result.refresh_index != 0 {
                // Whatever was in the way is committed by now.
                result.refresh_index = newest;
            }
            result
        });
        telemetry::took("nomad.nomad.plan.apply", began);
        // A worker that is gone does not need to know.
        let _ = answer.send(answered);
    }
    newest
}

enum Begun {
    Done(Result<Arc<Applied>, ProposeError>),
    Waiting(Proposal),
}

/// Hands a command to the log without waiting for it, so that the next one comes right behind.
async fn begin(proposer: Proposer, command: PlanApply) -> Begun {
    let command = Command::ApplyPlan(Box::new(command));
    let mut proposal: Proposal = Box::pin(async move { proposer.propose(&command).await });
    match futures::poll!(&mut proposal) {
        Poll::Ready(outcome) => Begun::Done(outcome),
        Poll::Pending => Begun::Waiting(proposal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected_by(node: NodeId) -> Verified {
        let result = PlanResult {
            rejected_nodes: vec![node],
            ..PlanResult::default()
        };
        Verified {
            eval: EvalId::from_u128(7),
            result,
            command: None,
            answer: oneshot::channel().0,
        }
    }

    #[test]
    fn a_node_that_rejects_too_much_is_given_up_even_where_nothing_of_the_plan_is_left() {
        let (node, now) = (NodeId::from_u128(1), clock::now());
        let limit = RejectionLimit {
            threshold: 2,
            window: Duration::from_secs(60),
        };
        let mut rejections = Rejections::new(limit, now);
        let mut group = [
            rejected_by(node),
            rejected_by(node),
            rejected_by(NodeId::from_u128(2)),
        ];
        give_nodes_up(&mut rejections, &mut group, now);
        let given_up =
            group.map(|verified| verified.command.map(|command| command.ineligible_nodes));
        assert_eq!(given_up, [None, Some(vec![node]), None]);
    }
}
