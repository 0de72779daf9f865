//! `acl auth-method`: how people and machines sign in.

use crate::command::{COMMAND, Command, JSON, TEMPLATE};
use crate::context::Context;
use crate::failure::{Doing, Failure, Outcome};
use crate::flags::{Flag, switch, text, time};
use crate::hostfiles::read_or_stdin;
use crate::json::{Fields, list};
use crate::table::{columns, pairs};
use caravan_sdk::{Query, escape_path};
use serde_json::{Value, json};

const FLAGS: [Flag; 6] = [
    text("type", "JWT|OIDC", "The kind of method."),
    text(
        "token-locality",
        "local|global",
        "Where its tokens are valid.",
    ),
    text("token-name-format", "format", "How its tokens are named."),
    time("max-token-ttl", "0s", "How long its tokens are valid."),
    switch("default", "Used when no method is named."),
    text("config", "json|@file|-", "The configuration, as JSON."),
];
const CREATE_FLAGS: &[Flag] = &[
    text("name", "name", "The method's name."),
    FLAGS[0],
    FLAGS[1],
    FLAGS[2],
    FLAGS[3],
    FLAGS[4],
    FLAGS[5],
    JSON,
    TEMPLATE,
];
const UPDATE_FLAGS: &[Flag] = &[
    FLAGS[0], FLAGS[1], FLAGS[2], FLAGS[3], FLAGS[4], FLAGS[5], JSON, TEMPLATE,
];

pub(super) const CREATE: Command = Command {
    name: "acl auth-method create",
    synopsis: "Create a new ACL auth method",
    about: "Create is used to create new ACL auth methods. Use requires a management token.",
    flags: CREATE_FLAGS,
    run: create,
    ..COMMAND
};

pub(super) const UPDATE: Command = Command {
    name: "acl auth-method update",
    args: "[options] <acl_auth_method_name>",
    synopsis: "Update an existing ACL auth method",
    about: "Update is used to update an existing ACL auth method. Use requires a management token.",
    flags: UPDATE_FLAGS,
    run: update,
    ..COMMAND
};

pub(super) const DELETE: Command = Command {
    name: "acl auth-method delete",
    args: "<acl_method_name>",
    synopsis: "Delete an existing ACL auth method",
    about: "Delete is used to delete an existing ACL auth method. Use requires a management token.",
    run: delete,
    ..COMMAND
};

pub(super) const INFO: Command = Command {
    name: "acl auth-method info",
    args: "[options] <acl_auth_method_name>",
    synopsis: "Fetch information on an existing ACL auth method",
    about: "Info is used to fetch information on an existing ACL auth method.",
    flags: &[JSON, TEMPLATE],
    run: info,
    ..COMMAND
};

pub(super) const LIST: Command = Command {
    name: "acl auth-method list",
    synopsis: "List ACL auth methods",
    about: "List is used to list existing ACL auth methods.",
    flags: &[JSON, TEMPLATE],
    run: all,
    ..COMMAND
};

fn show(context: &mut Context, method: &Value) -> Outcome {
    if context.data_if_wanted(method, "*api.ACLAuthMethod")? {
        return Ok(0);
    }
    let head = pairs(&[
        ("Name", method.str("Name").to_owned()),
        ("Type", method.str("Type").to_owned()),
        ("Locality", method.str("TokenLocality").to_owned()),
        ("Max Token TTL", method.str("MaxTokenTTL").to_owned()),
        (
            "Token Name Format",
            method.str("TokenNameFormat").to_owned(),
        ),
        ("Default", method.yes("Default").to_string()),
        ("Create Index", method.int("CreateIndex").to_string()),
        ("Modify Index", method.int("ModifyIndex").to_string()),
    ]);
    let config = pairs(&settings(method.at("Config")));
    let text = format!(
        "{head}\n\n{}\n\n{config}",
        context.ui.bold("Auth Method Config")
    );
    context.ui.out(&text);
    Ok(0)
}

/// The configuration of a method, with what each setting is called.
fn settings(config: &Value) -> Vec<(&'static str, String)> {
    let text = |name: &str| config.str(name).to_owned();
    let yes = |name: &str| config.yes(name).to_string();
    let list = |name: &str| {
        let items = config.items(name).iter();
        let items: Vec<&str> = items.filter_map(Value::as_str).collect();
        items.join(",")
    };
    let leeway = |name: &str| match config.str(name) {
        "" => "0s".to_owned(),
        length => length.to_owned(),
    };
    let mappings = |name: &str| {
        let Value::Object(members) = config.at(name) else {
            return String::new();
        };
        let mut pairs: Vec<String> = members
            .iter()
            .map(|(claim, key)| format!("{{{claim}: {}}}", key.as_str().unwrap_or_default()))
            .collect();
        pairs.sort();
        pairs.join("; ")
    };
    vec![
        ("JWT Validation Public Keys", list("JWTValidationPubKeys")),
        ("JWKS URL", text("JWKSURL")),
        ("OIDC Discovery URL", text("OIDCDiscoveryURL")),
        ("OIDC Client ID", text("OIDCClientID")),
        ("OIDC Client Secret", text("OIDCClientSecret")),
        ("OIDC Enable PKCE", yes("OIDCEnablePKCE")),
        ("OIDC Disable UserInfo", yes("OIDCDisableUserInfo")),
        ("OIDC Scopes", list("OIDCScopes")),
        ("Bound audiences", list("BoundAudiences")),
        ("Bound issuer", list("BoundIssuer")),
        ("Allowed redirects URIs", list("AllowedRedirectURIs")),
        ("Discovery CA pem", list("DiscoveryCaPem")),
        ("JWKS CA cert", text("JWKSCACert")),
        ("Signing algorithms", list("SigningAlgs")),
        ("Expiration Leeway", leeway("ExpirationLeeway")),
        ("NotBefore Leeway", leeway("NotBeforeLeeway")),
        ("ClockSkew Leeway", leeway("ClockSkewLeeway")),
        ("Claim mappings", mappings("ClaimMappings")),
        ("List claim mappings", mappings("ListClaimMappings")),
    ]
}

/// What the flags say.
fn fill(context: &Context, method: &mut Value) -> Result<(), Failure> {
    let given = &context.given;
    let texts = [
        ("token-locality", "TokenLocality"),
        ("token-name-format", "TokenNameFormat"),
        ("max-token-ttl", "MaxTokenTTL"),
    ];
    if given.is_set("type") {
        method["Type"] = json!(given.text("type").to_uppercase());
    }
    for (flag, member) in texts {
        if given.is_set(flag) {
            method[member] = json!(given.text(flag));
        }
    }
    if given.is_set("default") {
        method["Default"] = json!(given.on("default"));
    }
    if given.is_set("config") {
        let text = given.text("config");
        let bytes = match text.strip_prefix('@') {
            Some(path) => read_or_stdin(path)?,
            None if text == "-" => read_or_stdin("-")?,
            None => text.as_bytes().to_vec(),
        };
        method["Config"] = crate::json::parse(&bytes)
            .map_err(|error| format!("Unable to parse config: {error}"))?;
    }
    Ok(())
}

fn create(context: &mut Context) -> Outcome {
    context.no_args()?;
    let given = &context.given;
    let kind = given.text("type").to_uppercase();
    let required = [
        (
            !given.text("name").is_empty(),
            "ACL auth method name must be specified using the -name flag",
        ),
        (
            matches!(given.text("token-locality"), "local" | "global"),
            "Token locality must be set to either 'local' or 'global'",
        ),
        (
            given.time("max-token-ttl").0 > 0,
            "Max token TTL must be set to a value between min and max TTL configured for the server.",
        ),
        (
            matches!(kind.as_str(), "OIDC" | "JWT"),
            "ACL auth method type must be set to 'OIDC' or 'JWT'",
        ),
        (
            !given.text("config").is_empty(),
            "Must provide ACL auth method config in JSON format",
        ),
    ];
    for (there, complaint) in required {
        if !there {
            return Err(complaint.into());
        }
    }
    let mut method = json!({"Name": given.text("name")});
    fill(context, &mut method)?;
    let api = context.api()?;
    let created = api
        .put("/v1/acl/auth-method", Query::new(), &method)
        .doing("Error creating ACL auth method")?;
    show(context, &created)
}

fn update(context: &mut Context) -> Outcome {
    let name = context.one_arg("<acl_auth_method_name>")?;
    let api = context.api()?;
    let path = format!("/v1/acl/auth-method/{}", escape_path(&name));
    let mut method = api
        .get(&path, Query::new())
        .doing("Error when retrieving ACL auth method")?;
    let flags = FLAGS.map(|flag| flag.name);
    super::something_to_change(context, &flags, "auth method")?;
    fill(context, &mut method)?;
    let updated = api
        .put(&path, Query::new(), &method)
        .doing("Error updating ACL auth method")?;
    show(context, &updated)
}

fn delete(context: &mut Context) -> Outcome {
    let name = context.one_arg("<acl_auth_method_name>")?;
    let api = context.api()?;
    api.delete(
        &format!("/v1/acl/auth-method/{}", escape_path(&name)),
        Query::new(),
    )
    .doing("Error deleting ACL auth method")?;
    context
        .ui
        .out(&format!("ACL auth method {name} successfully deleted"));
    Ok(0)
}

fn info(context: &mut Context) -> Outcome {
    let name = context.one_arg("<acl_auth_method_name>")?;
    let api = context.api()?;
    let method = api
        .get(
            &format!("/v1/acl/auth-method/{}", escape_path(&name)),
            Query::new(),
        )
        .doing("Error reading ACL auth method")?;
    show(context, &method)
}

fn all(context: &mut Context) -> Outcome {
    context.no_args()?;
    let api = context.api()?;
    let found = api
        .get("/v1/acl/auth-methods", Query::new())
        .doing("Error listing ACL auth methods")?;
    if context.data_if_wanted(&found, "[]*api.ACLAuthMethodListStub")? {
        return Ok(0);
    }
    let text = match list(&found) {
        [] => "No ACL auth methods found".to_owned(),
        methods => {
            let mut rows = vec![row!["Name", "Type", "Default"]];
            rows.extend(
                methods
                    .iter()
                    .map(|one| row![one.str("Name"), one.str("Type"), one.yes("Default")]),
            );
            columns(&rows)
        }
    };
    context.ui.out(&text);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown_by_name() {
        let config = json!({
            "JWKSURL": "https://example.com/jwks", "BoundAudiences": ["a", "b"], "SigningAlgs": null,
            "ExpirationLeeway": "", "ClockSkewLeeway": "1m0s", "OIDCEnablePKCE": false,
            "ClaimMappings": {"z": "last", "http://example.com/name": "name"},
        });
        let shown = settings(&config);
        let of = |name: &str| {
            let found = shown.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(of("JWKS URL"), Some("https://example.com/jwks"));
        assert_eq!(of("Bound audiences"), Some("a,b"));
        assert_eq!(of("Signing algorithms"), Some(""));
        assert_eq!(of("Expiration Leeway"), Some("0s"));
        assert_eq!(of("ClockSkew Leeway"), Some("1m0s"));
        assert_eq!(of("OIDC Enable PKCE"), Some("false"));
        assert_eq!(
            of("Claim mappings"),
            Some("{http://example.com/name: name}; {z: last}")
        );
    }
}
