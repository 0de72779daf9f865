//! `acl token`: who may ask.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Outcome};
use crate::flags::{Flag, list as several, switch, text, text_or};
use crate::format::{go_time, nanos, now};
use crate::hostfiles::read_or_stdin;
use crate::json::{Fields, list};
use crate::table::{columns, pairs};
use crate::ui::Ui;
use caravan_sdk::{Query, escape_path};
use serde_json::{Value, json};

const NAME: Flag = text("name", "name", "A name for people.");
const POLICY: Flag = several("policy", "name", "A policy of the token. May be repeated.");
const ROLE_NAME: Flag = several("role-name", "name", "A role of the token. May be repeated.");
const ROLE_ID: Flag = several("role-id", "id", "A role of the token. May be repeated.");
const GLOBAL: Flag = switch("global", "Valid in all regions.");

pub(super) const CREATE: Command = Command {
    name: "acl token create",
    args: "[options] [<path>]",
    synopsis: "Create a new ACL token",
    about: "Create is used to issue new ACL tokens. Requires a management token.",
    flags: &[
        NAME,
        text_or("type", "client", "client|management", "The kind of token."),
        POLICY,
        ROLE_NAME,
        ROLE_ID,
        GLOBAL,
        text("ttl", "duration", "How long the token is valid."),
        text(
            "accessor",
            "uuid",
            "With a secret of one's own, its accessor.",
        ),
        JSON,
        TEMPLATE,
    ],
    run: create,
    ..COMMAND
};

pub(super) const UPDATE: Command = Command {
    name: "acl token update",
    args: "[options] <token_accessor_id>",
    synopsis: "Update an existing ACL token",
    about: "Update is used to update an existing ACL token. Requires a management token.",
    flags: &[
        NAME,
        text("type", "client|management", "The kind of token."),
        POLICY,
        ROLE_NAME,
        ROLE_ID,
        GLOBAL,
    ],
    run: update,
    ..COMMAND
};

pub(super) const DELETE: Command = Command {
    name: "acl token delete",
    args: "[options] <token_accessor_id>",
    synopsis: "Delete an existing ACL token",
    about: "Delete is used to delete an existing ACL token. Requires a management token.",
    run: delete,
    ..COMMAND
};

pub(super) const INFO: Command = Command {
    name: "acl token info",
    args: "[options] <token_accessor_id>",
    synopsis: "Fetch information on an existing ACL token",
    about: "Info is used to fetch information on an existing ACL tokens. Requires a management token.",
    flags: &[JSON, TEMPLATE],
    run: info,
    ..COMMAND
};

pub(super) const LIST: Command = Command {
    name: "acl token list",
    synopsis: "List ACL tokens",
    about: "List is used to list existing ACL tokens. Requires a management token.",
    flags: &[JSON, TEMPLATE],
    run: all,
    ..COMMAND
};

pub(super) const SELF: Command = Command {
    name: "acl token self",
    synopsis: "Lookup self ACL token",
    about: "Self is used to fetch information about the currently set ACL token.",
    flags: &[JSON, TEMPLATE],
    run: own,
    ..COMMAND
};

/// A token as people read it.
pub(crate) fn token_text(ui: &Ui, token: &Value) -> String {
    let management = token.str("Type") == "management";
    let when = |name: &str| match nanos(token.at(name)) {
        0 => String::new(),
        at => go_time(at),
    };
    let mut rows = vec![
        ("Accessor ID", token.str("AccessorID").to_owned()),
        ("Secret ID", token.str("SecretID").to_owned()),
        ("Name", token.str("Name").to_owned()),
        ("Type", token.str("Type").to_owned()),
        ("Global", token.yes("Global").to_string()),
        ("Create Time", when("CreateTime")),
        ("Expiry Time", when("ExpirationTime")),
        ("Create Index", token.int("CreateIndex").to_string()),
        ("Modify Index", token.int("ModifyIndex").to_string()),
    ];
    if management {
        rows.push(("Policies", "n/a".to_owned()));
        rows.push(("Roles", "n/a".to_owned()));
        return pairs(&rows);
    }
    rows.push((
        "Policies",
        format!("[{}]", token.strs("Policies").join(" ")),
    ));
    let roles = match token.items("Roles") {
        [] => "<none>".to_owned(),
        roles => {
            let mut rows = vec![row!["ID", "Name"]];
            rows.extend(
                roles
                    .iter()
                    .map(|role| row![role.str("ID"), role.str("Name")]),
            );
            columns(&rows)
        }
    };
    format!("{}\n\n{}\n{roles}", pairs(&rows), ui.bold("Roles"))
}

/// The roles that flags name.
fn roles(context: &Context) -> Vec<Value> {
    let names = context
        .given
        .list("role-name")
        .iter()
        .map(|name| json!({"Name": name}));
    let ids = context
        .given
        .list("role-id")
        .iter()
        .map(|id| json!({"ID": id}));
    names.chain(ids).collect()
}

fn show(context: &mut Context, token: &Value) -> Outcome {
    if !context.data_if_wanted(token, "*api.ACLToken")? {
        let text = token_text(&context.ui, token);
        context.ui.out(&text);
    }
    Ok(0)
}

fn create(context: &mut Context) -> Outcome {
    context.expect_args(0..=1, "This command takes no arguments or one: <path>")?;
    let given = &context.given;
    let mut token = json!({
        "Name": given.text("name"),
        "Type": given.text("type"),
        "Policies": given.list("policy"),
        "Roles": roles(context),
        "Global": given.on("global"),
    });
    if given.is_set("ttl") {
        let text = given.text("ttl");
        let ttl: caravan_model::Duration = text.parse().map_err(|_| {
            format!("Failed to parse TTL as time duration: time: invalid duration {text:?}")
        })?;
        token["ExpirationTTL"] = json!(ttl.to_string());
    }
    if !given.arg(0).is_empty() {
        let secret = read_or_stdin(given.arg(0))
            .map_err(|error| format!("Error reading provided token file: {error}"))?;
        token["SecretID"] = json!(String::from_utf8_lossy(&secret).trim());
        token["AccessorID"] = json!(given.text("accessor"));
    }
    let api = context.api()?;
    let created = api
        .put("/v1/acl/token", Query::new(), &token)
        .doing("Error creating token")?;
    show(context, &created)
}

fn update(context: &mut Context) -> Outcome {
    let accessor = context.one_arg("<token_accessor_id>")?;
    let api = context.api()?;
    let path = format!("/v1/acl/token/{}", escape_path(&accessor));
    let mut token = api.get(&path, Query::new()).doing("Error fetching token")?;
    let given = &context.given;
    for (flag, member) in [("name", "Name"), ("type", "Type")] {
        if given.is_set(flag) {
            token[member] = json!(given.text(flag));
        }
    }
    if given.is_set("global") {
        token["Global"] = json!(given.on("global"));
    }
    if given.is_set("policy") {
        token["Policies"] = json!(given.list("policy"));
    }
    if given.is_set("role-name") || given.is_set("role-id") {
        token["Roles"] = json!(roles(context));
    }
    let updated = api
        .put(&path, Query::new(), &token)
        .doing("Error updating token")?;
    show(context, &updated)
}

fn delete(context: &mut Context) -> Outcome {
    let accessor = context.one_arg("<token_accessor_id>")?;
    let api = context.api()?;
    api.delete(
        &format!("/v1/acl/token/{}", escape_path(&accessor)),
        Query::new(),
    )
    .doing("Error deleting token")?;
    context
        .ui
        .out(&format!("Token {accessor} successfully deleted"));
    Ok(0)
}

fn info(context: &mut Context) -> Outcome {
    let accessor = context.one_arg("<token_accessor_id>")?;
    let api = context.api()?;
    let token = api
        .get(
            &format!("/v1/acl/token/{}", escape_path(&accessor)),
            Query::new(),
        )
        .doing("Error fetching token")?;
    show(context, &token)
}

fn own(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let token = api
        .get("/v1/acl/token/self", Query::new())
        .doing("Error fetching self token")?;
    show(context, &token)
}

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let found = api
        .get("/v1/acl/tokens", Query::new())
        .doing("Error listing ACL tokens")?;
    if context.data_if_wanted(&found, "[]*api.ACLTokenListStub")? {
        return Ok(0);
    }
    let text = match list(&found) {
        [] => "No tokens found".to_owned(),
        tokens => {
            let mut rows = vec![row!["Name", "Type", "Global", "Accessor ID", "Expired"]];
            rows.extend(tokens.iter().map(|one| {
                let until = nanos(one.at("ExpirationTime"));
                row![
                    one.str("Name"),
                    one.str("Type"),
                    one.yes("Global"),
                    one.str("AccessorID"),
                    until != 0 && until < now()
                ]
            }));
            columns(&rows)
        }
    };
    context.ui.out(&text);
    Ok(0)
}
