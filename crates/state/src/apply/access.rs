//! Commands about ACL policies, tokens and roles (server sheet §13).

use crate::change::Change;
use crate::error::ApplyError;
use crate::table::Table;
use crate::txn::Txn;
use caravan_model::*;
use std::sync::Arc;

pub(super) fn upsert_policies(
    txn: &mut Txn<'_>,
    policies: Vec<AclPolicy>,
) -> Result<(), ApplyError> {
    for mut policy in policies {
        let old = txn.state.acl_policies.get(policy.name.as_str());
        policy.create_index = old.map_or(txn.index, |old| old.create_index);
        policy.modify_index = txn.index;
        let policy = Arc::new(policy);
        txn.state
            .acl_policies
            .insert(policy.name.to_string(), Arc::clone(&policy));
        txn.touch(Table::AclPolicies);
        txn.changes.push(Change::AclPolicy(policy));
    }
    Ok(())
}

pub(super) fn delete_policies(txn: &mut Txn<'_>, names: &[String]) -> Result<(), ApplyError> {
    for name in names {
        // A policy that is not there is gone already.
        txn.touch(Table::AclPolicies);
        let Some(policy) = txn.state.acl_policies.remove(name) else {
            continue;
        };
        txn.changes.push(Change::AclPolicyRemoved(policy));
    }
    Ok(())
}

pub(super) fn upsert_tokens(txn: &mut Txn<'_>, tokens: Vec<AclToken>) -> Result<(), ApplyError> {
    for token in tokens {
        put_token(txn, token);
    }
    Ok(())
}

fn put_token(txn: &mut Txn<'_>, mut token: AclToken) {
    let accessor = token.accessor_id.to_string();
    let old = txn.state.acl_tokens.get(&accessor).cloned();
    token.create_index = old.as_ref().map_or(txn.index, |old| old.create_index);
    token.modify_index = txn.index;
    if let Some(old) = old {
        txn.state
            .acl_tokens_by_secret
            .remove(&old.secret_id.to_string());
    }
    let token = Arc::new(token);
    txn.state
        .acl_tokens_by_secret
        .insert(token.secret_id.to_string(), accessor.clone());
    txn.state.acl_tokens.insert(accessor, Arc::clone(&token));
    txn.touch(Table::AclTokens);
    txn.changes.push(Change::AclToken(token));
}

pub(super) fn delete_tokens(txn: &mut Txn<'_>, accessors: &[String]) -> Result<(), ApplyError> {
    for accessor in accessors {
        let token = txn.state.acl_tokens.remove(accessor);
        let token = token.ok_or_else(|| ApplyError::AclMissing("ACL token".to_owned()))?;
        txn.state
            .acl_tokens_by_secret
            .remove(&token.secret_id.to_string());
        txn.touch(Table::AclTokens);
        txn.changes.push(Change::AclTokenRemoved(token));
    }
    Ok(())
}

/// Makes the first management token, once, or again when the operator names the last bootstrap's index.
pub(super) fn bootstrap(
    txn: &mut Txn<'_>,
    token: AclToken,
    reset_index: u64,
) -> Result<(), ApplyError> {
    let done = txn.state.acl_bootstrap_index;
    if done != 0 && done != reset_index {
        return Err(ApplyError::AclBootstrapped(done));
    }
    txn.state.acl_bootstrap_index = txn.index;
    put_token(txn, token);
    Ok(())
}

pub(super) fn upsert_roles(txn: &mut Txn<'_>, roles: Vec<AclRole>) -> Result<(), ApplyError> {
    for mut role in roles {
        let id = role.id.to_string();
        role.create_index = txn
            .state
            .acl_roles
            .get(&id)
            .map_or(txn.index, |old| old.create_index);
        role.modify_index = txn.index;
        let role = Arc::new(role);
        txn.state.acl_roles.insert(id, Arc::clone(&role));
        txn.touch(Table::AclRoles);
        txn.changes.push(Change::AclRole(role));
    }
    Ok(())
}

pub(super) fn delete_roles(txn: &mut Txn<'_>, ids: &[String]) -> Result<(), ApplyError> {
    for id in ids {
        let role = txn.state.acl_roles.remove(id);
        let role = role.ok_or_else(|| ApplyError::AclMissing("ACL role".to_owned()))?;
        txn.touch(Table::AclRoles);
        txn.changes.push(Change::AclRoleRemoved(role));
    }
    Ok(())
}

pub(super) fn upsert_one_time(
    txn: &mut Txn<'_>,
    mut token: OneTimeToken,
) -> Result<(), ApplyError> {
    token.create_index = txn.index;
    token.modify_index = txn.index;
    txn.state
        .one_time_tokens
        .insert(token.one_time_secret_id.clone(), Arc::new(token));
    txn.touch(Table::OneTimeTokens);
    Ok(())
}

/// Of two that trade the same secret, the second is refused.
pub(super) fn delete_one_time(txn: &mut Txn<'_>, secrets: &[String]) -> Result<(), ApplyError> {
    for secret in secrets {
        let token = txn.state.one_time_tokens.remove(secret);
        token.ok_or_else(|| ApplyError::AclMissing("one-time token".to_owned()))?;
        txn.touch(Table::OneTimeTokens);
    }
    Ok(())
}
