//! `scaling policy list|info`: what may be scaled, and how far.

use crate::command::{COMMAND, Command, JSON, TEMPLATE, VERBOSE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::text;
use crate::format::id;
use crate::json::{Fields, list, plain, pretty_sorted};
use crate::resolve::even;
use crate::table::{columns, pairs};
use caravan_sdk::Query;
use serde_json::Value;

pub(super) const LIST: Command = Command {
    name: "scaling policy list",
    synopsis: "Display all Nomad scaling policies",
    about: "List is used to list the currently configured scaling policies.",
    flags: &[
        text("job", "job", "Only of this job."),
        text("type", "type", "Only of this type."),
        JSON,
        TEMPLATE,
        VERBOSE,
    ],
    run: all,
    ..COMMAND
};

pub(super) const INFO: Command = Command {
    name: "scaling policy info",
    args: "[options] <policy_id>",
    synopsis: "Display an individual Nomad scaling policy",
    about: "Info is used to return detailed information on the specified scaling policy.",
    flags: &[JSON, TEMPLATE, VERBOSE],
    run: info,
    ..COMMAND
};

fn target(policy: &Value) -> String {
    let target = policy.at("Target");
    let parts = ["Namespace", "Job", "Group", "Task"]
        .into_iter()
        .filter(|name| !target.str(name).is_empty())
        .map(|name| format!("{name}:{}", target.str(name)));
    parts.collect::<Vec<_>>().join(",")
}

fn table(policies: &[Value], verbose: bool) -> String {
    let mut rows = vec![row!["ID", "Enabled", "Type", "Target"]];
    rows.extend(policies.iter().map(|one| {
        row![
            id(one.str("ID"), verbose),
            one.yes("Enabled"),
            one.str("Type"),
            target(one)
        ]
    }));
    columns(&rows)
}

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let query = Query::new()
        .with_some("job", context.given.text("job"))
        .with_some("type", context.given.text("type"));
    let found = api
        .get("/v1/scaling/policies", query)
        .doing("Error listing scaling policies")?;
    if context.data_if_wanted(&found, "[]*api.ScalingPolicyListStub")? {
        return Ok(0);
    }
    let mut policies = list(&found).to_vec();
    policies.sort_by(|a, b| a.str("ID").cmp(b.str("ID")));
    let text = match policies.is_empty() {
        true => "No policies found".to_owned(),
        false => table(&policies, context.verbose()),
    };
    context.ui.out(&text);
    Ok(0)
}

fn info(context: &mut Context) -> Outcome {
    let prefix = context.one_arg("<policy_id>")?;
    let api = context.api()?;
    const DOING: &str = "Error querying scaling policy";
    let found = api
        .get(
            "/v1/scaling/policies",
            Query::new().with("prefix", even(&prefix)),
        )
        .doing(DOING)?;
    let one = match list(&found) {
        [] => {
            return Err(
                format!("{DOING}: no scaling policies with prefix or ID {prefix:?} found").into(),
            );
        }
        [one] => one,
        many => {
            let table = table(many, context.verbose());
            return Err(format!("Prefix matched multiple scaling policies\n\n{table}").into());
        }
    };
    let policy = api
        .get(
            &format!("/v1/scaling/policy/{}", one.str("ID")),
            Query::new(),
        )
        .doing(DOING)?;
    if context.data_if_wanted(&policy, "*api.ScalingPolicy")? {
        return Ok(0);
    }
    let head = pairs(&[
        ("ID", context.id(policy.str("ID"))),
        ("Enabled", policy.yes("Enabled").to_string()),
        ("Target", target(&policy)),
        ("Min", plain(policy.at("Min"))),
        ("Max", plain(policy.at("Max"))),
    ]);
    let body = match policy.members("Policy").is_empty() {
        true => "<empty>".to_owned(),
        false => pretty_sorted(policy.at("Policy")),
    };
    context.ui.out(&format!("{head}\n\nPolicy:\n{body}"));
    Ok(0)
}
