//! Decides where allocations run: pure functions of a snapshot, an evaluation, a time and a seed.
//!
//! Entry points: [`EvalRun`] takes one evaluation from its snapshot to its end (what to submit, what to write),
//! [`schedule`] is one attempt of it, [`verify`] checks a plan against the newest state, [`to_command`] turns what
//! was accepted into one command, [`dry_run`] shows what registering a job would do next, [`rollout`] what it
//! would do in the end.
//!
//! Invariants: the same arguments give the same plan, byte for byte; no node is given more than it has; every
//! feasible node is looked at. It must never know where snapshots come from, nor a clock, nor who submits plans.

mod ask;
mod command;
mod decision;
mod draft;
mod dry_run;
mod evals;
mod feasible;
mod generic;
mod optimistic;
mod planned;
mod ports;
mod preempt;
mod reconcile;
mod rng;
mod rollout;
mod run;
mod schedule;
mod settings;
mod settled;
mod stack;
mod system;
mod tainted;
mod update;
mod verify;

pub use command::to_command;
pub use decision::Decision;
pub use dry_run::{DryRun, dry_run};
pub use feasible::constraint_holds;
pub use optimistic::Optimistic;
pub use rollout::rollout;
pub use run::{EvalRun, EvalUpdates, Step};
pub use schedule::schedule;
pub use settings::Settings;
pub use verify::{verify, without};
