//! `acl binding-rule`: what those who sign in may do.

use crate::api::Api;
use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{Flag, switch, text};
use crate::format::{go_time, nanos};
use crate::json::{Fields, list};
use crate::table::{columns, pairs};
use caravan_sdk::{Query, escape_path};
use serde_json::{Value, json};

const BIND_TYPE: Flag = text("bind-type", "role|policy|management", "What is given.");
const BIND_NAME: Flag = text("bind-name", "name", "The name of what is given.");
const SELECTOR: Flag = text("selector", "expression", "To whom.");
const DESCRIPTION: Flag = text("description", "text", "What the rule is for.");

pub(super) const CREATE: Command = Command {
    name: "acl binding-rule create",
    synopsis: "Create a new ACL binding rule",
    about: "Create is used to create new ACL binding rules. Use requires a management token.",
    flags: &[
        text(
            "auth-method",
            "name",
            "The auth method that the rule is for.",
        ),
        BIND_TYPE,
        BIND_NAME,
        SELECTOR,
        DESCRIPTION,
        JSON,
        TEMPLATE,
    ],
    run: create,
    ..COMMAND
};

pub(super) const UPDATE: Command = Command {
    name: "acl binding-rule update",
    args: "[options] <acl_binding_rule_id>",
    synopsis: "Update an existing ACL binding rule",
    about: "Update is used to update an existing ACL binding rule. Use requires a management token.",
    flags: &[
        BIND_TYPE,
        BIND_NAME,
        SELECTOR,
        DESCRIPTION,
        switch("no-merge", "Replace the rule by what the flags say."),
        JSON,
        TEMPLATE,
    ],
    run: update,
    ..COMMAND
};

pub(super) const DELETE: Command = Command {
    name: "acl binding-rule delete",
    args: "<acl_binding_rule_id>",
    synopsis: "Delete an existing ACL binding rule",
    about: "Delete is used to delete an existing ACL binding rule. Use requires a management token.",
    run: delete,
    ..COMMAND
};

pub(super) const INFO: Command = Command {
    name: "acl binding-rule info",
    args: "[options] <acl_binding_rule_id>",
    synopsis: "Fetch information on an existing ACL binding rule",
    about: "Info is used to fetch information on an existing ACL binding rule.",
    flags: &[JSON, TEMPLATE],
    run: info,
    ..COMMAND
};

pub(super) const LIST: Command = Command {
    name: "acl binding-rule list",
    synopsis: "List ACL binding rules",
    about: "List is used to list existing ACL binding rules. Requires a management token.",
    flags: &[JSON, TEMPLATE],
    run: all,
    ..COMMAND
};

const MEMBERS: [(&str, &str); 4] = [
    ("bind-type", "BindType"),
    ("bind-name", "BindName"),
    ("selector", "Selector"),
    ("description", "Description"),
];

fn show(context: &mut Context, rule: &Value) -> Outcome {
    if context.data_if_wanted(rule, "*api.ACLBindingRule")? {
        return Ok(0);
    }
    let when = |name: &str| go_time(nanos(rule.at(name)));
    context.ui.out(&pairs(&[
        ("ID", rule.str("ID").to_owned()),
        ("Description", rule.str("Description").to_owned()),
        ("Auth Method", rule.str("AuthMethod").to_owned()),
        ("Selector", rule.str("Selector").to_owned()),
        ("Bind Type", rule.str("BindType").to_owned()),
        ("Bind Name", rule.str("BindName").to_owned()),
        ("Create Time", when("CreateTime")),
        ("Modify Time", when("ModifyTime")),
        ("Create Index", rule.int("CreateIndex").to_string()),
        ("Modify Index", rule.int("ModifyIndex").to_string()),
    ]));
    Ok(0)
}

fn create(context: &mut Context) -> Outcome {
    context.no_args()?;
    let given = &context.given;
    if given.text("auth-method").is_empty() {
        return Err(
            "ACL binding rule auth method must be specified using the -auth-method flag".into(),
        );
    }
    if given.text("bind-type").is_empty() {
        return Err(
            "ACL binding rule bind type must be specified using the -bind-type flag".into(),
        );
    }
    let mut rule = json!({"AuthMethod": given.text("auth-method")});
    for (flag, member) in MEMBERS {
        rule[member] = json!(given.text(flag));
    }
    let api = context.api()?;
    let created = api
        .put("/v1/acl/binding-rule", Query::new(), &rule)
        .doing("Error creating ACL binding rule")?;
    show(context, &created)
}

/// The rule with an id, or with the only id that begins like this.
fn find(api: &Api, prefix: &str, doing: &str) -> Result<Value, Failure> {
    let all = match prefix.len() {
        36 => Value::Null,
        _ => api
            .get("/v1/acl/binding-rules", Query::new())
            .doing(doing)?,
    };
    let mut fitting = list(&all)
        .iter()
        .map(|rule| rule.str("ID"))
        .filter(|id| id.starts_with(prefix));
    let id = match (fitting.next(), fitting.next()) {
        (Some(id), None) => id,
        _ => prefix,
    };
    api.get(
        &format!("/v1/acl/binding-rule/{}", escape_path(id)),
        Query::new(),
    )
    .doing(doing)
}

fn update(context: &mut Context) -> Outcome {
    let id = context.one_arg("<acl_binding_rule_id>")?;
    let api = context.api()?;
    let mut rule = find(&api, &id, "Error when retrieving ACL binding rule")?;
    if !context.given.on("no-merge") {
        let flags = MEMBERS.map(|(flag, _)| flag);
        super::something_to_change(context, &flags, "binding rule")?;
    } else if context.given.text("bind-type").is_empty() {
        return Err(
            "ACL binding rule bind type must be specified using the -bind-type flag".into(),
        );
    }
    for (flag, member) in MEMBERS {
        if context.given.is_set(flag) || context.given.on("no-merge") {
            rule[member] = json!(context.given.text(flag));
        }
    }
    let path = format!("/v1/acl/binding-rule/{}", rule.str("ID"));
    let updated = api
        .put(&path, Query::new(), &rule)
        .doing("Error updating ACL binding rule")?;
    show(context, &updated)
}

fn delete(context: &mut Context) -> Outcome {
    let id = context.one_arg("<acl_binding_rule_id>")?;
    let api = context.api()?;
    api.delete(
        &format!("/v1/acl/binding-rule/{}", escape_path(&id)),
        Query::new(),
    )
    .doing("Error deleting ACL binding rule")?;
    context
        .ui
        .out(&format!("ACL binding rule {id} successfully deleted"));
    Ok(0)
}

fn info(context: &mut Context) -> Outcome {
    let id = context.one_arg("<acl_binding_rule_id>")?;
    let api = context.api()?;
    let rule = find(&api, &id, "Error reading ACL binding rule")?;
    show(context, &rule)
}

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let found = api
        .get("/v1/acl/binding-rules", Query::new())
        .doing("Error listing ACL binding rules")?;
    if context.data_if_wanted(&found, "[]*api.ACLBindingRuleListStub")? {
        return Ok(0);
    }
    let text = match list(&found) {
        [] => "No ACL binding rules found".to_owned(),
        rules => {
            let mut rows = vec![row!["ID", "Description", "Auth Method"]];
            rows.extend(
                rules
                    .iter()
                    .map(|one| row![one.str("ID"), one.str("Description"), one.str("AuthMethod")]),
            );
            columns(&rows)
        }
    };
    context.ui.out(&text);
    Ok(0)
}
