//! Ways to sign in with what somebody else signed. Their names are public: who signs in has no token yet.

use super::{check, done, is_name, missing, now, rows};
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, Table};

const TABLES: &[Table] = &[Table::AclAuthMethods];
/// What is shown in place of the provider's secret; sent back, it leaves the secret as it is.
const REDACTED: &str = "redacted";
const TOKEN_NAME: &str = "${auth_method_type}-${auth_method_name}";

/// The method without the secrets in it.
pub(in super::super) fn shown(method: &AclAuthMethod) -> AclAuthMethod {
    let mut method = method.clone();
    if let Some(config) = &mut method.config
        && !config.oidc_client_secret.is_empty()
    {
        config.oidc_client_secret = REDACTED.to_owned();
    }
    method
}

pub(super) fn list(call: &Call) -> Answered {
    let prefix = call.request.options.prefix.as_str();
    let methods = call
        .state
        .acl_auth_methods()
        .filter(|method| method.name.starts_with(prefix));
    let stubs: Vec<_> = methods.map(|method| method.stub()).collect();
    rows(call, &stubs, TABLES)
}

pub(super) fn read(call: &Call) -> Answered {
    match call
        .state
        .acl_auth_method(&call.request.param("name").to_owned())
    {
        Some(method) => call.object(&shown(method), method.modify_index, TABLES),
        None => Err(missing(call, "ACL auth-method not found", TABLES)),
    }
}

fn faults(call: &Call, method: &AclAuthMethod) -> Vec<String> {
    let mut faults = Vec::new();
    if !is_name(&method.name) {
        faults.push(format!("invalid name '{}'", method.name));
    }
    if !matches!(method.token_locality.as_str(), "local" | "global") {
        faults.push(format!(
            "invalid token locality '{}'",
            method.token_locality
        ));
    }
    if !matches!(
        method.r#type.as_str(),
        auth_method_type::OIDC | auth_method_type::JWT
    ) {
        faults.push(format!("invalid token type '{}'", method.r#type));
    }
    let (least, most) = call.shared.config.token_life;
    if method.max_token_ttl < least || method.max_token_ttl > most {
        faults.push(format!(
            "invalid MaxTokenTTL value '{}' (should be between {least} and {most})",
            method.max_token_ttl
        ));
    }
    match &method.config {
        None => faults.push("invalid config: missing auth method Config".to_owned()),
        Some(config) => faults.extend(
            config_fault(&method.r#type, config).map(|fault| format!("invalid config: {fault}")),
        ),
    }
    faults
}

/// What keeps a method of this type from working.
fn config_fault(kind: &str, config: &AclAuthMethodConfig) -> Option<String> {
    let sources = [
        !config.jwt_validation_pub_keys.is_empty(),
        !config.jwks_url.is_empty(),
        !config.oidc_discovery_url.is_empty(),
    ];
    let given = sources.iter().filter(|given| **given).count();
    match kind {
        auth_method_type::JWT if given == 0 => {
            Some("one of JWTValidationPubKeys, JWKSURL or OIDCDiscoveryURL must be set for a JWT auth method".to_owned())
        }
        auth_method_type::JWT if given > 1 => Some(
            "only one of JWTValidationPubKeys, JWKSURL or OIDCDiscoveryURL can be set for a JWT auth method".to_owned(),
        ),
        auth_method_type::OIDC if config.oidc_discovery_url.is_empty() => Some("missing OIDCDiscoveryURL".to_owned()),
        auth_method_type::OIDC if config.oidc_client_id.is_empty() => Some("missing OIDCClientID".to_owned()),
        _ => None,
    }
}

/// What a change leaves out stays as it was.
fn complete(method: &mut AclAuthMethod, old: &AclAuthMethod) {
    let keep = |new: &mut String, old: &String| {
        if new.is_empty() {
            new.clone_from(old);
        }
    };
    keep(&mut method.r#type, &old.r#type);
    keep(&mut method.token_locality, &old.token_locality);
    keep(&mut method.token_name_format, &old.token_name_format);
    if method.max_token_ttl.0 == 0 {
        method.max_token_ttl = old.max_token_ttl;
    }
    let Some(old) = &old.config else { return };
    let config = method.config.get_or_insert_with(|| old.clone());
    if config.oidc_client_secret == REDACTED {
        config
            .oidc_client_secret
            .clone_from(&old.oidc_client_secret);
    }
}

pub(super) async fn upsert(call: &Call) -> Answered {
    let mut method: AclAuthMethod = call.request.json()?;
    let in_path = call.request.param("name");
    if !in_path.is_empty() && method.name != in_path {
        return Err(ApiError::bad_request(
            "ACL auth-method name does not match request path",
        ));
    }
    if let Some(old) = call.state.acl_auth_method(&method.name) {
        complete(&mut method, old);
    }
    if method.token_name_format.is_empty() {
        method.token_name_format = TOKEN_NAME.to_owned();
    }
    check("auth method 0", faults(call, &method))?;
    method.hash = Vec::new();
    (method.create_index, method.modify_index) = (0, 0);
    (method.create_time, method.modify_time) = (Timestamp::ZERO, Timestamp::ZERO);
    method.hash = super::super::content_hash(&method);
    (method.create_time, method.modify_time) = (now(), now());
    let name = method.name.clone();
    let applied = super::write(
        call,
        Command::UpsertAclAuthMethods {
            methods: vec![method],
        },
    )
    .await?;
    let state = call.after(&applied).await;
    let stored = state
        .acl_auth_method(&name)
        .ok_or_else(|| ApiError::not_found("ACL auth-method not found"))?;
    Answer::json(&shown(stored), Meta::write(applied.index))
}

pub(super) async fn delete(call: &Call) -> Answered {
    let names = vec![call.request.param("name").to_owned()];
    let applied = super::write(call, Command::DeleteAclAuthMethods { names }).await?;
    done(&applied)
}
