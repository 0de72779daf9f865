//! Rules that bind those who sign in to roles and policies, by what is claimed of them.

use super::{check, done, long_description, missing, now, rows};
use crate::clock;
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Filter, Meta};
use caravan_model::*;
use caravan_state::{Command, Table};

const TABLES: &[Table] = &[Table::AclBindingRules];

pub(super) fn list(call: &Call) -> Answered {
    let prefix = call.request.options.prefix.as_str();
    let found = call
        .state
        .acl_binding_rules()
        .filter(|rule| rule.id.starts_with(prefix));
    let stubs: Vec<_> = found.map(|rule| rule.stub()).collect();
    rows(call, &stubs, TABLES)
}

pub(super) fn read(call: &Call) -> Answered {
    match call
        .state
        .acl_binding_rule(&call.request.param("id").to_owned())
    {
        Some(rule) => call.object(rule.as_ref(), rule.modify_index, TABLES),
        None => Err(missing(call, "ACL binding rule not found", TABLES)),
    }
}

fn faults(rule: &AclBindingRule) -> Vec<String> {
    let mut faults = Vec::new();
    if rule.auth_method.is_empty() {
        faults.push("auth method is missing".to_owned());
    }
    faults.extend(long_description(&rule.description));
    match rule.bind_type.as_str() {
        bind_type::MANAGEMENT if !rule.bind_name.is_empty() => {
            faults.push("bind name should be empty".to_owned())
        }
        bind_type::ROLE | bind_type::POLICY if rule.bind_name.is_empty() => {
            faults.push("bind name is missing".to_owned());
        }
        bind_type::MANAGEMENT | bind_type::ROLE | bind_type::POLICY => {}
        "" => faults.push("bind type is missing".to_owned()),
        other => faults.push(format!("unsupported bind type: {other:?}")),
    }
    if !rule.selector.is_empty()
        && let Err(error) = Filter::parse(&rule.selector)
    {
        faults.push(format!("selector is invalid: {error}"));
    }
    faults
}

/// What a change leaves out stays as it was.
fn complete(rule: &mut AclBindingRule, old: &AclBindingRule) {
    for (new, old) in [
        (&mut rule.description, &old.description),
        (&mut rule.auth_method, &old.auth_method),
        (&mut rule.selector, &old.selector),
        (&mut rule.bind_type, &old.bind_type),
        (&mut rule.bind_name, &old.bind_name),
    ] {
        if new.is_empty() {
            new.clone_from(old);
        }
    }
}

pub(super) async fn upsert(call: &Call) -> Answered {
    let mut rule: AclBindingRule = call.request.json()?;
    let in_path = call.request.param("id");
    if !in_path.is_empty() && rule.id != in_path {
        return Err(ApiError::bad_request(
            "ACL binding rule ID does not match request path",
        ));
    }
    if rule.id.is_empty() {
        rule.id = clock::uuid();
    } else {
        let old = call.state.acl_binding_rule(&rule.id);
        let old = old.ok_or_else(|| {
            ApiError::bad_request(format!("cannot find binding rule {}", rule.id))
        })?;
        complete(&mut rule, old);
    }
    check("binding rule 0", faults(&rule))?;
    if call.state.acl_auth_method(&rule.auth_method).is_none() {
        return Err(ApiError::bad_request(format!(
            "ACL auth method {} not found",
            rule.auth_method
        )));
    }
    let said = (
        &rule.description,
        &rule.auth_method,
        &rule.selector,
        &rule.bind_type,
        &rule.bind_name,
    );
    rule.hash = super::super::content_hash(&said);
    (rule.create_time, rule.modify_time) = (now(), now());
    let id = rule.id.clone();
    let applied = super::write(call, Command::UpsertAclBindingRules { rules: vec![rule] }).await?;
    let state = call.after(&applied).await;
    let rule = state
        .acl_binding_rule(&id)
        .ok_or_else(|| ApiError::not_found("ACL binding rule not found"))?;
    Answer::json(rule.as_ref(), Meta::write(applied.index))
}

pub(super) async fn delete(call: &Call) -> Answered {
    let ids = vec![call.request.param("id").to_owned()];
    let applied = super::write(call, Command::DeleteAclBindingRules { ids }).await?;
    done(&applied)
}
