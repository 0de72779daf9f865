//! Servers.

use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE, UI, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::switch;
use crate::json::{Fields, plain};
use crate::table::columns_with;
use caravan_sdk::{Error, Query, Request, escape_path};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) const COMMANDS: &[&Command] = &[&MEMBERS, &JOIN, &FORCE_LEAVE];

const MEMBERS: Command = Command {
    name: "server members",
    synopsis: "Display a list of known servers and their status",
    about: "Display a list of the known servers and their status. Only Nomad servers are able to service this command.",
    flags: &[
        VERBOSE,
        switch("detailed", "The same as -verbose."),
        JSON,
        TEMPLATE,
        UI,
    ],
    run: members,
    ..COMMAND
};

const JOIN: Command = Command {
    name: "server join",
    args: "[options] <addr> [<addr>...]",
    synopsis: "Join server nodes together",
    about: "Joins the local server to one or more Nomad servers. Joining is only required for server nodes, and only needs to succeed against one or more of the provided addresses.",
    run: join,
    ..COMMAND
};

const FORCE_LEAVE: Command = Command {
    name: "server force-leave",
    args: "[options] <node>",
    synopsis: "Force a server into the 'left' state",
    about: "Forces an server to enter the \"left\" state. This can be used to eject nodes which have failed and will not rejoin the cluster.",
    flags: &[switch("prune", "Forget the server altogether.")],
    run: force_leave,
    ..COMMAND
};

fn members(context: &mut Context) -> Outcome {
    context.no_args()?;
    let wants_data = context.wants_data()?;
    let api = context.api()?;
    let answer = api
        .get("/v1/agent/members", Query::new())
        .doing("Error querying servers")?;
    let mut members = answer.items("Members").to_vec();
    if members.is_empty() {
        context.ui.out("Agent doesn't know about server members");
        return Ok(0);
    }
    members.sort_by(|a, b| a.str("Name").cmp(b.str("Name")));
    let leaders = leaders(&api, &members);
    if wants_data {
        let leaders = leaders.unwrap_or_default();
        for member in &mut members {
            let leads = is_leader(&leaders, member);
            member["Tags"]["Leader"] = json!(leads.to_string());
        }
        context.data(&Value::Array(members), "[]*api.AgentMember")?;
        return Ok(0);
    }
    let detailed = context.verbose() || context.given.on("detailed");
    let known = leaders.as_ref().cloned().unwrap_or_default();
    context.ui.out(&table(&members, &known, detailed));
    if let Err(error) = leaders {
        context.ui.out("");
        return Err(format!("Error determining leaders: {error}").into());
    }
    context.hint(&api, "View and manage Nomad servers", "/servers");
    Ok(0)
}

/// The leader's address by region.
fn leaders(api: &Api, members: &[Value]) -> Result<BTreeMap<String, String>, Error> {
    let mut leaders = BTreeMap::new();
    for member in members {
        let region = member.at("Tags").str("region").to_owned();
        if leaders.contains_key(&region) {
            continue;
        }
        let leader = api.get("/v1/status/leader", Query::new().region(&region))?;
        leaders.insert(region, plain(&leader));
    }
    Ok(leaders)
}

fn is_leader(leaders: &BTreeMap<String, String>, member: &Value) -> bool {
    let tags = member.at("Tags");
    let host = match tags.str("rpc_addr") {
        "" => member.str("Addr"),
        address => address,
    };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let own = format!("{host}:{}", plain(tags.at("port")));
    leaders.get(tags.str("region")) == Some(&own)
}

fn table(members: &[Value], leaders: &BTreeMap<String, String>, detailed: bool) -> String {
    let mut head = row!["Name", "Address", "Port", "Status", "Leader"];
    if detailed {
        head.push("Protocol".into());
    }
    head.extend(row!["Raft Version", "Build", "Datacenter", "Region"]);
    if detailed {
        head.push("Tags".into());
    }
    let mut rows = vec![head];
    for member in members {
        let tags = member.at("Tags");
        let mut row = row![
            member.str("Name"),
            member.str("Addr"),
            member.int("Port"),
            member.str("Status"),
            is_leader(leaders, member)
        ];
        if detailed {
            row.push(member.int("ProtocolCur").to_string());
        }
        row.extend(row![
            plain(tags.at("raft_vsn")),
            tags.str("build"),
            tags.str("dc"),
            tags.str("region")
        ]);
        if detailed {
            let all: Vec<String> = member
                .members("Tags")
                .into_iter()
                .map(|(key, value)| format!("{key}={}", plain(value)))
                .collect();
            row.push(all.join(","));
        }
        rows.push(row);
    }
    columns_with(&rows, "")
}

fn join(context: &mut Context) -> Outcome {
    if context.given.args.is_empty() {
        return Err(context.usage("One or more node addresses must be given as arguments"));
    }
    let api = context.api()?;
    let addresses: Vec<String> = context
        .given
        .args
        .iter()
        .map(|address| format!("address={}", escape_path(address)))
        .collect();
    let path = format!("/v1/agent/join?{}", addresses.join("&"));
    let request = Request::new(caravan_sdk::Method::PUT, path, Query::new());
    let answer = api.wait(async { api.client.send(request).await?.json::<Value>().await });
    let (answer, _) = answer.doing("Error joining")?;
    let joined = answer.int("num_joined");
    let error = answer.str("error");
    match (joined, error.is_empty()) {
        (0, _) => return Err(format!("Error joining: {error}").into()),
        (_, true) => context
            .ui
            .out(&format!("Joined {joined} servers successfully")),
        (_, false) => context.ui.warn(&format!(
            "Joined {joined} servers successfully but got warning: {error}"
        )),
    }
    Ok(0)
}

fn force_leave(context: &mut Context) -> Outcome {
    let node = context.one_arg("<node>")?;
    let api = context.api()?;
    let query = Query::new()
        .with("node", node)
        .flag("prune", context.given.on("prune"));
    api.put("/v1/agent/force-leave", query, &Value::Null)
        .doing("Error force-leaving server")?;
    Ok(0)
}
