//! Jobs with their allocations at a glance (http-api §5.3).

use super::super::list::Keyed;
use super::super::{Answered, Call};
use caravan_http::{ApiError, Method, QueryOptions};
use caravan_model::*;
use caravan_state::{JobKey, Table};
use std::collections::BTreeSet;
use std::sync::Arc;

const TABLES: &[Table] = &[Table::Jobs, Table::Allocations, Table::Deployments];

pub(in super::super) fn statuses(call: &Call) -> Answered {
    let mut children = call
        .request
        .query
        .bool("include_children")
        .map_err(|error| ApiError::bad_request(error.message))?
        .unwrap_or(false);
    let mut wanted: Option<BTreeSet<JobKey>> = None;
    if call.request.method != Method::Get
        && let Some(body) = picked(call)?
    {
        if body.jobs.is_empty() {
            return Err(ApiError::bad_request("no jobs in request"));
        }
        children |= body.include_children;
        wanted = Some(
            body.jobs
                .into_iter()
                .map(|job| JobKey::new(job.namespace, job.id))
                .collect(),
        );
    }
    let rows: Vec<Keyed<Job>> = call
        .state
        .jobs()
        .filter(|job| {
            let key = || JobKey::new(job.namespace.clone(), job.id.clone());
            match &wanted {
                Some(wanted) => {
                    wanted.contains(&key())
                        && call.caller.may_in(&call.request, job.namespace.as_str())
                }
                None => call.in_scope(&job.namespace) && (children || job.parent_id.is_empty()),
            }
        })
        .map(|job| Keyed {
            key: format!("{:020}.{}.{}", job.modify_index, job.namespace, job.id),
            row: Arc::clone(job),
        })
        .collect();
    // Newest first is the usual order here, so the request's `reverse` asks for the opposite.
    let mut request = call.request.clone();
    request.options.reverse = !request.options.reverse;
    request.options.next_token = beginning(&request.options);
    let turned = Call {
        request,
        ..call.clone()
    };
    let found_none = wanted.is_some() && rows.is_empty();
    let mut answer = super::super::list::answer(&turned, TABLES, rows, |job| status(call, job))?;
    if found_none {
        answer.head.meta.index = Some(0);
    }
    // Pages are named by the index alone.
    let token = answer.head.meta.next_token.take();
    answer.head.meta.next_token =
        token.map(|token| token.split('.').next().unwrap_or_default().to_owned());
    Ok(answer)
}

/// Where the page of a token begins among the rows: the token is an index alone, and all jobs of it are on the page.
fn beginning(options: &QueryOptions) -> String {
    match options.next_token.parse::<u64>() {
        Ok(index) if options.reverse => format!("{index}.{}", char::MAX),
        Ok(index) => format!("{index}."),
        Err(_) => options.next_token.clone(),
    }
}

/// The jobs that the body picks; none without a body.
fn picked(call: &Call) -> Result<Option<JobStatusesRequest>, ApiError> {
    if call.request.body.is_empty() {
        return Ok(None);
    }
    let body = call.request.json_from("api");
    body.map(Some).map_err(|error| {
        ApiError::bad_request(format!("error decoding request: {}", error.message))
    })
}

fn status(call: &Call, job: &Job) -> JobStatus {
    let key = JobKey::new(job.namespace.clone(), job.id.clone());
    let latest = call
        .state
        .latest_deployment(&key)
        .filter(|row| row.job_create_index == job.create_index);
    JobStatus {
        id: job.id.clone(),
        namespace: job.namespace.clone(),
        name: job.name.clone(),
        r#type: job.r#type.clone(),
        node_pool: job.node_pool.clone(),
        datacenters: job.datacenters.clone(),
        priority: job.priority,
        version: job.version,
        submit_time: job.submit_time,
        modify_index: job.modify_index,
        allocs: call
            .state
            .allocs_of_job(&key)
            .filter(|alloc| {
                alloc
                    .job
                    .as_ref()
                    .is_some_and(|own| own.create_index == job.create_index)
            })
            .map(|alloc| alloc_status(alloc))
            .collect(),
        group_count_sum: job.task_groups.iter().map(|group| group.count).sum(),
        child_statuses: call
            .state
            .job_children(&key)
            .map(|child| child.status.clone())
            .collect(),
        parent_id: job.parent_id.clone(),
        latest_deployment: latest.map(|row| deployment_status(row)),
        stop: job.stop,
        is_pack: job.meta.contains_key("pack.name"),
        status: job.status.clone(),
    }
}

fn alloc_status(alloc: &Allocation) -> JobStatusAlloc {
    JobStatusAlloc {
        id: alloc.id,
        group: alloc.task_group.clone(),
        client_status: alloc.client_status.to_string(),
        node_id: alloc.node_id,
        deployment_status: JobStatusAllocHealth {
            canary: alloc.is_canary(),
            healthy: alloc.deployment_status.and_then(|status| status.healthy),
        },
        job_version: alloc.job_version(),
        followup_eval_id: alloc.followup_eval_id,
        has_paused_task: false,
    }
}

fn deployment_status(row: &Deployment) -> JobStatusLatestDeployment {
    JobStatusLatestDeployment {
        id: row.id,
        is_active: row.is_active(),
        job_version: row.job_version,
        status: row.status.to_string(),
        status_description: row.status_description.clone(),
        all_auto_promote: row.has_auto_promote(),
        requires_promotion: row.requires_promotion(),
    }
}
