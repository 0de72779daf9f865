//! A scheduler worker: takes an evaluation, lets the scheduler decide, carries the decision out.

use crate::clock;
use crate::evals::Evals;
use crate::plans::Plans;
use crate::propose::{ProposeError, Proposer};
use crate::store::Store;
use caravan_model::*;
use caravan_scheduler::{EvalRun, Settings, Step};
use caravan_state::{Command, JobKey, State};
use caravan_telemetry as telemetry;
use std::sync::Arc;
use std::time::Instant;

/// What a worker works with.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) store: Store,
    pub(crate) proposer: Proposer,
    pub(crate) evals: Arc<Evals>,
    pub(crate) plans: Arc<Plans>,
}

/// Why an evaluation was not finished; it is delivered again.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error(transparent)]
    Propose(#[from] ProposeError),
    #[error("the scheduler failed: {0}")]
    Scheduler(String),
    #[error("somebody else has taken it over: {0}")]
    Lost(#[from] caravan_control::broker::TokenError),
}

impl Worker {
    /// Works until dropped.
    pub(crate) async fn run(&self) {
        loop {
            let asked = Instant::now();
            let (eval, token) = self.evals.dequeue().await;
            telemetry::took("nomad.nomad.eval.dequeue", asked);
            telemetry::took("nomad.nomad.worker.dequeue_eval", asked);
            let (id, began) = (eval.id, Instant::now());
            let waited = clock::now().since(eval.modify_time).to_std();
            telemetry::count("nomad.nomad.rpc.eval.write");
            telemetry::took_time("nomad.nomad.broker.wait_time", waited);
            let result = self.process(eval, &token).await;
            telemetry::took("nomad.nomad.broker.process_time", began);
            telemetry::took_time("nomad.nomad.broker.response_time", waited + began.elapsed());
            match result {
                Ok(reblock) => {
                    let acked = Instant::now();
                    let state = self.store.snapshot();
                    if let Err(error) = self.evals.ack(id, &token, reblock, &state, clock::now()) {
                        tracing::warn!(eval = %id, %error, "a finished evaluation was no longer held");
                    }
                    telemetry::took("nomad.nomad.eval.ack", acked);
                    telemetry::took("nomad.nomad.worker.send_ack", acked);
                }
                Err(error) => {
                    tracing::warn!(eval = %id, %error, "an evaluation is given back");
                    telemetry::count("nomad.nomad.worker.nacks");
                    // When it is not held any more, somebody else has it already.
                    let _ = self.evals.nack(id, &token, clock::now());
                }
            }
        }
    }

    /// Carries an evaluation out. Returns it when it goes on waiting for room.
    async fn process(
        &self,
        eval: Arc<Evaluation>,
        token: &str,
    ) -> Result<Option<Evaluation>, WorkError> {
        let id = eval.id;
        // What is placed has identities, which the cluster's first key must sign.
        crate::keyring::ready(&self.store).await;
        let began = Instant::now();
        let mut state = self.fresh_enough(&eval).await;
        telemetry::took("nomad.nomad.worker.wait_for_index", began);
        let timer = crate::measured::of_scheduler(&eval.r#type);
        let mut run = EvalRun::new(eval);
        loop {
            let (returned, step) = decide(run, Arc::clone(&state), timer).await?;
            run = returned;
            match step {
                Step::Submit { plan, create } => {
                    self.write(create).await?;
                    self.evals.lock().broker.pause(id, token)?;
                    let began = Instant::now();
                    let result = self.plans.submit(plan).await;
                    telemetry::count("nomad.nomad.rpc.plan.write");
                    telemetry::took("nomad.nomad.plan.submit", began);
                    telemetry::took("nomad.nomad.worker.submit_plan", began);
                    self.evals.lock().broker.reset(id, token, clock::now())?;
                    let result = result?;
                    state = self
                        .store
                        .at_least(result.refresh_index.max(result.alloc_index))
                        .await;
                    run.submitted(&result);
                }
                Step::Done(updates) => {
                    self.evals.lock().broker.check(id, token)?;
                    self.write(updates.evals).await?;
                    return Ok(updates.reblock);
                }
            }
        }
    }

    /// The newest state, not older than the newest evaluation of the job: the one before it has been acted on.
    async fn fresh_enough(&self, eval: &Evaluation) -> Arc<State> {
        let state = self.store.at_least(eval.modify_index).await;
        let job = JobKey::new(eval.namespace.clone(), eval.job_id.clone());
        let newest = state
            .open_evals_of_job(&job)
            .map(|other| other.modify_index)
            .max()
            .unwrap_or(0);
        self.store.at_least(newest).await
    }

    async fn write(&self, evals: Vec<Evaluation>) -> Result<(), WorkError> {
        if evals.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let made = evals.iter().any(|eval| eval.create_index == 0);
        let command = Command::UpsertEvals {
            evals,
            now: clock::now(),
        };
        // No allocation waits for the end of an evaluation: they came with the plan.
        match made {
            true => self.proposer.propose(&command).await?,
            false => self.proposer.propose_patiently(&command).await?,
        };
        telemetry::took("nomad.nomad.eval.update", began);
        let name = if made {
            "nomad.nomad.worker.create_eval"
        } else {
            "nomad.nomad.worker.update_eval"
        };
        telemetry::took(name, began);
        Ok(())
    }
}

/// Runs one step of the scheduler off the event loop; a panic in it is an error of this evaluation alone.
async fn decide(
    mut run: EvalRun,
    state: Arc<State>,
    timer: &'static str,
) -> Result<(EvalRun, Step), WorkError> {
    let signing_key = crate::keyring::active_id(&state).unwrap_or_default();
    let settings = Settings {
        now: clock::now(),
        seed: clock::seed(),
        signing_key,
    };
    tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        let mut step = run.step(&state, &settings);
        telemetry::took(timer, began);
        crate::timing::note(&mut step, began.elapsed());
        (run, step)
    })
    .await
    .map_err(|error| WorkError::Scheduler(error.to_string()))
}
