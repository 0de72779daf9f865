//! Search by prefix (http-api §2.7): a few names or ids from every kind of object that the caller may see.

use crate::endpoints::{Answered, Call};
use caravan_acl::{NamespaceCapability, VariableCapability};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::search_context as context;
use caravan_model::*;
use caravan_state::Table;
use std::collections::BTreeMap;

/// How many matches of a kind are told.
pub(super) const LIMIT: usize = 20;

/// The kinds of objects that can be searched, with what each is kept in.
pub(super) const CONTEXTS: &[(&str, Table)] = &[
    (context::ALLOCS, Table::Allocations),
    (context::JOBS, Table::Jobs),
    (context::NODES, Table::Nodes),
    (context::NODE_POOLS, Table::NodePools),
    (context::EVALS, Table::Evaluations),
    (context::DEPLOYMENTS, Table::Deployments),
    (context::PLUGINS, Table::CsiPlugins),
    (context::VOLUMES, Table::CsiVolumes),
    (context::SCALING_POLICIES, Table::ScalingPolicies),
    (context::VARIABLES, Table::Variables),
    (context::NAMESPACES, Table::Namespaces),
    (context::HOST_VOLUMES, Table::HostVolumes),
];

/// The kinds whose prefix must be one of a UUID.
const BY_UUID: &[&str] = &[
    context::ALLOCS,
    context::NODES,
    context::EVALS,
    context::DEPLOYMENTS,
];

/// The contexts that a request asks for.
pub(super) fn asked(name: &str) -> Result<Vec<(&'static str, Table)>, ApiError> {
    if name == context::ALL {
        return Ok(CONTEXTS.to_vec());
    }
    CONTEXTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|found| vec![*found])
        .ok_or_else(|| {
            let names: Vec<&str> = CONTEXTS.iter().map(|(name, _)| *name).collect();
            ApiError::internal(format!(
                "context must be one of [{}] or 'all' for all contexts; got {name:?}",
                names.join(" ")
            ))
        })
}

/// Whether the caller may search a kind in the namespace of the request.
pub(super) fn permitted(call: &Call, name: &str) -> bool {
    use NamespaceCapability as Capability;
    let namespace = call.request.namespace();
    let caller = &call.caller;
    match name {
        context::ALLOCS | context::EVALS | context::DEPLOYMENTS => {
            caller.has(namespace, Capability::ReadJob)
        }
        context::JOBS => caller.has(namespace, Capability::ListJobs),
        context::NODES => caller.reads_nodes(),
        context::NODE_POOLS => call
            .state
            .node_pools()
            .any(|pool| caller.reads_node_pool(&pool.name)),
        context::PLUGINS => caller.view.allows(
            caravan_acl::Access::Plugin(caravan_acl::CoarseRule::List),
            caravan_acl::Target::default(),
        ),
        context::VOLUMES => {
            caller.has(namespace, Capability::CsiListVolume) && caller.reads_plugins()
        }
        context::HOST_VOLUMES => caller.has(namespace, Capability::HostVolumeRead),
        context::SCALING_POLICIES => caller.has(namespace, Capability::ListScalingPolicies),
        context::NAMESPACES => call
            .state
            .namespaces()
            .any(|row| caller.knows_namespace(row.name.as_str())),
        context::VARIABLES => caller.knows_namespace(namespace),
        _ => false,
    }
}

/// The contexts to search: those asked for that the caller may see.
pub(super) fn searched(call: &Call, name: &str) -> Result<Vec<(&'static str, Table)>, ApiError> {
    let all = asked(name)?;
    let permitted: Vec<_> = all
        .into_iter()
        .filter(|(name, _)| permitted(call, name))
        .collect();
    if permitted.is_empty() && name != context::ALL {
        return Err(ApiError::permission_denied());
    }
    Ok(permitted)
}

/// What is found of a kind, and whether there was more.
pub(super) struct Found<T> {
    pub(super) matches: Vec<T>,
    pub(super) truncated: bool,
}

/// The first matches out of many.
pub(super) fn first<T>(all: impl Iterator<Item = T>) -> Found<T> {
    let mut matches: Vec<T> = all.take(LIMIT + 1).collect();
    let truncated = matches.len() > LIMIT;
    matches.truncate(LIMIT);
    Found { matches, truncated }
}

/// The ids or names of a kind that begin with a text, in the order of their table.
pub(super) fn by_prefix(call: &Call, name: &str, prefix: &str) -> Found<String> {
    let (state, caller) = (&call.state, &call.caller);
    let id_prefix = even(prefix).to_lowercase();
    let starts = |id: &String| id.starts_with(&id_prefix);
    match name {
        context::ALLOCS => first(
            state
                .allocs()
                .filter(|row| call.in_scope(&row.namespace))
                .map(|row| row.id.to_string())
                .filter(starts),
        ),
        context::EVALS => first(
            state
                .evals()
                .filter(|row| call.in_scope(&row.namespace))
                .map(|row| row.id.to_string())
                .filter(starts),
        ),
        context::DEPLOYMENTS => first(
            state
                .deployments()
                .filter(|row| call.in_scope(&row.namespace))
                .map(|row| row.id.to_string())
                .filter(starts),
        ),
        context::NODES => first(state.nodes().map(|row| row.id.to_string()).filter(starts)),
        context::HOST_VOLUMES => first(
            state
                .host_volumes()
                .filter(|row| call.in_scope(&row.namespace))
                .map(|row| row.id.clone())
                .filter(|id| id.starts_with(prefix)),
        ),
        context::SCALING_POLICIES => first(
            state
                .scaling_policies()
                .map(|row| row.id.clone())
                .filter(|id| id.starts_with(prefix)),
        ),
        context::JOBS => first(
            state
                .jobs()
                .filter(|row| call.in_scope(&row.namespace) && row.id.as_str().starts_with(prefix))
                .map(|row| row.id.to_string()),
        ),
        context::NODE_POOLS => first(
            state
                .node_pools()
                .filter(|row| row.name.starts_with(prefix) && caller.reads_node_pool(&row.name))
                .map(|row| row.name.clone()),
        ),
        context::NAMESPACES => first(
            state
                .namespaces()
                .map(|row| row.name.to_string())
                .filter(|name| name.starts_with(prefix) && caller.knows_namespace(name)),
        ),
        context::VARIABLES => first(
            state
                .variables()
                .map(|row| &row.metadata)
                .filter(|row| call.in_scope(&row.namespace) && row.path.starts_with(prefix))
                .filter(|row| {
                    caller.on_variable(row.namespace.as_str(), &row.path, VariableCapability::List)
                })
                .map(|row| row.path.clone()),
        ),
        _ => Found {
            matches: Vec::new(),
            truncated: false,
        },
    }
}

/// A prefix of a UUID, made one digit shorter when its digits are odd in number.
fn even(prefix: &str) -> &str {
    let digits = prefix.chars().filter(|c| *c != '-').count();
    if digits % 2 == 1 {
        &prefix[..prefix.len().saturating_sub(1)]
    } else {
        prefix
    }
}

fn is_uuid_prefix(text: &str) -> bool {
    text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

pub(super) fn prefix(call: &Call) -> Answered {
    let body: SearchRequest = call.request.json()?;
    let contexts = searched(call, &body.context)?;
    let leave_out = body.context == context::ALL && !is_uuid_prefix(&body.prefix);
    let mut answer = SearchResponse {
        matches: BTreeMap::new(),
        truncations: BTreeMap::new(),
        meta: meta(call, &contexts),
    };
    for (name, _) in contexts {
        if leave_out && BY_UUID.contains(&name) {
            continue;
        }
        if !is_uuid_prefix(&body.prefix) && BY_UUID.contains(&name) {
            answer.matches.insert(name.to_owned(), None);
            answer.truncations.insert(name.to_owned(), false);
            continue;
        }
        let found = by_prefix(call, name, &body.prefix);
        answer.matches.insert(
            name.to_owned(),
            Some(found.matches).filter(|matches| !matches.is_empty()),
        );
        answer.truncations.insert(name.to_owned(), found.truncated);
    }
    let index = answer.meta.index;
    Answer::json(&answer, Meta::read(index))
}

/// The metadata of a search over these tables.
pub(super) fn meta(call: &Call, contexts: &[(&'static str, Table)]) -> QueryMeta {
    let tables: Vec<Table> = contexts.iter().map(|(_, table)| *table).collect();
    QueryMeta {
        index: call.state.index_of_any(&tables),
        known_leader: true,
        ..QueryMeta::default()
    }
}
