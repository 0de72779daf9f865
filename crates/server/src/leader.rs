//! The leader's duties: begun when this server is elected, dropped when it no longer leads.

use crate::clock;
use crate::duties::Duty;
use crate::nodes::Nodes;
use crate::server::Shared;
use crate::worker::Worker;
use caravan_model::*;
use caravan_state::{ClusterMetadata, Command};
use caravan_telemetry as telemetry;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

#[cfg(test)]
mod tests;

/// How many superfluous evaluations are canceled with one command.
const CANCEL_BATCH: usize = 728;
/// The pause before what failed is tried again.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Follows leadership until the log stops: leads while elected.
pub(crate) async fn follow(shared: Arc<Shared>) {
    let mut leadership = shared.consensus.leadership_changes();
    loop {
        let (leads, stopped) = {
            let now = leadership.borrow_and_update();
            (now.is_leader, now.stopped.is_some())
        };
        if stopped {
            return;
        }
        if leads {
            telemetry::count("nomad.raft.state.leader");
            tokio::select! {
                () = lead(&shared) => {}
                () = until_deposed(&mut leadership) => {}
                () = shared.lead_anew.notified() => tracing::info!("the state was restored; leading is begun anew"),
            }
            shared.leading.send_replace(false);
            shared.evals.revoke();
            shared.nodes.lock().revoke();
        } else {
            telemetry::count("nomad.raft.state.follower");
            if leadership.changed().await.is_err() {
                return;
            }
        }
    }
}

async fn until_deposed(
    leadership: &mut tokio::sync::watch::Receiver<caravan_consensus::Leadership>,
) {
    // An error means that the log has stopped, and that this server leads no more.
    let _ = leadership.wait_for(|now| !now.is_leader).await;
}

/// Leads: takes up what the state says is open and does its duties until dropped.
async fn lead(shared: &Arc<Shared>) {
    let began = Instant::now();
    telemetry::count("nomad.raft.barrier");
    let barrier = shared.consensus.barrier().await;
    telemetry::took("nomad.nomad.leader.barrier", began);
    if let Err(error) = barrier {
        tracing::warn!(%error, "leadership was lost before it began");
        return;
    }
    // Listen before reading, so that nothing falls between.
    let changes = shared.store.changes();
    if let Err(error) = initialize(shared).await {
        tracing::error!(%error, "the cluster's first objects could not be written");
        return;
    }
    let state = shared.store.snapshot();
    shared.evals.establish(&state, clock::now());
    shared.nodes.lock().establish(&state, clock::steady());
    shared.leading.send_replace(true);
    telemetry::took("nomad.nomad.leader.establish_leadership", began);
    tracing::info!(index = state.index(), "cluster leadership acquired");
    // Its rows would live for as long as this server leads.
    drop(state);

    let mut duties = JoinSet::new();
    let controllers = crate::duties::all(&shared.config);
    duties.spawn(feed(Arc::clone(shared), changes, controllers.clone()));
    duties.spawn(tick_evals(Arc::clone(shared)));
    duties.spawn(reap_superfluous(Arc::clone(shared)));
    duties.spawn(reap_undeliverable(Arc::clone(shared)));
    duties.spawn(retry_crowded_out(Arc::clone(shared)));
    duties.spawn(watch_heartbeats(Arc::clone(shared)));
    duties.spawn(make_first_key(Arc::clone(shared)));
    duties.spawn(crate::variable_timers::expire(Arc::clone(shared)));
    let applier = Arc::clone(shared);
    duties.spawn(async move {
        let limit = applier.config.plan_rejections;
        applier
            .plans
            .apply_all(&applier.store, &applier.proposer, limit)
            .await;
    });
    for _ in 0..shared.config.schedulers {
        let worker = Worker {
            store: shared.store.clone(),
            proposer: shared.proposer.clone(),
            evals: Arc::clone(&shared.evals),
            plans: Arc::clone(&shared.plans),
        };
        duties.spawn(async move { worker.run().await });
    }
    for controller in controllers {
        let shared = Arc::clone(shared);
        duties.spawn(async move { controller.run(&shared).await });
    }
    while let Some(ended) = duties.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a duty of the leader failed; leading is begun anew");
            return;
        }
    }
}

/// Writes what every cluster has: its name, and how it schedules.
async fn initialize(shared: &Shared) -> Result<(), crate::propose::ProposeError> {
    let state = shared.store.snapshot();
    if state.scheduler_config().is_none() {
        let config = Box::new(shared.config.default_scheduler_config.clone());
        shared
            .proposer
            .propose(&Command::SetSchedulerConfig {
                config,
                check_index: Some(0),
            })
            .await?;
    }
    if state.autopilot_config().is_none() {
        let config = Box::new(AutopilotConfiguration::initial());
        shared
            .proposer
            .propose(&Command::SetAutopilotConfig {
                config,
                check_index: Some(0),
            })
            .await?;
    }
    if state.cluster_metadata().is_none() {
        let metadata = ClusterMetadata {
            cluster_id: clock::uuid(),
            create_time: clock::now(),
        };
        shared
            .proposer
            .propose(&Command::SetClusterMetadata { metadata })
            .await?;
    }
    Ok(())
}

/// Gives the queues and the controllers everything that is applied.
async fn feed(
    shared: Arc<Shared>,
    mut changes: tokio::sync::broadcast::Receiver<crate::store::AppliedBatch>,
    controllers: Vec<Arc<Duty>>,
) {
    loop {
        match changes.recv().await {
            Ok(batch) => {
                let state = shared.store.snapshot();
                shared.evals.observe(&batch, &state, clock::now());
                controllers.iter().for_each(|duty| duty.observe(&batch));
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "evaluations are taken up from the state anew");
                let state = shared.store.snapshot();
                shared.evals.establish(&state, clock::now());
                controllers.iter().for_each(|duty| duty.suspect());
            }
            Err(RecvError::Closed) => return,
        }
    }
}

async fn tick_evals(shared: Arc<Shared>) {
    shared.evals.keep_time(|| shared.store.snapshot()).await;
}

/// Cancels evaluations that newer ones of their job made superfluous.
async fn reap_superfluous(shared: Arc<Shared>) {
    loop {
        let (cancelable, duplicates) = shared.evals.superfluous(CANCEL_BATCH).await;
        let superseded = "canceled after more recent eval was processed".to_owned();
        let mut evals: Vec<Evaluation> = cancelable
            .iter()
            .map(|eval| ended(eval, superseded.clone()))
            .collect();
        evals.extend(duplicates.iter().map(|eval| {
            ended(
                eval,
                format!(
                    "existing blocked evaluation exists for job {:?}",
                    eval.job_id.as_str()
                ),
            )
        }));
        let command = Command::UpsertEvals {
            evals,
            now: clock::now(),
        };
        // Nobody else has them any more: left pending, they would look as if they were still to be scheduled.
        while let Err(error) = shared.proposer.propose(&command).await {
            tracing::warn!(%error, "superfluous evaluations could not be canceled, which is tried again");
            tokio::time::sleep(AGAIN).await;
        }
    }
}

fn ended(eval: &Evaluation, why: String) -> Evaluation {
    Evaluation {
        status: EvalStatus::Canceled,
        status_description: why,
        ..eval.clone()
    }
}

/// Gives up evaluations that were delivered too often, and has their jobs looked at again later.
async fn reap_undeliverable(shared: Arc<Shared>) {
    loop {
        let (eval, token) = shared.evals.undeliverable().await;
        let delay = Duration::from_secs(60 + i64::try_from(clock::seed() % 240).unwrap_or(0));
        let follow_up = Evaluation {
            id: clock::eval_id(),
            namespace: eval.namespace.clone(),
            job_id: eval.job_id.clone(),
            r#type: eval.r#type.clone(),
            priority: eval.priority,
            triggered_by: trigger::FAILED_FOLLOW_UP.to_owned(),
            previous_eval: eval.id,
            wait: delay,
            job_modify_index: eval.job_modify_index,
            ..Evaluation::default()
        };
        let given_up = Evaluation {
            status: EvalStatus::Failed,
            status_description: "evaluation reached delivery limit (3)".to_owned(),
            next_eval: follow_up.id,
            ..Evaluation::clone(&eval)
        };
        let command = Command::UpsertEvals {
            evals: vec![given_up, follow_up],
            now: clock::now(),
        };
        let outcome = match shared.proposer.propose(&command).await {
            Ok(_) => shared.evals.ack(
                eval.id,
                &token,
                None,
                &shared.store.snapshot(),
                clock::now(),
            ),
            Err(error) => {
                tracing::warn!(eval = %eval.id, %error, "an evaluation could not be given up, which is tried again");
                tokio::time::sleep(AGAIN).await;
                shared.evals.nack(eval.id, &token, clock::now())
            }
        };
        if let Err(error) = outcome {
            tracing::warn!(eval = %eval.id, %error, "an evaluation to be given up was no longer held");
        }
    }
}

/// Evaluations that lost too many races are tried again once a minute.
async fn retry_crowded_out(shared: Arc<Shared>) {
    loop {
        shared.evals.retry_crowded_out(clock::now());
        tokio::time::sleep(clock::pause_until(None)).await;
    }
}

/// Gives a new cluster its first key, beside everything else: making it takes longer than an election.
async fn make_first_key(shared: Arc<Shared>) {
    while let Err(error) = crate::keyring::initialize(&shared.store, &shared.proposer).await {
        tracing::warn!(%error, "the first root key could not be made, which is tried again");
        tokio::time::sleep(AGAIN).await;
    }
}

async fn watch_heartbeats(shared: Arc<Shared>) {
    loop {
        let (silent, wake) = shared.nodes.lock().tick(clock::steady());
        for node in silent {
            if let Err(error) = Nodes::mark_silent(&shared, node).await {
                tracing::warn!(%node, %error, "a silent node could not be marked");
            }
        }
        tokio::select! {
            () = shared.nodes.sooner() => {}
            () = tokio::time::sleep(clock::pause_until_steady(wake)) => {}
        }
    }
}
