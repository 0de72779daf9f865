//! Scheduler workers: each holds one evaluation at a time and decides on the state it took when it began.

use crate::plans::Queue;
use crate::world::World;
use caravan_model::*;
use caravan_scheduler::{EvalRun, Settings, Step};
use caravan_state::{Command, State};

const TYPES: &[&str] = &[
    job_type::SERVICE,
    job_type::BATCH,
    job_type::SYSTEM,
    job_type::SYSBATCH,
];

/// A worker.
#[derive(Default)]
pub(crate) struct Worker {
    held: Option<Held>,
}

struct Held {
    run: EvalRun,
    token: String,
    /// The state to decide on; none while a plan is on its way.
    state: Option<State>,
}

impl Worker {
    /// The evaluation that it holds.
    pub(crate) fn holds(&self) -> Option<&Evaluation> {
        self.held.as_ref().map(|held| held.run.eval().as_ref())
    }

    /// Whether its plan is on its way.
    pub(crate) fn awaits_plan(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.state.is_none())
    }

    /// It is gone, with all that it knew.
    pub(crate) fn vanish(&mut self) {
        self.held = None;
    }

    /// Takes up an evaluation, or decides about the one it holds.
    pub(crate) fn step(&mut self, number: usize, world: &mut World, plans: &mut Queue) {
        let Some(held) = &mut self.held else {
            self.held = take_up(world);
            return;
        };
        let Some(state) = held.state.take() else {
            return;
        };
        let settings = Settings {
            now: world.now,
            seed: world.random.bits(),
            ..Settings::default()
        };
        let step = held.run.step(&state, &settings);
        let id = held.run.eval().id;
        if world.queues.broker.check(id, &held.token).is_err() {
            world.tell(|| format!("worker {number} was too slow for {id}"));
            self.held = None;
            return;
        }
        match step {
            Step::Submit { plan, create } => {
                write(world, create);
                // It was held a line above.
                let _ = world.queues.broker.pause(id, &held.token);
                world.tell(|| {
                    format!(
                        "worker {number} submits a plan of {id} for {}",
                        held.run.eval().job_id
                    )
                });
                plans.submit(number, plan);
            }
            Step::Done(updates) => {
                world.tell(|| {
                    format!(
                        "worker {number} is done with {id}: {}",
                        told(&updates.evals)
                    )
                });
                write(world, updates.evals);
                let token = std::mem::take(&mut held.token);
                let (state, now) = (world.state.clone(), world.now);
                // It was held a line above.
                let _ = world.queues.ack(id, &token, updates.reblock, &state, now);
                self.held = None;
            }
        }
    }

    /// Takes in what became of its plan.
    pub(crate) fn planned(&mut self, result: &PlanResult, world: &mut World) {
        let Some(held) = &mut self.held else { return };
        let id = held.run.eval().id;
        if world
            .queues
            .broker
            .reset(id, &held.token, world.now)
            .is_err()
        {
            self.held = None;
            return;
        }
        held.run.submitted(result);
        held.state = Some(world.state.clone());
    }
}

fn take_up(world: &mut World) -> Option<Held> {
    let token = world.random.bits().to_string();
    let eval = world
        .queues
        .broker
        .dequeue(TYPES, token.clone(), world.now)?;
    world.tell(|| {
        format!(
            "{} of {} is taken up ({})",
            eval.id, eval.job_id, eval.triggered_by
        )
    });
    Some(Held {
        run: EvalRun::new(eval),
        token,
        state: Some(world.state.clone()),
    })
}

fn write(world: &mut World, evals: Vec<Evaluation>) {
    if !evals.is_empty() {
        let now = world.now;
        world.apply(Command::UpsertEvals { evals, now });
    }
}

fn told(evals: &[Evaluation]) -> String {
    let each = evals.iter().map(|eval| {
        let failed = eval.failed_tg_allocs.len();
        format!("{} {} {failed} failed", eval.id, eval.status)
    });
    each.collect::<Vec<_>>().join(", ")
}
