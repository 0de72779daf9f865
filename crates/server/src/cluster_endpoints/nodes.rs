//! Nodes (http-api §2.5).

use crate::clock;
use crate::endpoints::list::{self, Keyed, check_id_prefix};
use crate::endpoints::{Answered, Call};
use crate::nodes::{jobs_of, look_at_newcomers};
use caravan_control::Ids;
use caravan_control::drain::drain_update;
use caravan_control::node_update::node_update_evals;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, Table};
use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(test)]
mod tests;

const TABLES: &[Table] = &[Table::Nodes];

/// Which parts of a node its stub shows.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    pub(super) resources: bool,
    pub(super) os: bool,
}

impl Fields {
    pub(super) fn asked(call: &Call) -> Result<Self, ApiError> {
        let flag = |name| {
            call.request.query.flag(name).map_err(|error| {
                ApiError::bad_request(format!(
                    "Failed to parse node list fields: {}",
                    error.message
                ))
            })
        };
        Ok(Self {
            os: flag("os")?,
            resources: flag("resources")?,
        })
    }
}

pub(super) fn list(call: &Call) -> Answered {
    let fields = Fields::asked(call)?;
    check_id_prefix(call, "node")?;
    let prefix = call.request.options.prefix.to_lowercase();
    let rows = call
        .state
        .nodes()
        .filter(|node| prefix.is_empty() || node.id.to_string().starts_with(&prefix))
        .map(|node| Keyed {
            key: node.id.to_string(),
            row: Arc::clone(node),
        })
        .collect();
    list::answer(call, TABLES, rows, |node| {
        node.stub(fields.resources, fields.os)
    })
}

pub(super) fn read(call: &Call) -> Answered {
    let id: NodeId = call.id("node")?;
    match call.state.node(&id) {
        Some(node) => {
            let shown = Node {
                secret_id: String::new(),
                ..Node::clone(node)
            };
            call.object(&shown, node.modify_index, TABLES)
        }
        None => Err(call.missing("node not found", TABLES)),
    }
}

pub(super) fn allocations(call: &Call) -> Answered {
    let id: NodeId = call.id("node")?;
    let allocs: Vec<_> = call
        .state
        .allocs_of_node(&id)
        .filter(|alloc| call.caller.reads_jobs_of(&alloc.namespace))
        .collect();
    call.object(
        &allocs,
        call.state.index_of(Table::Allocations),
        &[Table::Allocations],
    )
}

fn named(call: &Call, text: &str) -> Result<Arc<Node>, ApiError> {
    let id: NodeId = crate::endpoints::rows::full_id(text, "node")?;
    call.state
        .node(&id)
        .cloned()
        .ok_or_else(|| ApiError::internal("node not found"))
}

fn ids_of(evals: &[Evaluation]) -> Vec<String> {
    evals.iter().map(|eval| eval.id.to_string()).collect()
}

/// What a client is told after an update: who the servers are.
fn update_response(call: &Call, node: &Node, evals: Vec<String>, index: u64) -> NodeUpdateResponse {
    let members = call.shared.consensus.members();
    let leader = call
        .shared
        .consensus
        .leader()
        .map(|leader| leader.address)
        .unwrap_or_default();
    NodeUpdateResponse {
        eval_create_index: if evals.is_empty() { 0 } else { index },
        eval_ids: evals,
        leader_rpc_addr: leader,
        num_nodes: i64::try_from(call.state.node_count()).unwrap_or(i64::MAX),
        servers: members
            .into_iter()
            .map(|member| NodeServerInfo {
                rpc_advertise_addr: member.address,
                datacenter: call.shared.config.datacenter.clone(),
                ..NodeServerInfo::default()
            })
            .collect(),
        scheduling_eligibility: node.scheduling_eligibility,
        meta: QueryMeta {
            index,
            ..QueryMeta::default()
        },
        ..NodeUpdateResponse::default()
    }
}

pub(super) async fn evaluate(call: &Call) -> Answered {
    let node = named(call, call.request.param("id"))?;
    let evals = node_update_evals(&call.state, &node, &mut clock::eval_id, clock::now());
    let ids = ids_of(&evals);
    let mut index = 0;
    if !evals.is_empty() {
        index = call
            .propose(Command::UpsertEvals {
                evals,
                now: clock::now(),
            })
            .await?
            .index;
    }
    Answer::json(
        &update_response(call, &node, ids, index),
        Meta::write(index),
    )
}

pub(super) async fn purge(call: &Call) -> Answered {
    let node = named(call, call.request.param("id"))?;
    let evals = node_update_evals(&call.state, &node, &mut clock::eval_id, clock::now());
    let (ids, seen) = (ids_of(&evals), jobs_of(&evals));
    let applied = call
        .propose(Command::DeregisterNodes {
            nodes: vec![node.id],
            evals,
        })
        .await?;
    look_at_newcomers(&call.shared, &node, &seen, applied.index).await?;
    let mut answer = update_response(call, &node, ids, applied.index);
    answer.node_modify_index = applied.index;
    answer.num_nodes = 0;
    Answer::json(&answer, Meta::write(applied.index))
}

fn node_event(subsystem: &str, message: &str) -> NodeEvent {
    NodeEvent {
        message: message.to_owned(),
        subsystem: subsystem.to_owned(),
        timestamp: Timestamp(clock::now().seconds() * 1_000_000_000),
        ..NodeEvent::default()
    }
}

pub(super) async fn eligibility(call: &Call) -> Answered {
    let body: NodeEligibilityRequest = call.request.json()?;
    let wanted = match body.eligibility.as_str() {
        "eligible" => Eligibility::Eligible,
        "ineligible" => Eligibility::Ineligible,
        other => {
            return Err(ApiError::internal(format!(
                "invalid scheduling eligibility {other:?}"
            )));
        }
    };
    let text = if body.node_id.is_empty() {
        call.request.param("id")
    } else {
        &body.node_id
    };
    let node = named(call, text)?;
    if node.drain_strategy.is_some() && wanted == Eligibility::Eligible {
        return Err(ApiError::internal(
            "can not set node's scheduling eligibility to eligible while it is draining",
        ));
    }
    if node.scheduling_eligibility == wanted {
        // Nothing was written, so there is no index of it.
        return Answer::json(&NodeChangeResponse::default(), Meta::write(0));
    }
    let opens = wanted == Eligibility::Eligible;
    let evals = if opens {
        node_update_evals(&call.state, &node, &mut clock::eval_id, clock::now())
    } else {
        Vec::new()
    };
    let (eval_ids, seen) = (ids_of(&evals), jobs_of(&evals));
    let text = if opens {
        node_event::ELIGIBLE
    } else {
        node_event::INELIGIBLE
    };
    let event = Some(node_event(subsystem::CLUSTER, text));
    let command = Command::UpdateNodeEligibility {
        node: node.id,
        eligibility: wanted,
        event,
        evals,
        now: clock::now(),
    };
    let index = call.propose(command).await?.index;
    if opens {
        look_at_newcomers(&call.shared, &node, &seen, index).await?;
    }
    let eval_create_index = if eval_ids.is_empty() { 0 } else { index };
    let answer = NodeChangeResponse {
        eval_ids,
        eval_create_index,
        index,
        ..NodeChangeResponse::default()
    };
    Answer::json(&answer, Meta::write(index))
}

pub(super) async fn drain(call: &Call) -> Answered {
    let body: NodeDrainRequest = call.request.json_from("api")?;
    let node = named(call, call.request.param("id"))?;
    let now = clock::now();
    let (mut update, evals) = drain_update(
        &call.state,
        &node,
        body.drain_spec.as_ref(),
        body.mark_eligible,
        body.meta,
        now,
        &mut Ids(&mut clock::fresh),
    );
    if let Some(noted) = &mut update.metadata {
        noted.accessor_id = call.caller.accessor_text();
    }
    let (eval_ids, seen) = (ids_of(&evals), jobs_of(&evals));
    let opens = update.mark_eligible && node.scheduling_eligibility == Eligibility::Ineligible;
    let command = Command::UpdateNodeDrains {
        updates: BTreeMap::from([(node.id, update)]),
        evals,
        now,
    };
    let index = call.propose(command).await?.index;
    if opens {
        look_at_newcomers(&call.shared, &node, &seen, index).await?;
    }
    let eval_create_index = if eval_ids.is_empty() { 0 } else { index };
    let answer = NodeChangeResponse {
        node_modify_index: index,
        eval_ids,
        eval_create_index,
        index,
    };
    Answer::json(&answer, Meta::write(index))
}
