//! Commands about ways to sign in and the rules that bind those who do (server sheet §13.6).

use crate::change::Change;
use crate::error::ApplyError;
use crate::table::Table;
use crate::txn::Txn;
use caravan_model::*;
use std::sync::Arc;

pub(super) fn upsert_methods(
    txn: &mut Txn<'_>,
    methods: Vec<AclAuthMethod>,
) -> Result<(), ApplyError> {
    for mut method in methods {
        if method.default {
            let same = |other: &&Arc<AclAuthMethod>| other.default && other.r#type == method.r#type;
            let other = txn
                .state
                .acl_auth_methods
                .values()
                .find(same)
                .filter(|other| other.name != method.name);
            if let Some(other) = other {
                let (kind, name) = (method.r#type.clone(), other.name.clone());
                return Err(ApplyError::DefaultAuthMethodTaken { kind, name });
            }
        }
        let old = txn.state.acl_auth_methods.get(&method.name);
        method.create_index = old.map_or(txn.index, |old| old.create_index);
        method.create_time = old.map_or(method.create_time, |old| old.create_time);
        method.modify_index = txn.index;
        let method = Arc::new(method);
        txn.state
            .acl_auth_methods
            .insert(method.name.clone(), Arc::clone(&method));
        txn.touch(Table::AclAuthMethods);
        txn.changes.push(Change::AclAuthMethod(method));
    }
    Ok(())
}

pub(super) fn delete_methods(txn: &mut Txn<'_>, names: &[String]) -> Result<(), ApplyError> {
    for name in names {
        let method = txn.state.acl_auth_methods.remove(name);
        let method = method.ok_or_else(|| ApplyError::AclMissing("ACL auth method".to_owned()))?;
        txn.touch(Table::AclAuthMethods);
        txn.changes.push(Change::AclAuthMethodRemoved(method));
        let rules = txn
            .state
            .acl_binding_rules
            .values()
            .filter(|rule| rule.auth_method == *name);
        let ids: Vec<String> = rules.map(|rule| rule.id.clone()).collect();
        delete_rules(txn, &ids)?;
    }
    Ok(())
}

pub(super) fn upsert_rules(
    txn: &mut Txn<'_>,
    rules: Vec<AclBindingRule>,
) -> Result<(), ApplyError> {
    for mut rule in rules {
        if !txn.state.acl_auth_methods.contains_key(&rule.auth_method) {
            return Err(ApplyError::AclMissing(format!(
                "ACL auth method {}",
                rule.auth_method
            )));
        }
        let old = txn.state.acl_binding_rules.get(&rule.id);
        rule.create_index = old.map_or(txn.index, |old| old.create_index);
        rule.create_time = old.map_or(rule.create_time, |old| old.create_time);
        rule.modify_index = txn.index;
        let rule = Arc::new(rule);
        txn.state
            .acl_binding_rules
            .insert(rule.id.clone(), Arc::clone(&rule));
        txn.touch(Table::AclBindingRules);
        txn.changes.push(Change::AclBindingRule(rule));
    }
    Ok(())
}

pub(super) fn delete_rules(txn: &mut Txn<'_>, ids: &[String]) -> Result<(), ApplyError> {
    for id in ids {
        let rule = txn.state.acl_binding_rules.remove(id);
        let rule = rule.ok_or_else(|| ApplyError::AclMissing("ACL binding rule".to_owned()))?;
        txn.touch(Table::AclBindingRules);
        txn.changes.push(Change::AclBindingRuleRemoved(rule));
    }
    Ok(())
}
