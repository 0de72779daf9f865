//! The agent itself and the servers it knows (http-api §2.6).

use super::{AgentOps, Answered, stats};
use crate::agent::{Hello, server_addresses};
use caravan_http::{Answer, ApiError, ApiRequest, Meta};
use caravan_model::{AgentJoinResponse, AgentMember, AgentMembers, AgentSelf};
use std::collections::BTreeMap;

const ANONYMOUS_JOIN: &str =
    "anonymous server join is deprecated and will be removed in a future version of Nomad";

fn split(address: &str) -> (String, u16) {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
    (
        host.trim_matches(['[', ']']).to_owned(),
        port.parse().unwrap_or(0),
    )
}

/// A server as a member, in the words of the gossip that it stands for.
fn member(agent: &AgentOps, server: &Hello, status: &str) -> AgentMember {
    let (host, rpc) = split(&server.address);
    let (addr, gossip) = split(&server.gossip);
    let mut tags: BTreeMap<String, String> = [
        ("role", "nomad"),
        ("region", &server.region),
        ("dc", &server.datacenter),
        ("build", &server.version),
        ("revision", ""),
        ("vsn", "1"),
        ("raft_vsn", "3"),
        ("rpc_addr", &host),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    tags.insert("id".to_owned(), server.id.clone());
    tags.insert("port".to_owned(), rpc.to_string());
    let expect = if agent.config.dev.is_some() {
        1
    } else {
        server.expect
    };
    tags.insert("expect".to_owned(), expect.to_string());
    if expect == 1 {
        tags.insert("bootstrap".to_owned(), "1".to_owned());
    }
    AgentMember {
        name: server.name.clone(),
        addr,
        port: gossip,
        tags,
        status: status.to_owned(),
        protocol_min: 1,
        protocol_max: 5,
        protocol_cur: 2,
        delegate_min: 2,
        delegate_max: 5,
        delegate_cur: 4,
    }
}

/// This server and every other that it heard of, in the order of their names.
fn all(agent: &AgentOps) -> Vec<AgentMember> {
    let Some(side) = &agent.server else {
        return Vec::new();
    };
    let mut found = vec![member(agent, &side.circle.me(&side.server), "alive")];
    found.extend(
        side.circle
            .others()
            .iter()
            .map(|known| member(agent, &known.hello, known.status())),
    );
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

pub(super) fn members(agent: &AgentOps) -> Answered {
    let settings = &agent.config.settings;
    let answer = AgentMembers {
        server_name: agent.config.name.clone(),
        server_region: settings.region.clone(),
        server_dc: settings.datacenter.clone(),
        members: all(agent),
    };
    Answer::json(&answer, Meta::none())
}

pub(super) fn agent_self(agent: &AgentOps) -> Answered {
    let own = format!("{}.{}", agent.config.name, agent.config.settings.region);
    let member = all(agent)
        .into_iter()
        .find(|member| member.name == own)
        .unwrap_or_default();
    let mut config = agent.config.self_view();
    config["Version"] = version();
    Answer::json(
        &AgentSelf {
            config,
            member,
            stats: stats::of(agent),
        },
        Meta::none(),
    )
}

/// The version in its parts; what follows a dash is a pre-release.
fn version() -> serde_json::Value {
    let text = env!("CARGO_PKG_VERSION");
    let (version, before) = text.split_once('-').unwrap_or((text, ""));
    serde_json::json!({
        "BuildDate": null, "Revision": "", "Version": version, "VersionMetadata": "", "VersionPrerelease": before,
    })
}

pub(super) fn servers(agent: &AgentOps) -> Answered {
    if !agent.has_node {
        return Err(ApiError::wrong_role());
    }
    Answer::json(&agent.servers(), Meta::none())
}

pub(super) async fn set_servers(agent: &AgentOps, request: &ApiRequest) -> Answered {
    if !agent.has_node {
        return Err(ApiError::wrong_role());
    }
    let addresses: Vec<&str> = request
        .query
        .all("address")
        .filter(|address| !address.is_empty())
        .collect();
    if addresses.is_empty() {
        return Err(ApiError::bad_request("missing server address"));
    }
    let mut faults = String::new();
    let mut count = 0;
    let addresses = with_ports(&addresses);
    for address in &addresses {
        if let Err(why) = reach(address).await {
            count += 1;
            faults.push_str(&format!(
                "\t* Server at address {address} failed ping: rpc error: failed to get conn: {why}\n"
            ));
        }
    }
    if count > 0 {
        let plural = if count == 1 { "" } else { "s" };
        return Err(ApiError::bad_request(format!(
            "{count} error{plural} occurred:\n{faults}\n"
        )));
    }
    if let Some(upstream) = &agent.upstream {
        upstream.ask_these(addresses);
    }
    Ok(Answer::empty(Meta::none()))
}

/// Addresses of servers, each with a port.
fn with_ports(addresses: &[&str]) -> Vec<String> {
    let addresses = addresses
        .iter()
        .map(|address| (*address).to_owned())
        .collect();
    server_addresses([&addresses])
}

async fn reach(address: &str) -> Result<(), String> {
    match tokio::time::timeout(
        std::time::Duration::from_secs(5),
        tokio::net::TcpStream::connect(address),
    )
    .await
    {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(format!("dial tcp {address}: connect: connection refused"))
        }
        // A name that cannot be resolved has no kind of its own.
        Ok(Err(error)) if error.raw_os_error().is_none() => {
            let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
            Err(format!("dial tcp: lookup {host}: no such host"))
        }
        Ok(Err(error)) => Err(format!("dial tcp {address}: {error}")),
        Err(_) => Err(format!("dial tcp {address}: i/o timeout")),
    }
}

pub(super) async fn join(agent: &AgentOps, request: &ApiRequest) -> Answered {
    let side = agent.need_server()?;
    let addresses: Vec<&str> = request
        .query
        .all("address")
        .filter(|address| !address.is_empty())
        .collect();
    if addresses.is_empty() {
        return Err(ApiError::bad_request("missing address to join"));
    }
    let mut answer = AgentJoinResponse::default();
    let mut faults = String::new();
    for address in with_ports(&addresses) {
        let joined = match reach(&address).await {
            Ok(()) => side.circle.join(&side.server, &side.pool, &address).await,
            Err(why) => Err(why),
        };
        match joined {
            Ok(()) => answer.num_joined += 1,
            Err(why) => faults.push_str(&format!("\t* failed to join {address}: {why}\n")),
        }
    }
    if !faults.is_empty() {
        let count = faults.lines().count();
        let plural = if count == 1 { "" } else { "s" };
        answer.error = format!("{count} error{plural} occurred:\n{faults}\n");
    }
    if agent.config.settings.acl.enabled && request.token.as_deref().is_none_or(str::is_empty) {
        answer.warning = ANONYMOUS_JOIN.to_owned();
    }
    Answer::json(&answer, Meta::none())
}

pub(super) fn force_leave(agent: &AgentOps, request: &ApiRequest) -> Answered {
    let side = agent.need_server()?;
    let Some(name) = request.query.text("node") else {
        return Err(ApiError::bad_request("missing node to force leave"));
    };
    let prune = request
        .query
        .flag("prune")
        .map_err(|_| ApiError::bad_request("invalid prune value"))?;
    side.circle.force_leave(name);
    if prune {
        side.circle.prune(name);
    }
    Ok(Answer::empty(Meta::none()))
}
