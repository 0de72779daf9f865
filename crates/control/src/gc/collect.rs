//! One collection: everything that can be forgotten now, in commands of bounded size.

use super::GcThresholds;
use super::rules::{judge_eval, judge_job, may_forget_deployment, may_forget_node};
use crate::follow_up::key_of;
use caravan_model::*;
use caravan_state::{Command, JobKey, JobRemoval, State};
use std::collections::BTreeSet;

/// The most ids in one command.
const MAX_IDS: usize = 7281;
/// The most jobs in one command.
const MAX_JOBS: usize = 2048;
/// The most ACL tokens in one collection.
const MAX_TOKENS: usize = 4096;

/// What can be forgotten, as commands: evaluations and allocations before the jobs and deployments they belong to.
pub(super) fn collect(state: &State, thresholds: &GcThresholds, now: UnixNanos) -> Vec<Command> {
    let mut garbage = Garbage::default();
    garbage.add_jobs(state, now - thresholds.job, now);
    garbage.add_evals(state, thresholds, now);
    let mut commands = garbage.delete_rows();
    let cutoff = now - thresholds.deployment;
    let deployments: Vec<DeploymentId> = state
        .deployments()
        .filter(|row| {
            !garbage
                .jobs
                .contains(&JobKey::new(row.namespace.clone(), row.job_id.clone()))
        })
        .filter(|row| may_forget_deployment(state, row, cutoff))
        .map(|row| row.id)
        .collect();
    commands.extend(
        batches(deployments, MAX_IDS).map(|deployments| Command::DeleteDeployments { deployments }),
    );
    commands.extend(garbage.purge_jobs(now));
    let cutoff = now - thresholds.node;
    let nodes: Vec<NodeId> = state
        .nodes()
        .filter(|node| may_forget_node(state, node, cutoff))
        .map(|node| node.id)
        .collect();
    commands.extend(
        batches(nodes, MAX_IDS).map(|nodes| Command::DeregisterNodes {
            nodes,
            evals: Vec::new(),
        }),
    );
    commands.extend(expired_tokens(state, now - thresholds.acl_token));
    commands
}

fn expired_tokens(state: &State, cutoff: UnixNanos) -> Option<Command> {
    let accessors: Vec<String> = state
        .acl_tokens()
        .filter(|token| {
            !token.expiration_time.is_zero() && UnixNanos::from(token.expiration_time) < cutoff
        })
        .map(|token| token.accessor_id.clone())
        .take(MAX_TOKENS)
        .collect();
    (!accessors.is_empty()).then_some(Command::DeleteAclTokens { accessors })
}

#[derive(Default)]
struct Garbage {
    jobs: BTreeSet<JobKey>,
    evals: BTreeSet<EvalId>,
    allocs: BTreeSet<AllocId>,
}

impl Garbage {
    fn add_jobs(&mut self, state: &State, cutoff: UnixNanos, now: UnixNanos) {
        for job in state.jobs() {
            let key = key_of(job);
            if let Some((evals, allocs)) = judge_job(state, &key, job, cutoff, now) {
                self.jobs.insert(key);
                self.evals.extend(evals);
                self.allocs.extend(allocs);
            }
        }
    }

    fn add_evals(&mut self, state: &State, thresholds: &GcThresholds, now: UnixNanos) {
        for eval in state.evals() {
            let batch = eval.r#type == job_type::BATCH;
            let threshold = if batch {
                thresholds.batch_eval
            } else {
                thresholds.eval
            };
            let verdict = judge_eval(state, eval, now - threshold, now, false);
            if verdict.eval {
                self.evals.insert(eval.id);
            }
            self.allocs.extend(verdict.allocs);
        }
    }

    fn delete_rows(&self) -> Vec<Command> {
        let evals: Vec<EvalId> = self.evals.iter().copied().collect();
        let allocs: Vec<AllocId> = self.allocs.iter().copied().collect();
        // Allocations first: an evaluation is never gone before what it made.
        let rows = |evals, allocs| Command::DeleteEvals {
            evals,
            allocs,
            user_initiated: false,
        };
        let of_allocs = batches(allocs, MAX_IDS).map(|allocs| rows(Vec::new(), allocs));
        of_allocs
            .chain(batches(evals, MAX_IDS).map(|evals| rows(evals, Vec::new())))
            .collect()
    }

    fn purge_jobs(&self, now: UnixNanos) -> impl Iterator<Item = Command> {
        let removals: Vec<JobRemoval> = self
            .jobs
            .iter()
            .map(|job| JobRemoval {
                job: job.clone(),
                purge: true,
                no_shutdown_delay: false,
                only_if_dead: true,
            })
            .collect();
        batches(removals, MAX_JOBS).map(move |jobs| Command::DeregisterJobs {
            jobs,
            evals: Vec::new(),
            now,
        })
    }
}

/// Cuts a list into pieces of at most this size.
fn batches<T>(mut items: Vec<T>, size: usize) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        if items.is_empty() {
            return None;
        }
        let rest = items.split_off(items.len().min(size));
        Some(std::mem::replace(&mut items, rest))
    })
}
