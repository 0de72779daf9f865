//! Namespaces (http-api §2.9, server sheet §14).

use super::node_pools::valid_name;
use crate::admission::error_text;
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, Table};

const TABLES: &[Table] = &[Table::Namespaces];
/// How long a description may be.
const MAX_DESCRIPTION: usize = 256;

pub(super) fn list(call: &Call) -> Answered {
    let prefix = call.request.options.prefix.as_str();
    let rows: Vec<_> = call
        .state
        .namespaces()
        .filter(|namespace| namespace.name.as_str().starts_with(prefix))
        .filter(|namespace| call.caller.knows_namespace(namespace.name.as_str()))
        .collect();
    call.tables(&rows, TABLES)
}

pub(super) fn read(call: &Call) -> Answered {
    match call.state.namespace(&call.request.param("name").to_owned()) {
        Some(namespace) => call.object(namespace.as_ref(), namespace.modify_index, TABLES),
        None => Err(call.missing("Namespace not found", TABLES)),
    }
}

fn check(namespace: &Namespace) -> Result<(), ApiError> {
    let name = namespace.name.as_str();
    let mut faults = Vec::new();
    if !valid_name(name, "-") {
        faults.push(format!(
            "invalid name {name:?}. Must match regex ^[a-zA-Z0-9-]{{1,128}}$"
        ));
    }
    if namespace.description.len() > MAX_DESCRIPTION {
        faults.push(format!("description longer than {MAX_DESCRIPTION}"));
    }
    if namespace.node_pool_configuration.is_some() {
        faults.push(
            "invalid node pool configuration: Node Pools Governance is unlicensed.".to_owned(),
        );
    }
    if !faults.is_empty() {
        return Err(ApiError::internal(format!(
            "Invalid namespace {name:?}: {}",
            error_text(&faults)
        )));
    }
    if !namespace.quota.is_empty() {
        return Err(ApiError::internal(format!(
            "namespace {name:?} using non-existent quota {:?}",
            namespace.quota
        )));
    }
    Ok(())
}

pub(super) async fn upsert(call: &Call) -> Answered {
    let mut namespace: Namespace = call.request.json()?;
    let in_path = call.request.param("name");
    if !in_path.is_empty() {
        if namespace.name.as_str().is_empty() {
            namespace.name = in_path.into();
        } else if namespace.name != *in_path {
            return Err(ApiError::bad_request(
                "Namespace name does not match request path",
            ));
        }
    }
    check(&namespace)?;
    namespace.create_index = 0;
    namespace.modify_index = 0;
    namespace.hash = Vec::new();
    namespace.hash = super::content_hash(&namespace);
    let applied = call
        .propose(Command::UpsertNamespaces {
            namespaces: vec![namespace],
        })
        .await?;
    Ok(Answer::empty(Meta::write(applied.index)))
}

pub(super) async fn delete(call: &Call) -> Answered {
    let name = call.request.param("name").to_owned();
    if name == NamespaceName::DEFAULT {
        return Err(ApiError::internal("can not delete default namespace"));
    }
    if call.state.namespace(&name).is_none() {
        return Err(ApiError::internal("namespace not found"));
    }
    let faults: Vec<String> = still_used(call, &name)
        .into_iter()
        .map(|what| {
            format!(
                "namespace {name:?} has {what} in regions: [{}]",
                call.shared.config.region
            )
        })
        .collect();
    if !faults.is_empty() {
        return Err(ApiError::internal(error_text(&faults)));
    }
    let applied = call
        .propose(Command::DeleteNamespaces { names: vec![name] })
        .await?;
    Ok(Answer::empty(Meta::write(applied.index)))
}

/// What keeps a namespace from being forgotten.
fn still_used(call: &Call, name: &str) -> Vec<&'static str> {
    let state = &call.state;
    let mut what = Vec::new();
    if state
        .jobs()
        .any(|job| job.namespace == *name && job.status != job_status::DEAD)
    {
        what.push("non-terminal jobs");
    }
    if state
        .allocs()
        .any(|alloc| alloc.namespace == *name && !alloc.client_terminal())
    {
        what.push("non-terminal allocations");
    }
    if state.host_volumes().any(|volume| volume.namespace == *name) {
        what.push("volumes");
    }
    if state
        .variables()
        .any(|variable| variable.metadata.namespace == *name)
    {
        what.push("variables");
    }
    what
}
