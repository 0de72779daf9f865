//! `acl role`: sets of policies.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{Flag, Given, list as several, switch, text};
use crate::json::{Fields, list};
use crate::table::{columns, pairs};
use caravan_sdk::{Query, escape_path};
use serde_json::{Value, json};

const NAME: Flag = text("name", "name", "The role's name.");
const DESCRIPTION: Flag = text("description", "text", "What the role is for.");
const POLICY: Flag = several("policy", "name", "A policy of the role. May be repeated.");

pub(super) const CREATE: Command = Command {
    name: "acl role create",
    synopsis: "Create a new ACL role",
    about: "Create is used to create new ACL roles. Use requires a management token.",
    flags: &[NAME, DESCRIPTION, POLICY, JSON, TEMPLATE],
    run: create,
    ..COMMAND
};

pub(super) const UPDATE: Command = Command {
    name: "acl role update",
    args: "[options] <acl_role_id>",
    synopsis: "Update an existing ACL role",
    about: "Update is used to update an existing ACL role. Use requires a management token.",
    flags: &[
        NAME,
        DESCRIPTION,
        POLICY,
        switch("no-merge", "Replace the role by what the flags say."),
        JSON,
        TEMPLATE,
    ],
    run: update,
    ..COMMAND
};

pub(super) const DELETE: Command = Command {
    name: "acl role delete",
    args: "<acl_role_id>",
    synopsis: "Delete an existing ACL role",
    about: "Delete is used to delete an existing ACL role. Use requires a management token.",
    run: delete,
    ..COMMAND
};

pub(super) const INFO: Command = Command {
    name: "acl role info",
    args: "[options] <acl_role_id>",
    synopsis: "Fetch information on an existing ACL role",
    about: "Info is used to fetch information on an existing ACL role.",
    flags: &[switch("by-name", "The argument is a name."), JSON, TEMPLATE],
    run: info,
    ..COMMAND
};

pub(super) const LIST: Command = Command {
    name: "acl role list",
    synopsis: "List ACL roles",
    about: "List is used to list existing ACL roles.",
    flags: &[JSON, TEMPLATE],
    run: all,
    ..COMMAND
};

fn policies(role: &Value) -> String {
    let names: Vec<&str> = role
        .items("Policies")
        .iter()
        .map(|one| one.str("Name"))
        .collect();
    names.join(",")
}

fn show(context: &mut Context, role: &Value) -> Outcome {
    if !context.data_if_wanted(role, "*api.ACLRole")? {
        context.ui.out(&pairs(&[
            ("ID", role.str("ID").to_owned()),
            ("Name", role.str("Name").to_owned()),
            ("Description", role.str("Description").to_owned()),
            ("Policies", policies(role)),
            ("Create Index", role.int("CreateIndex").to_string()),
            ("Modify Index", role.int("ModifyIndex").to_string()),
        ]));
    }
    Ok(0)
}

fn links(context: &Context) -> Vec<Value> {
    let all = context.given.list("policy").iter();
    all.map(|name| json!({"Name": name})).collect()
}

/// Refuses a role without a name or without policies.
fn named_and_linked(given: &Given) -> Result<(), Failure> {
    if given.text("name").is_empty() {
        return Err("ACL role name must be specified using the -name flag".into());
    }
    if given.list("policy").is_empty() {
        return Err("At least one policy name must be specified using the -policy flag".into());
    }
    Ok(())
}

fn create(context: &mut Context) -> Outcome {
    context.no_args()?;
    let given = &context.given;
    named_and_linked(given)?;
    let role = json!({
        "Name": given.text("name"),
        "Description": given.text("description"),
        "Policies": links(context),
    });
    let api = context.api()?;
    let created = api
        .put("/v1/acl/role", Query::new(), &role)
        .doing("Error creating ACL role")?;
    show(context, &created)
}

fn update(context: &mut Context) -> Outcome {
    let id = context.one_arg("<acl_role_id>")?;
    let api = context.api()?;
    let path = format!("/v1/acl/role/{}", escape_path(&id));
    let mut role = api
        .get(&path, Query::new())
        .doing("Error when retrieving ACL role")?;
    let given = &context.given;
    let replace = given.on("no-merge");
    if replace {
        named_and_linked(given)?;
    } else {
        super::something_to_change(context, &["name", "description", "policy"], "role")?;
    }
    for (flag, member) in [("name", "Name"), ("description", "Description")] {
        if given.is_set(flag) || replace {
            role[member] = json!(given.text(flag));
        }
    }
    if given.is_set("policy") {
        let mut all = if replace {
            Vec::new()
        } else {
            role.items("Policies").to_vec()
        };
        for link in links(context) {
            if !all.contains(&link) {
                all.push(link);
            }
        }
        role["Policies"] = Value::Array(all);
    }
    let updated = api
        .put(&path, Query::new(), &role)
        .doing("Error updating ACL role")?;
    show(context, &updated)
}

fn delete(context: &mut Context) -> Outcome {
    let id = context.one_arg("<acl_role_id>")?;
    let api = context.api()?;
    api.delete(&format!("/v1/acl/role/{}", escape_path(&id)), Query::new())
        .doing("Error deleting ACL role")?;
    context
        .ui
        .out(&format!("ACL role {id} successfully deleted"));
    Ok(0)
}

fn info(context: &mut Context) -> Outcome {
    let id = context.one_arg("<acl_role_id>")?;
    let id = escape_path(&id);
    let path = match context.given.on("by-name") {
        true => format!("/v1/acl/role/name/{id}"),
        false => format!("/v1/acl/role/{id}"),
    };
    let api = context.api()?;
    let role = api
        .get(&path, Query::new())
        .doing("Error reading ACL role")?;
    show(context, &role)
}

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let found = api
        .get("/v1/acl/roles", Query::new())
        .doing("Error listing ACL roles")?;
    if context.data_if_wanted(&found, "[]*api.ACLRoleListStub")? {
        return Ok(0);
    }
    let text = match list(&found) {
        [] => "No ACL roles found".to_owned(),
        roles => {
            let mut rows = vec![row!["ID", "Name", "Description", "Policies"]];
            rows.extend(roles.iter().map(|one| {
                row![
                    one.str("ID"),
                    one.str("Name"),
                    one.str("Description"),
                    policies(one)
                ]
            }));
            columns(&rows)
        }
    };
    context.ui.out(&text);
    Ok(0)
}
