//! Node pools (http-api §2.5).

use super::nodes::Fields;
use crate::admission::error_text;
use crate::endpoints::list::{self, Keyed};
use crate::endpoints::{Answered, Call};
use caravan_acl::NamespaceCapability;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, JobKey, Table};
use std::sync::Arc;

const TABLES: &[Table] = &[Table::NodePools];
/// How long a description may be.
const MAX_DESCRIPTION: usize = 256;

pub(super) fn list(call: &Call) -> Answered {
    let prefix = call.request.options.prefix.as_str();
    let rows = call
        .state
        .node_pools()
        .filter(|pool| pool.name.starts_with(prefix) && call.caller.reads_node_pool(&pool.name))
        .map(|pool| Keyed {
            key: pool.name.clone(),
            row: Arc::clone(pool),
        })
        .collect();
    list::answer(call, TABLES, rows, NodePool::clone)
}

pub(super) fn read(call: &Call) -> Answered {
    match call.state.node_pool(&call.request.param("name").to_owned()) {
        Some(pool) => call.object(pool.as_ref(), pool.modify_index, TABLES),
        None => Err(call.missing("node pool not found", TABLES)),
    }
}

fn check(pool: &NodePool) -> Result<(), ApiError> {
    if pool.is_built_in() {
        return Err(ApiError::bad_request(format!(
            "modifying node pool {:?} is not allowed",
            pool.name
        )));
    }
    let mut faults = Vec::new();
    if !valid_name(&pool.name, "-_") {
        faults.push(format!(
            "invalid name {:?}, must match regex ^[a-zA-Z0-9-_]{{1,128}}$",
            pool.name
        ));
    }
    if pool.description.len() > MAX_DESCRIPTION {
        faults.push(format!("description longer than {MAX_DESCRIPTION}"));
    }
    if !faults.is_empty() {
        return Err(ApiError::bad_request(format!(
            "invalid node pool {:?}: {}",
            pool.name,
            error_text(&faults)
        )));
    }
    if pool.scheduler_configuration.is_some() {
        return Err(ApiError::internal(
            "Feature \"Node Pools Governance\" is unlicensed",
        ));
    }
    Ok(())
}

/// Whether a name has 1 to 128 letters, digits and the characters given.
pub(super) fn valid_name(name: &str, also: &str) -> bool {
    (1..=128).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
}

pub(super) async fn upsert(call: &Call) -> Answered {
    let mut pool: NodePool = call.request.json()?;
    let in_path = call.request.param("name");
    if !in_path.is_empty() && in_path != pool.name {
        return Err(ApiError::bad_request(
            "Node pool name does not match request path",
        ));
    }
    check(&pool)?;
    if pool.node_identity_ttl.is_zero() {
        pool.node_identity_ttl = node_pool::DEFAULT_IDENTITY_TTL;
    }
    pool.hash = super::content_hash(&(&pool.name, &pool.description, &pool.meta));
    let applied = call
        .propose(Command::UpsertNodePools { pools: vec![pool] })
        .await?;
    Ok(Answer::empty(Meta::write(applied.index)))
}

pub(super) async fn delete(call: &Call) -> Answered {
    let name = call.request.param("name").to_owned();
    if call.state.node_pool(&name).is_none() {
        return Err(ApiError::internal(format!("node pool {name} not found")));
    }
    let region = &call.shared.config.region;
    let mut faults = Vec::new();
    if call.state.nodes().any(|node| node.node_pool == name) {
        faults.push(format!(
            "node pool {name:?} has nodes in regions: [{region}]"
        ));
    }
    if call
        .state
        .jobs()
        .any(|job| job.node_pool == name && job.status != job_status::DEAD)
    {
        faults.push(format!(
            "node pool {name:?} has non-terminal jobs in regions: [{region}]"
        ));
    }
    if !faults.is_empty() {
        return Err(ApiError::internal(error_text(&faults)));
    }
    let applied = call
        .propose(Command::DeleteNodePools { names: vec![name] })
        .await?;
    Ok(Answer::empty(Meta::write(applied.index)))
}

/// What belongs to a pool that is not there: nothing, and it never changed.
fn of_unknown_pool(call: &Call) -> Option<Answered> {
    let unknown = call
        .state
        .node_pool(&call.request.param("name").to_owned())
        .is_none();
    let nothing: [(); 0] = [];
    unknown.then(|| Answer::json(&nothing, Meta::read(0)))
}

fn refuse_prefix(call: &Call) -> Result<(), ApiError> {
    if call.request.options.prefix.is_empty() {
        return Ok(());
    }
    Err(ApiError::bad_request("prefix argument not allowed"))
}

pub(super) fn nodes(call: &Call) -> Answered {
    refuse_prefix(call)?;
    let fields = Fields::asked(call)?;
    if let Some(nothing) = of_unknown_pool(call) {
        return nothing;
    }
    let pool = call.request.param("name");
    let rows = call
        .state
        .nodes()
        .filter(|node| pool == node_pool::ALL || node.node_pool == pool)
        .map(|node| Keyed {
            key: node.id.to_string(),
            row: Arc::clone(node),
        })
        .collect();
    list::answer(call, &[Table::Nodes], rows, |node| {
        node.stub(fields.resources, fields.os)
    })
}

pub(super) fn jobs(call: &Call) -> Answered {
    refuse_prefix(call)?;
    let meta = call.request.query.flag("meta")?;
    if let Some(nothing) = of_unknown_pool(call) {
        return nothing;
    }
    let pool = call.request.param("name");
    let rows = call
        .state
        .jobs()
        .filter(|job| job.node_pool == pool && call.in_scope(&job.namespace))
        .filter(|job| {
            call.caller
                .has(job.namespace.as_str(), NamespaceCapability::ListJobs)
        })
        .map(|job| Keyed {
            key: format!("{}.{}", job.namespace, job.id),
            row: Arc::clone(job),
        })
        .collect();
    list::answer(call, &[Table::Jobs, Table::JobSummaries], rows, |job| {
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
    })
}
