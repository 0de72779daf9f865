//! Tokens: secrets and what they allow.

use super::{MAX_TEXT, check, done, missing, now};
use crate::clock;
use crate::endpoints::list::{Keyed, check_id_prefix, id_or_age_key};
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::acl::{ACLS_DISABLED, ANONYMOUS};
use caravan_model::*;
use caravan_state::{Command, State, Table};
use serde::Serialize;
use std::sync::Arc;

const TABLES: &[Table] = &[Table::AclTokens];

/// A token that is no row: it never was created, and says so by the zero time in full.
#[derive(Serialize)]
struct Nobody {
    #[serde(flatten)]
    token: serde_json::Map<String, serde_json::Value>,
}

fn nobody(call: &Call, token: &AclToken) -> Answered {
    let Ok(serde_json::Value::Object(mut token)) = caravan_codec::json::to_value(token) else {
        return Err(ApiError::internal("the token cannot be shown"));
    };
    token.insert("CreateTime".to_owned(), "0001-01-01T00:00:00Z".into());
    Answer::json(&Nobody { token }, call.head(0, TABLES))
}

/// Who everybody is while access control is off.
pub(super) fn while_off(call: &Call) -> Answered {
    let token = AclToken {
        accessor_id: ACLS_DISABLED.to_owned(),
        name: "ACLs disabled token".to_owned(),
        r#type: token_type::CLIENT.to_owned(),
        ..AclToken::default()
    };
    nobody(call, &token)
}

/// The caller's own token.
pub(super) fn own(call: &Call) -> Answered {
    if call.caller.workload.is_some() {
        return Err(ApiError::token_not_found());
    }
    match &call.caller.token {
        Some(token) => call.object(&shown(&call.state, token), token.modify_index, TABLES),
        None => {
            let token = AclToken {
                accessor_id: ANONYMOUS.to_owned(),
                name: "Anonymous Token".to_owned(),
                r#type: token_type::CLIENT.to_owned(),
                policies: Some(vec![ANONYMOUS.to_owned()]),
                ..AclToken::default()
            };
            nobody(call, &token)
        }
    }
}

/// The token with its roles as they are named now, without those that are gone.
pub(super) fn shown(state: &State, token: &AclToken) -> AclToken {
    let roles = crate::policies::roles_of(state, token);
    let roles = roles
        .iter()
        .map(|role| AclTokenRole {
            id: role.id.clone(),
            name: role.name.clone(),
        })
        .collect();
    AclToken {
        roles,
        ..token.clone()
    }
}

pub(super) fn list(call: &Call) -> Answered {
    check_id_prefix(call, "acl token")?;
    let prefix = call.request.options.prefix.to_lowercase();
    let rows = call
        .state
        .acl_tokens()
        .filter(|token| token.accessor_id.starts_with(&prefix))
        .map(|token| Keyed {
            key: id_or_age_key(call, token.create_index, &token.accessor_id),
            row: Arc::clone(token),
        })
        .collect();
    crate::endpoints::list::answer(call, TABLES, rows, |token| shown(&call.state, token).stub())
}

pub(super) fn read(call: &Call) -> Answered {
    let accessor = call.request.param("accessor").to_owned();
    if !call.caller.is_management() && call.caller.accessor() != accessor {
        return Err(ApiError::permission_denied());
    }
    match call.state.acl_token(&accessor) {
        Some(token) => call.object(&shown(&call.state, token), token.modify_index, TABLES),
        None => Err(missing(call, "ACL token not found", TABLES)),
    }
}

/// A digest over what users set.
pub(super) fn hash(token: &AclToken) -> Vec<u8> {
    super::super::content_hash(&(
        &token.name,
        &token.r#type,
        &token.policies,
        &token.roles,
        token.global,
    ))
}

/// What is wrong with a token as it is to be stored; `old` is the one that it replaces.
fn faults(call: &Call, token: &AclToken, old: Option<&AclToken>) -> Vec<String> {
    let mut faults = Vec::new();
    if token.name.chars().count() > MAX_TEXT {
        faults.push("token name too long".to_owned());
    }
    let bound = token.policy_names().next().is_some() || !token.roles.is_empty();
    match token.r#type.as_str() {
        token_type::CLIENT if !bound => {
            faults.push("client token missing policies or roles".to_owned())
        }
        token_type::MANAGEMENT if bound => {
            faults.push("management token cannot be associated with policies or roles".to_owned());
        }
        token_type::CLIENT | token_type::MANAGEMENT => {}
        _ => faults.push("token type must be client or management".to_owned()),
    }
    match old {
        Some(old) => {
            if old.global != token.global {
                faults.push(format!(
                    "cannot toggle global mode of {}",
                    token.accessor_id
                ));
            }
            if old.expiration_ttl != token.expiration_ttl {
                faults.push("cannot update expiration TTL".to_owned());
            }
            if old.expiration_time != token.expiration_time {
                faults.push("cannot update expiration time".to_owned());
            }
        }
        None => faults.extend(life_fault(call, token)),
    }
    faults
}

/// What is wrong with the life of a new token.
fn life_fault(call: &Call, token: &AclToken) -> Option<String> {
    if token.expiration_ttl.0 < 0 {
        return Some(format!(
            "token expiration TTL '{}' should not be negative",
            token.expiration_ttl
        ));
    }
    if token.expiration_time.is_zero() {
        return None;
    }
    let (least, most) = call.shared.config.token_life;
    let life = Duration(token.expiration_time.0.saturating_sub(token.create_time.0));
    if life.0 < 0 {
        return Some("expiration time cannot be before create time".to_owned());
    }
    if life < least {
        return Some(format!(
            "expiration time cannot be less than {least} in the future (was {life})"
        ));
    }
    (life > most)
        .then(|| format!("expiration time cannot be more than {most} in the future (was {life})"))
}

/// The roles that a request names, by id or by name.
fn resolved_roles(state: &State, asked: &[AclTokenRole]) -> Result<Vec<AclTokenRole>, ApiError> {
    let mut roles: Vec<AclTokenRole> = Vec::new();
    for wanted in asked {
        let found = if wanted.id.is_empty() {
            state.acl_role_by_name(&wanted.name)
        } else {
            state.acl_role(&wanted.id)
        };
        let named = if wanted.id.is_empty() {
            &wanted.name
        } else {
            &wanted.id
        };
        let role =
            found.ok_or_else(|| ApiError::bad_request(format!("cannot find role {named}")))?;
        if !roles.iter().any(|known| known.id == role.id) {
            roles.push(AclTokenRole {
                id: role.id.clone(),
                name: role.name.clone(),
            });
        }
    }
    Ok(roles)
}

/// Each name once, in the order given; management tokens have no list at all.
fn distinct(kind: &str, names: Option<Vec<String>>) -> Option<Vec<String>> {
    let mut distinct: Vec<String> = Vec::new();
    for name in names.into_iter().flatten() {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    (kind == token_type::CLIENT || !distinct.is_empty()).then_some(distinct)
}

pub(super) async fn upsert(call: &Call) -> Answered {
    let mut token: AclToken = call.request.json()?;
    let in_path = call.request.param("accessor");
    if !in_path.is_empty() && token.accessor_id != in_path {
        return Err(ApiError::bad_request(
            "ACL token accessor does not match request path",
        ));
    }
    let old = match token.accessor_id.as_str() {
        "" => None,
        accessor => Some(
            call.state
                .acl_token(&accessor.to_owned())
                .ok_or_else(|| ApiError::bad_request(format!("cannot find token {accessor}")))?,
        ),
    };
    token.policies = distinct(&token.r#type, token.policies.take());
    match old {
        Some(old) => {
            token.secret_id.clone_from(&old.secret_id);
            token.create_time = old.create_time;
        }
        None => {
            token.accessor_id = clock::uuid();
            token.secret_id = clock::uuid();
            token.create_time = now();
            if token.expiration_time.is_zero() && token.expiration_ttl.0 > 0 {
                token.expiration_time =
                    Timestamp(token.create_time.0.saturating_add(token.expiration_ttl.0));
            }
        }
    }
    check("token 0", faults(call, &token, old.map(AsRef::as_ref)))?;
    token.roles = resolved_roles(&call.state, &token.roles)?;
    store(call, token).await
}

/// Stores a token that was checked, and shows it with its secret.
pub(super) async fn store(call: &Call, mut token: AclToken) -> Answered {
    token.hash = hash(&token);
    let accessor = token.accessor_id.clone();
    let applied = super::write(
        call,
        Command::UpsertAclTokens {
            tokens: vec![token],
        },
    )
    .await?;
    let state = call.after(&applied).await;
    let token = state
        .acl_token(&accessor)
        .ok_or_else(ApiError::token_not_found)?;
    Answer::json(&shown(&state, token), Meta::write(applied.index))
}

pub(super) async fn delete(call: &Call) -> Answered {
    let accessor = call.request.param("accessor").to_owned();
    if call.state.acl_token(&accessor).is_none() {
        return Err(ApiError::bad_request(format!(
            "Cannot delete nonexistent tokens: {accessor}"
        )));
    }
    let applied = super::write(
        call,
        Command::DeleteAclTokens {
            accessors: vec![accessor],
        },
    )
    .await?;
    done(&applied)
}
