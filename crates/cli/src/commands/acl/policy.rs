//! `acl policy`: what tokens may do.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::text;
use crate::hostfiles::read_or_stdin;
use crate::json::{Fields, list};
use crate::table::{columns, pairs};
use caravan_sdk::{Query, escape_path};
use serde_json::json;

pub(super) const APPLY: Command = Command {
    name: "acl policy apply",
    args: "[options] <name> <path>",
    synopsis: "Create or update an ACL policy",
    about: "Apply is used to create or update an ACL policy. The policy is sourced from <path> or from stdin if path is \"-\". With -job it is given to the workloads of that job.",
    flags: &[
        text("description", "text", "What the policy is for."),
        text(
            "job",
            "job",
            "Give the policy to this job's workloads; needs -namespace.",
        ),
        text("group", "group", "Only to this group of the job."),
        text("task", "task", "Only to this task of the group."),
    ],
    run: apply,
    ..COMMAND
};

pub(super) const DELETE: Command = Command {
    name: "acl policy delete",
    args: "[options] <name>",
    synopsis: "Delete an existing ACL policy",
    about: "Delete is used to delete an existing ACL policy.",
    run: delete,
    ..COMMAND
};

pub(super) const INFO: Command = Command {
    name: "acl policy info",
    args: "[options] <name>",
    synopsis: "Fetch info on an existing ACL policy",
    about: "Info is used to fetch information on an existing ACL policy.",
    run: info,
    ..COMMAND
};

pub(super) const LIST: Command = Command {
    name: "acl policy list",
    synopsis: "List ACL policies",
    about: "List is used to list available ACL policies.",
    flags: &[JSON, TEMPLATE],
    run: all,
    ..COMMAND
};

pub(super) const SELF: Command = Command {
    name: "acl policy self",
    synopsis: "Lookup self ACL policy assigned to the workload identity or ACL token",
    about: "Self is used to fetch information about the policies assigned to the current token.",
    flags: &[JSON, TEMPLATE],
    run: own,
    ..COMMAND
};

fn apply(context: &mut Context) -> Outcome {
    context.expect_args(2..=2, "This command takes two arguments: <name> <path>")?;
    let given = &context.given;
    let (name, path) = (given.arg(0).to_owned(), given.arg(1).to_owned());
    let rules = read_or_stdin(&path).map_err(|error| format!("Failed to read file: {error}"))?;
    let (job, group, task) = (given.text("job"), given.text("group"), given.text("task"));
    if job.is_empty() && (!group.is_empty() || !task.is_empty()) {
        return Err("-job is required if -group or -task is set".into());
    }
    if group.is_empty() && !task.is_empty() {
        return Err("-group is required if -task is set".into());
    }
    let namespace = context.config().namespace;
    if !job.is_empty() && namespace.is_empty() {
        return Err("-namespace is required if -job is set".into());
    }
    let mut policy = json!({
        "Name": name,
        "Description": given.text("description"),
        "Rules": String::from_utf8_lossy(&rules),
    });
    if !job.is_empty() {
        policy["JobACL"] =
            json!({"Namespace": namespace, "JobID": job, "Group": group, "Task": task});
    }
    let api = context.api()?;
    api.put(
        &format!("/v1/acl/policy/{}", escape_path(&name)),
        Query::new(),
        &policy,
    )
    .doing("Error writing ACL policy")?;
    context
        .ui
        .out(&format!("Successfully wrote {name:?} ACL policy!"));
    Ok(0)
}

fn delete(context: &mut Context) -> Outcome {
    let name = context.one_arg("<name>")?;
    let api = context.api()?;
    api.delete(
        &format!("/v1/acl/policy/{}", escape_path(&name)),
        Query::new(),
    )
    .doing("Error deleting ACL policy")?;
    context
        .ui
        .out(&format!("Successfully deleted {name} policy!"));
    Ok(0)
}

fn info(context: &mut Context) -> Outcome {
    let name = context.one_arg("<name>")?;
    let api = context.api()?;
    let policy = api
        .get(
            &format!("/v1/acl/policy/{}", escape_path(&name)),
            Query::new(),
        )
        .doing("Error fetching info on ACL policy")?;
    let mut text = pairs(&[
        ("Name", policy.str("Name").to_owned()),
        ("Description", policy.str("Description").to_owned()),
        ("CreateIndex", policy.int("CreateIndex").to_string()),
        ("ModifyIndex", policy.int("ModifyIndex").to_string()),
    ]);
    let workload = policy.at("JobACL");
    if !workload.is_null() {
        let rows = pairs(&[
            ("Namespace", workload.str("Namespace")),
            ("JobID", workload.str("JobID")),
            ("Group", workload.str("Group")),
            ("Task", workload.str("Task")),
        ]);
        text += &format!("\n\n{}\n{rows}", context.ui.bold("Associated Workload"));
    }
    text += &format!(
        "\n\n{}\n\n{}",
        context.ui.bold("Rules"),
        policy.str("Rules")
    );
    context.ui.out(&text);
    Ok(0)
}

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let found = api
        .get("/v1/acl/policies", Query::new())
        .doing("Error listing ACL policies")?;
    if context.data_if_wanted(&found, "[]*api.ACLPolicyListStub")? {
        return Ok(0);
    }
    let text = match list(&found) {
        [] => "No policies found".to_owned(),
        policies => {
            let mut rows = vec![row!["Name", "Description"]];
            rows.extend(
                policies
                    .iter()
                    .map(|one| row![one.str("Name"), one.str("Description")]),
            );
            columns(&rows)
        }
    };
    context.ui.out(&text);
    Ok(0)
}

fn own(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let answer = api
        .get("/v1/acl/policy/self", Query::new())
        .doing("Error fetching WI policies")?;
    let policies = if answer.is_array() {
        &answer
    } else {
        answer.at("Policies")
    };
    if context.data_if_wanted(policies, "[]*api.ACLPolicyListStub")? {
        return Ok(0);
    }
    if list(policies).is_empty() {
        context.ui.out("No policies found for this identity.");
        return Ok(0);
    }
    let mut rows = vec![row!["Name", "Job ID", "Group Name", "Task Name"]];
    for policy in list(policies) {
        let workload = policy.at("JobACL");
        let part = |name: &str| match workload.str(name) {
            "" => "<unavailable>".to_owned(),
            text => text.to_owned(),
        };
        rows.push(row![
            policy.str("Name"),
            part("JobID"),
            part("Group"),
            part("Task")
        ]);
    }
    context.ui.out(&columns(&rows));
    Ok(0)
}
