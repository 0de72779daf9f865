//! The figures that an agent gives about each of its parts, as `nomad agent-info` shows them: all of them texts,
//! in the names of the reference.

use super::{AgentOps, ServerSide};
use caravan_client::Client;
use caravan_consensus::Role;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Figures by the name of the part.
pub(super) type Stats = BTreeMap<String, Group>;
type Group = BTreeMap<String, String>;

/// The version of the raft protocol that the names of the figures come from.
const RAFT_PROTOCOL: &str = "3";

pub(super) fn of(agent: &AgentOps) -> Stats {
    let mut stats = Stats::from([("runtime".to_owned(), runtime())]);
    if let Some(side) = &agent.server {
        stats.insert("nomad".to_owned(), server(side));
        stats.insert("raft".to_owned(), raft(side));
        stats.insert("serf".to_owned(), serf(side));
    }
    if let Some(node) = agent.node.get() {
        stats.insert("client".to_owned(), client(node, &agent.servers()));
    }
    stats
}

fn group<const N: usize>(figures: [(&str, String); N]) -> Group {
    figures
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// A time in the reference's text form.
fn text(time: Duration) -> String {
    caravan_model::Duration(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)).to_string()
}

fn server(side: &ServerSide) -> Group {
    let consensus = side.consensus();
    let others = side.circle.others();
    let own = side.circle.me(&side.server);
    let regions: BTreeSet<&str> = others
        .iter()
        .map(|known| known.hello.region.as_str())
        .chain([own.region.as_str()])
        .collect();
    group([
        ("server", "true".to_owned()),
        ("leader", consensus.is_leader().to_string()),
        (
            "leader_addr",
            consensus
                .leader()
                .map(|leader| leader.address)
                .unwrap_or_default(),
        ),
        ("bootstrap", (consensus.members().len() == 1).to_string()),
        ("known_regions", regions.len().to_string()),
    ])
}

fn raft(side: &ServerSide) -> Group {
    let status = side.consensus().status();
    let number = |number: Option<u64>| number.unwrap_or(0).to_string();
    let members: Vec<String> = status
        .members
        .iter()
        .map(|member| {
            let suffrage = if member.voter { "Voter" } else { "Nonvoter" };
            format!(
                "{{Suffrage:{suffrage} ID:{} Address:{}}}",
                member.id, member.address
            )
        })
        .collect();
    let contact = match (status.role, status.last_contact) {
        (Role::Leader, _) => "0".to_owned(),
        (_, None) => "never".to_owned(),
        (_, Some(ago)) => text(ago),
    };
    let voters = status.members.iter().filter(|member| member.voter).count();
    group([
        ("state", state(status.role).to_owned()),
        ("term", status.term.to_string()),
        ("last_log_index", number(status.last_log)),
        ("last_log_term", number(status.last_log_term)),
        ("commit_index", number(status.committed)),
        ("applied_index", number(status.applied)),
        (
            "fsm_pending",
            status
                .committed
                .unwrap_or(0)
                .saturating_sub(status.applied.unwrap_or(0))
                .to_string(),
        ),
        ("last_snapshot_index", number(status.snapshot)),
        ("last_snapshot_term", number(status.snapshot_term)),
        ("last_contact", contact),
        ("latest_configuration", format!("[{}]", members.join(" "))),
        ("latest_configuration_index", number(status.members_index)),
        ("num_peers", voters.saturating_sub(1).to_string()),
        ("protocol_version", RAFT_PROTOCOL.to_owned()),
    ])
}

fn state(role: Role) -> &'static str {
    match role {
        Role::Leader => "Leader",
        Role::Candidate => "Candidate",
        Role::Follower | Role::Learner => "Follower",
        Role::Stopped => "Shutdown",
    }
}

/// The gossip that the servers' circle stands for. What it has no counterpart of is nothing.
fn serf(side: &ServerSide) -> Group {
    let others = side.circle.others();
    let count = |status: &str| {
        others
            .iter()
            .filter(|known| known.status() == status)
            .count()
            .to_string()
    };
    let nothing = || "0".to_owned();
    group([
        ("members", (others.len() + 1).to_string()),
        ("failed", count("failed")),
        ("left", count("left")),
        ("health_score", nothing()),
        ("member_time", nothing()),
        ("event_time", nothing()),
        ("query_time", nothing()),
        ("intent_queue", nothing()),
        ("event_queue", nothing()),
        ("query_queue", nothing()),
        ("coordinate_resets", nothing()),
        ("encrypted", "false".to_owned()),
    ])
}

fn client(node: &Client, servers: &[String]) -> Group {
    let contact = node.contact();
    group([
        ("node_id", node.node_id().to_string()),
        ("known_servers", servers.join(",")),
        ("num_allocations", node.alloc_count().to_string()),
        ("heartbeat_ttl", text(contact.heartbeat_ttl)),
        ("last_heartbeat", text(contact.last_heartbeat)),
    ])
}

fn runtime() -> Group {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    group([
        ("arch", std::env::consts::ARCH.to_owned()),
        ("kernel.name", std::env::consts::OS.to_owned()),
        ("cpu_count", cpus.to_string()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ])
}
