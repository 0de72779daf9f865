//! `node identity` and `node intro`: who a node is, and how a new one introduces itself.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::text;
use crate::json::{Fields, plain, sorted};
use crate::resolve::long_enough;
use crate::table::pairs;
use caravan_sdk::Query;
use serde_json::{Value, json};

pub(super) const GET: Command = Command {
    name: "node identity get",
    args: "[options] <node>",
    synopsis: "Read the claims of a node's identity",
    about: "Reads the claims of the identity that a node uses.",
    flags: &[JSON, TEMPLATE],
    run: get,
    ..COMMAND
};

pub(super) const RENEW: Command = Command {
    name: "node identity renew",
    args: "[options] <node>",
    synopsis: "Force renewal of a node's identity",
    about: "Makes a node ask for a new identity at its next heartbeat.",
    run: renew,
    ..COMMAND
};

pub(super) const INTRO: Command = Command {
    name: "node intro create",
    synopsis: "Create a token that introduces a new node",
    about: "Creates a token with which a new client agent introduces itself to the servers.",
    flags: &[
        text("ttl", "duration", "How long the token is valid."),
        text("node-name", "name", "Only for a node of this name."),
        text("node-pool", "pool", "Only for a node of this pool."),
        JSON,
        TEMPLATE,
    ],
    run: intro,
    ..COMMAND
};

fn get(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<node_id>")?;
    long_enough(&prefix)?;
    let api = context.api()?;
    let id = context.node_id(
        &api,
        &prefix,
        "prefix or id",
        "Error retrieving node identity",
    )?;
    let answer = api
        .get("/v1/client/identity", Query::new().with("node_id", id))
        .doing("Error retrieving node identity")?;
    if !context.data_if_wanted(&answer, "*api.NodeIdentityGetResponse")? {
        let rows: Vec<(&str, String)> = sorted(answer.at("Claims"))
            .into_iter()
            .map(|(key, value)| (key, whole(value)))
            .collect();
        context.ui.out(&pairs(&rows));
    }
    Ok(0)
}

/// A claim as it reads; times are whole numbers, however they are written.
fn whole(claim: &Value) -> String {
    match claim.as_f64() {
        Some(number) if number.fract() == 0.0 => format!("{number:.0}"),
        _ => plain(claim),
    }
}

fn renew(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<node_id>")?;
    long_enough(&prefix)?;
    let api = context.api()?;
    let id = context.node_id(
        &api,
        &prefix,
        "prefix or id",
        "Error requesting node identity renewal",
    )?;
    let query = Query::new().with("node_id", id.as_str());
    api.put("/v1/client/identity/renew", query, &json!({"NodeID": id}))
        .doing("Error requesting node identity renewal")?;
    Ok(0)
}

fn intro(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let body = json!({
        "TTL": context.given.text("ttl"),
        "NodeName": context.given.text("node-name"),
        "NodePool": context.given.text("node-pool"),
    });
    let answer = api
        .put(
            "/v1/acl/identity/client-introduction-token",
            Query::new(),
            &body,
        )
        .doing("Error generating introduction token")?;
    if !context.data_if_wanted(&answer, "*api.ACLIdentityClientIntroductionTokenResponse")? {
        context.ui.out(&format!(
            "Successfully generated client introduction token:\n\n{}",
            answer.str("JWT")
        ));
    }
    Ok(0)
}
