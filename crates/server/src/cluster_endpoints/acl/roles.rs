//! Roles: policies under a name, for tokens. Management sees all, others those that they have.

use super::{check, done, is_name, long_description, missing, rows};
use crate::clock;
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::{Command, Table};
use std::sync::Arc;

const TABLES: &[Table] = &[Table::AclRoles];

fn held(call: &Call) -> Vec<Arc<AclRole>> {
    call.caller
        .token
        .as_ref()
        .map(|token| crate::policies::roles_of(&call.state, token))
        .unwrap_or_default()
}

pub(super) fn list(call: &Call) -> Answered {
    let prefix = call.request.options.prefix.as_str();
    let mut visible: Vec<_> = if call.caller.is_management() {
        call.state.acl_roles().cloned().collect()
    } else {
        held(call)
    };
    visible.retain(|role| role.id.starts_with(prefix));
    rows(call, &visible, TABLES)
}

fn answer(call: &Call, role: Option<&Arc<AclRole>>) -> Answered {
    if !call.caller.is_management() {
        let holds = role.is_some_and(|role| held(call).iter().any(|held| held.id == role.id));
        if !holds {
            return Err(ApiError::permission_denied());
        }
    }
    match role {
        Some(role) => call.object(role.as_ref(), role.modify_index, TABLES),
        None => Err(missing(call, "ACL role not found", TABLES)),
    }
}

pub(super) fn read(call: &Call) -> Answered {
    answer(
        call,
        call.state.acl_role(&call.request.param("id").to_owned()),
    )
}

pub(super) fn read_by_name(call: &Call) -> Answered {
    answer(
        call,
        call.state.acl_role_by_name(call.request.param("name")),
    )
}

fn faults(role: &AclRole) -> Vec<String> {
    let mut faults = Vec::new();
    if !is_name(&role.name) {
        faults.push(format!("invalid name '{}'", role.name));
    }
    faults.extend(long_description(&role.description));
    if role.policies.is_empty() {
        faults.push("at least one policy should be specified".to_owned());
    }
    faults
}

pub(super) async fn upsert(call: &Call) -> Answered {
    let mut role: AclRole = call.request.json()?;
    let in_path = call.request.param("id");
    if !in_path.is_empty() && role.id != in_path {
        return Err(ApiError::bad_request(
            "ACL role ID does not match request path",
        ));
    }
    check("role 0", faults(&role))?;
    if role.id.is_empty() {
        role.id = clock::uuid();
    } else if call.state.acl_role(&role.id).is_none() {
        return Err(ApiError::bad_request(format!(
            "cannot find role {}",
            role.id
        )));
    }
    if call
        .state
        .acl_role_by_name(&role.name)
        .is_some_and(|other| other.id != role.id)
    {
        return Err(ApiError::bad_request(format!(
            "role with name {} already exists",
            role.name
        )));
    }
    let mut distinct: Vec<AclRolePolicy> = Vec::new();
    for policy in role.policies {
        if call.state.acl_policy(&policy.name).is_none() {
            return Err(ApiError::bad_request(format!(
                "cannot find policy {}",
                policy.name
            )));
        }
        if !distinct.contains(&policy) {
            distinct.push(policy);
        }
    }
    role.policies = distinct;
    role.hash = super::super::content_hash(&(&role.name, &role.description, &role.policies));
    let id = role.id.clone();
    let applied = super::write(call, Command::UpsertAclRoles { roles: vec![role] }).await?;
    let state = call.after(&applied).await;
    let role = state
        .acl_role(&id)
        .ok_or_else(|| ApiError::not_found("ACL role not found"))?;
    Answer::json(role.as_ref(), Meta::write(applied.index))
}

pub(super) async fn delete(call: &Call) -> Answered {
    let ids = vec![call.request.param("id").to_owned()];
    let applied = super::write(call, Command::DeleteAclRoles { ids }).await?;
    done(&applied)
}
