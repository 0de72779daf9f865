//! Reads of jobs and of what belongs to them.

use super::super::list::Keyed;
use super::super::{Answered, Call, rows};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{JobKey, Table};
use std::sync::Arc;

/// Jobs and what their stubs show.
const JOB_TABLES: &[Table] = &[Table::Jobs, Table::JobSummaries];

pub(in super::super) fn list(call: &Call) -> Answered {
    let meta = call.request.query.flag("meta")?;
    let prefix = call.request.options.prefix.as_str();
    let rows = call
        .state
        .jobs()
        .filter(|job| call.in_scope(&job.namespace) && job.id.starts_with(prefix))
        .map(|job| Keyed {
            key: format!("{}.{}", job.namespace, job.id),
            row: Arc::clone(job),
        })
        .collect();
    super::super::list::answer(call, JOB_TABLES, rows, |job| stub(call, job, meta))
}

/// A job as a list shows it.
pub(crate) fn stub(call: &Call, job: &Job, meta: bool) -> JobListStub {
    let key = JobKey::new(job.namespace.clone(), job.id.clone());
    let summary = call
        .state
        .job_summary(&key)
        .map(|row| JobSummary::clone(row));
    let mut stub = JobListStub::new(job, summary);
    if meta {
        stub.meta.clone_from(&job.meta);
    }
    stub
}

pub(in super::super) fn read(call: &Call) -> Answered {
    let job = call.job()?;
    if job.payload.is_empty() {
        return call.object(job.as_ref(), job.modify_index, &[Table::Jobs]);
    }
    let mut shown = Job::clone(job);
    shown.payload = super::dispatch::decompress(&job.payload)?;
    call.object(&shown, job.modify_index, &[Table::Jobs])
}

pub(in super::super) fn summary(call: &Call) -> Answered {
    let tables = &[Table::JobSummaries];
    match call.state.job_summary(&call.job_key()) {
        Some(summary) => call.object(summary.as_ref(), summary.modify_index, tables),
        None => Err(call.missing("job not found", tables)),
    }
}

pub(in super::super) fn allocations(call: &Call) -> Answered {
    let key = call.job_key();
    // What is no boolean is passed over here.
    let all = call.request.query.flag("all").unwrap_or(false);
    let created = call.state.job(&key).map(|job| job.create_index);
    let mut allocs: Vec<_> = call
        .state
        .allocs_of_job(&key)
        .filter(|alloc| {
            all || alloc.job.as_ref().map(|job| job.create_index) == created || created.is_none()
        })
        .collect();
    allocs.sort_by_key(|alloc| (alloc.create_index, alloc.id));
    let stubs: Vec<_> = allocs.into_iter().map(|alloc| rows::stub(alloc)).collect();
    call.tables(&stubs, &[Table::Allocations])
}

pub(in super::super) fn evaluations(call: &Call) -> Answered {
    let mut evals: Vec<_> = call.state.evals_of_job(&call.job_key()).collect();
    evals.sort_by_key(|eval| (std::cmp::Reverse(eval.create_index), eval.id));
    call.tables(&evals, &[Table::Evaluations])
}

pub(in super::super) fn deployments(call: &Call) -> Answered {
    let key = call.job_key();
    let all = call.request.query.flag("all")?;
    let created = call.state.job(&key).map(|job| job.create_index);
    let rows: Vec<_> = call
        .state
        .deployments_of_job(&key)
        .filter(|row| all || created.is_none_or(|created| row.job_create_index == created))
        .collect();
    call.tables(&rows, &[Table::Deployments])
}

pub(in super::super) fn latest_deployment(call: &Call) -> Answered {
    let key = call.job_key();
    let created = call.state.job(&key).map(|job| job.create_index);
    let latest = call
        .state
        .latest_deployment(&key)
        .filter(|row| created.is_none_or(|created| row.job_create_index == created));
    call.tables(&latest, &[Table::Deployments])
}

pub(in super::super) fn versions(call: &Call) -> Answered {
    let key = call.job_key();
    let versions: Vec<Job> = call
        .state
        .job_versions(&key)
        .map(|job| Job::clone(job))
        .collect();
    if versions.is_empty() {
        return Err(call.missing("job versions not found", &[Table::JobVersions]));
    }
    let diffs = if call.request.query.flag("diffs")? {
        version_diffs(call, &versions)?
    } else {
        Vec::new()
    };
    let answer = JobVersions {
        index: call.state.index_of(Table::JobVersions),
        known_leader: true,
        diffs,
        versions,
        ..JobVersions::default()
    };
    call.tables(&answer, &[Table::JobVersions])
}

/// Each version against the one before it, or all against one that the request names.
fn version_diffs(call: &Call, versions: &[Job]) -> Result<Vec<JobDiff>, ApiError> {
    let against = match (
        call.request.query.uint("diff_version")?,
        call.request.query.text("diff_tag"),
    ) {
        (Some(number), _) => Some(
            versions
                .iter()
                .find(|job| job.version == number)
                .ok_or_else(|| ApiError::internal(format!("version {number} not found")))?,
        ),
        (None, Some(tag)) => Some(
            versions
                .iter()
                .find(|job| {
                    job.version_tag
                        .as_ref()
                        .is_some_and(|have| have.name == tag)
                })
                .ok_or_else(|| ApiError::internal(format!("tag {tag:?} not found")))?,
        ),
        (None, None) => None,
    };
    Ok(match against {
        Some(fixed) => versions
            .iter()
            .map(|job| caravan_diff::job_diff(Some(fixed), Some(job), true))
            .collect(),
        None => versions
            .windows(2)
            .map(|pair| caravan_diff::job_diff(Some(&pair[1]), Some(&pair[0]), true))
            .collect(),
    })
}

pub(in super::super) fn submission(call: &Call) -> Answered {
    let version = call.request.query.uint("version").ok().flatten();
    let version = version
        .ok_or_else(|| ApiError::bad_request("Unable to parse job submission version parameter"))?;
    let tables = &[Table::JobSubmissions];
    match call.state.job_submission(&call.job_key(), version) {
        Some(row) => call.tables(row.as_ref(), tables),
        None => Err(ApiError::not_found("job source not found").with_meta(call.head(0, tables))),
    }
}

pub(in super::super) fn services(call: &Call) -> Answered {
    let key = call.job_key();
    let none = || {
        ApiError::not_found("job not found")
            .with_meta(call.head(0, &[Table::Jobs, Table::Services]))
    };
    let job = call.state.job(&key).ok_or_else(none)?;
    let rows: Vec<_> = call
        .state
        .services()
        .filter(|service| service.namespace == job.namespace && service.job_id == job.id)
        .collect();
    call.object(
        &rows,
        call.state.index_of(Table::Services),
        &[Table::Services],
    )
}

pub(in super::super) fn actions(call: &Call) -> Answered {
    let key = call.job_key();
    let job = call
        .state
        .job(&key)
        .ok_or_else(|| ApiError::internal(format!("Unknown job {:?}", key.id.as_str())))?;
    let mut actions = Vec::new();
    for group in &job.task_groups {
        for task in &group.tasks {
            for action in &task.actions {
                actions.push(JobAction {
                    name: action.name.clone(),
                    command: action.command.clone(),
                    args: action.args.clone(),
                    task_name: task.name.clone(),
                    task_group_name: group.name.clone(),
                });
            }
        }
    }
    let shown = if actions.is_empty() {
        None
    } else {
        Some(actions)
    };
    Answer::json(
        &shown,
        Meta {
            known_leader: Some(false),
            ..Meta::read(0)
        },
    )
}
