//! The servers as voters: who they are, how they do, and changes among them (http-api §2.8, server sheet §18).

use crate::clock;
use crate::endpoints::{Answered, Call};
use crate::server::Shared;
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::State;

/// The UUID that stands for a server's number wherever an id of a server is shown.
#[must_use]
pub fn server_uuid(node_id: u64) -> String {
    let mixed = node_id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    uuid::Builder::from_random_bytes(
        ((u128::from(node_id) << 64) | u128::from(mixed)).to_be_bytes(),
    )
    .into_uuid()
    .to_string()
}

pub(super) fn configuration(call: &Call) -> Answered {
    let leader = call.shared.consensus.leader().map(|leader| leader.id);
    let servers = call
        .shared
        .consensus
        .members()
        .into_iter()
        .map(|member| RaftServer {
            id: server_uuid(member.id),
            node: member.name,
            address: member.address,
            leader: leader == Some(member.id),
            voter: member.voter,
            raft_protocol: "3".to_owned(),
        })
        .collect();
    Answer::json(&RaftConfiguration { servers, index: 0 }, Meta::none())
}

fn absent(id: &str) -> String {
    format!("id {id:?} was not found in the Raft configuration")
}

pub(super) async fn remove_peer(call: &Call) -> Answered {
    let query = &call.request.query;
    if query.has("address") {
        return Err(ApiError::bad_request(
            "Removing a peer by address is not supported in the current raft protocol version",
        ));
    }
    let id = query
        .text("id")
        .ok_or_else(|| ApiError::bad_request("Must specify the peer's ID to remove"))?;
    let members = call.shared.consensus.members();
    let member = members
        .into_iter()
        .find(|member| server_uuid(member.id) == id);
    let member = member.ok_or_else(|| ApiError::internal(absent(id)))?;
    call.shared
        .consensus
        .remove(member.id)
        .await
        .map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(Answer::empty(Meta::none()))
}

/// The answer to a transfer, as far as it is shown.
#[derive(serde::Serialize)]
#[serde(rename_all = "PascalCase")]
struct Transferred {
    from: RaftIdAddress,
    to: RaftIdAddress,
    noop: bool,
    err: Option<String>,
}

pub(super) async fn transfer_leadership(call: &Call) -> Answered {
    let query = &call.request.query;
    let (id, address) = (query.get("id"), query.get("address"));
    let (name, wanted) = match (id, address) {
        (None, None) => return Err(ApiError::bad_request("must specify id or address")),
        (Some(_), Some(_)) => {
            return Err(ApiError::bad_request("must specify either id or address"));
        }
        (Some(id), None) => ("id", id),
        (None, Some(address)) => ("address", address),
    };
    if wanted.is_empty() {
        return Err(ApiError::bad_request(format!("{name} must be non-empty")));
    }
    if name == "id" && wanted.len() != 36 {
        return Err(ApiError::bad_request(
            "id must be a uuid: uuid string is wrong length",
        ));
    }
    let members = call.shared.consensus.members();
    let shown = |member: &caravan_consensus::Member| RaftIdAddress {
        address: member.address.clone(),
        id: server_uuid(member.id),
    };
    let target = members
        .iter()
        .find(|member| {
            if name == "id" {
                server_uuid(member.id) == wanted
            } else {
                member.address == wanted
            }
        })
        .ok_or_else(|| {
            ApiError::bad_request(format!(
                "{name} {wanted:?} was not found in the Raft configuration"
            ))
        })?;
    let leader = call
        .shared
        .consensus
        .leader()
        .ok_or_else(ApiError::no_leader)?;
    let noop = leader.id == target.id;
    if !noop {
        let moved = call
            .shared
            .consensus
            .transfer_leadership(Some(target.id))
            .await;
        moved.map_err(|error| ApiError::internal(error.to_string()))?;
    }
    Answer::json(
        &Transferred {
            from: shown(&leader),
            to: shown(target),
            noop,
            err: None,
        },
        Meta::none(),
    )
}

/// How long a server may be silent when nothing is configured.
const SILENCE: Duration = Duration::from_millis(200);

pub(super) fn health(call: &Call) -> Answered {
    let health = health_of(&call.shared, &call.state);
    let answered = Answer::json(&health, Meta::none())?;
    Ok(if health.healthy {
        answered
    } else {
        answered.with_status(429)
    })
}

/// How the servers are, as the one that leads sees them.
pub(crate) fn health_of(shared: &Shared, state: &State) -> AutopilotHealth {
    let status = shared.consensus.status();
    let threshold = state
        .autopilot_config()
        .map_or(SILENCE, |config| config.last_contact_threshold);
    let leader = status.leader.as_ref().map(|leader| leader.id);
    let now = clock::now();
    let servers: Vec<ServerHealth> = status
        .members
        .iter()
        .map(|member| {
            let own = member.id == status.node_id;
            let peer = status.peers.iter().find(|peer| peer.id == member.id);
            let silence = match peer {
                _ if own => Some(std::time::Duration::ZERO),
                Some(peer) => peer.last_contact,
                None => None,
            };
            let last_contact = silence.map_or(Duration(i64::MAX), |silence| {
                Duration(i64::try_from(silence.as_nanos()).unwrap_or(i64::MAX))
            });
            let healthy = last_contact <= threshold;
            ServerHealth {
                last_contact: if own { Duration(0) } else { last_contact },
                id: server_uuid(member.id),
                name: member.name.clone(),
                address: member.address.clone(),
                serf_status: if silence.is_some() { "alive" } else { "failed" }.to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                leader: leader == Some(member.id),
                last_term: status.term,
                last_index: peer
                    .and_then(|peer| peer.matched)
                    .or(status.last_log)
                    .unwrap_or(0),
                healthy,
                voter: member.voter,
                stable_since: shared.stability.since(member.id, healthy, now),
            }
        })
        .collect();
    let voters: Vec<&ServerHealth> = servers.iter().filter(|server| server.voter).collect();
    let well = voters.iter().filter(|server| server.healthy).count();
    let majority = voters.len() / 2 + 1;
    let healthy = servers.iter().all(|server| server.healthy);
    AutopilotHealth {
        failure_tolerance: i64::try_from(well.saturating_sub(majority)).unwrap_or(0),
        healthy,
        leader: leader.map(server_uuid).unwrap_or_default(),
        voters: voters.iter().map(|server| server.id.clone()).collect(),
        servers,
    }
}
