//! Whom a capture looks at more closely.

use crate::api::Api;
use crate::context::Context;
use crate::failure::{Doing, Failure};
use crate::json::{Fields, list};
use caravan_sdk::Query;
use serde_json::Value;

/// Chosen servers, by name, and nodes, by id.
pub(super) struct Targets {
    pub(super) servers: Vec<String>,
    pub(super) all_servers: usize,
    pub(super) nodes: Vec<String>,
    pub(super) all_nodes: usize,
}

impl Targets {
    /// Those that the flags name.
    pub(super) fn find(context: &Context, api: &Api) -> Result<Self, Failure> {
        let given = &context.given;
        let members = api.get("/v1/agent/members", Query::new());
        let members = members.doing("Failed to retrieve server list; err")?;
        let leader = match given.text("server-id") {
            "leader" => api
                .get("/v1/status/leader", Query::new())
                .doing("Failed to retrieve the leader; err")?,
            _ => Value::Null,
        };
        let leader = leader.as_str().unwrap_or_default();
        let servers = servers(members.items("Members"), given.text("server-id"), leader)?;
        let nodes = api.get("/v1/nodes", Query::new());
        let all = nodes.doing("Failed to retrieve node list; err")?;
        let most = usize::try_from(given.int("max-nodes")).unwrap_or_default();
        let nodes = nodes_of(
            list(&all),
            given.text("node-id"),
            given.text("node-class"),
            most,
        )?;
        Ok(Self {
            servers,
            all_servers: members.items("Members").len(),
            nodes,
            all_nodes: list(&all).len(),
        })
    }
}

/// The names with commas between, without what is empty.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

fn servers(members: &[Value], wanted: &str, leader: &str) -> Result<Vec<String>, Failure> {
    let name = |member: &Value| member.str("Name").to_owned();
    if wanted == "all" {
        return Ok(members.iter().map(name).collect());
    }
    let leads = |member: &&Value| {
        let tags = member.at("Tags");
        let address = match tags.str("rpc_addr") {
            "" => member.str("Addr"),
            address => address,
        };
        format!("{address}:{}", tags.str("port")) == leader
    };
    let mut chosen = Vec::new();
    for one in names(wanted) {
        let found = match one {
            "leader" => members.iter().find(leads),
            _ => members.iter().find(|member| member.str("Name") == one),
        };
        let found = found.ok_or_else(|| format!("Failed to find server {one:?}"))?;
        chosen.push(name(found));
    }
    Ok(chosen)
}

fn nodes_of(
    nodes: &[Value],
    wanted: &str,
    class: &str,
    most: usize,
) -> Result<Vec<String>, Failure> {
    let most = if most == 0 { usize::MAX } else { most };
    let of_class = |node: &&Value| class.is_empty() || node.str("NodeClass") == class;
    let mut chosen: Vec<String> = Vec::new();
    let mut choose = |node: &Value| {
        let id = node.str("ID").to_owned();
        if chosen.len() < most && !chosen.contains(&id) {
            chosen.push(id);
        }
    };
    if wanted == "all" {
        nodes.iter().filter(of_class).for_each(choose);
        return Ok(chosen);
    }
    for prefix in names(wanted) {
        let mut found = nodes
            .iter()
            .filter(|node| node.str("ID").starts_with(prefix));
        let first = found.next();
        first.ok_or_else(|| format!("No node(s) with prefix \"{prefix}\" found"))?;
        first
            .into_iter()
            .chain(found)
            .filter(of_class)
            .for_each(&mut choose);
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn servers_are_chosen_by_name_or_for_leading() {
        let members = [
            json!({"Name": "a.global", "Addr": "10.0.0.1", "Tags": {"rpc_addr": "10.0.0.1", "port": "4647"}}),
            json!({"Name": "b.global", "Addr": "10.0.0.2", "Tags": {"rpc_addr": "10.0.0.2", "port": "4647"}}),
        ];
        let chosen =
            |wanted: &str| servers(&members, wanted, "10.0.0.2:4647").map_err(|e| e.message);
        assert_eq!(chosen("all").unwrap(), ["a.global", "b.global"]);
        assert_eq!(chosen("leader").unwrap(), ["b.global"]);
        assert_eq!(chosen("a.global, b.global").unwrap().len(), 2);
        assert_eq!(chosen("").unwrap(), Vec::<String>::new());
        assert_eq!(chosen("c").unwrap_err(), "Failed to find server \"c\"");
    }

    #[test]
    fn nodes_are_chosen_by_the_beginning_of_their_id_and_by_class() {
        let nodes = [
            json!({"ID": "aa11", "NodeClass": "big"}),
            json!({"ID": "aa22", "NodeClass": ""}),
            json!({"ID": "bb33", "NodeClass": "big"}),
        ];
        let chosen = |wanted: &str, class: &str, most| nodes_of(&nodes, wanted, class, most);
        assert_eq!(chosen("all", "", 2).unwrap(), ["aa11", "aa22"]);
        assert_eq!(chosen("all", "big", 0).unwrap(), ["aa11", "bb33"]);
        assert_eq!(chosen("aa,bb33", "", 10).unwrap().len(), 3);
        assert!(chosen("cc", "", 10).is_err());
    }
}
