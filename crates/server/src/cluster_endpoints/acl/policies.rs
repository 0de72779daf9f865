//! Policies: rules under a name. Management sees all, others those that they hold.

use super::{check, done, is_name, long_description, missing, rows};
use crate::caller::Caller;
use crate::endpoints::{Answered, Call};
use crate::policies::{anonymous_policies, policies_of, policies_of_workload};
use caravan_acl::Policy;
use caravan_http::ApiError;
use caravan_model::*;
use caravan_state::{Command, State, Table};
use std::sync::Arc;

const TABLES: &[Table] = &[Table::AclPolicies];

/// The policies that a caller without management holds.
fn held(state: &State, caller: &Caller) -> Vec<Arc<AclPolicy>> {
    match (&caller.token, &caller.workload) {
        (Some(token), _) => policies_of(state, token),
        (None, Some(workload)) => policies_of_workload(state, workload),
        (None, None) => anonymous_policies(state),
    }
}

pub(super) fn list(call: &Call) -> Answered {
    let prefix = call.request.options.prefix.as_str();
    let visible: Vec<_> = if call.caller.is_management() {
        call.state.acl_policies().cloned().collect()
    } else {
        held(&call.state, &call.caller)
    };
    let stubs: Vec<_> = visible
        .iter()
        .filter(|policy| policy.name.starts_with(prefix))
        .map(|policy| policy.stub())
        .collect();
    rows(call, &stubs, TABLES)
}

/// The caller's own, with their rules.
pub(super) fn own(call: &Call) -> Answered {
    if call.caller.token.is_none() && call.caller.workload.is_none() {
        return Err(ApiError::permission_denied());
    }
    let policies: Vec<_> = held(&call.state, &call.caller)
        .iter()
        .map(|policy| shown(policy))
        .collect();
    rows(call, &policies, TABLES)
}

/// The policy with its rules as read.
fn shown(policy: &AclPolicy) -> AclPolicy {
    let rules = Policy::parse(&policy.rules).unwrap_or_default();
    AclPolicy {
        rules_json: caravan_codec::json::to_value(&rules).ok(),
        ..policy.clone()
    }
}

pub(super) fn read(call: &Call) -> Answered {
    let name = call.request.param("name").to_owned();
    let holds = || {
        held(&call.state, &call.caller)
            .iter()
            .any(|policy| policy.name == name)
    };
    if !call.caller.is_management() && !holds() {
        return Err(ApiError::permission_denied());
    }
    match call.state.acl_policy(&name) {
        Some(policy) => call.object(&shown(policy), policy.modify_index, TABLES),
        None => Err(missing(call, "ACL policy not found", TABLES)),
    }
}

fn faults(policy: &AclPolicy) -> Vec<String> {
    let mut faults = Vec::new();
    if !is_name(&policy.name) {
        faults.push(format!("invalid name '{}'", policy.name));
    }
    if let Err(error) = Policy::parse(&policy.rules) {
        faults.push(format!("failed to parse rules: {error}"));
    }
    faults.extend(long_description(&policy.description));
    if let Some(acl) = &policy.job_acl {
        if acl.job_id.is_empty() && !acl.group.is_empty() {
            faults.push("job ID must be set to set group".to_owned());
        }
        if acl.group.is_empty() && !acl.task.is_empty() {
            faults.push("group must be set to set task".to_owned());
        }
        if acl.job_id.is_empty() && acl.group.is_empty() && acl.task.is_empty() {
            faults.push("job ID must be set for a policy of a job".to_owned());
        }
    }
    faults
}

pub(super) async fn upsert(call: &Call) -> Answered {
    let mut policy: AclPolicy = call.request.json()?;
    if policy.name != call.request.param("name") {
        return Err(ApiError::bad_request(
            "ACL policy name does not match request path",
        ));
    }
    check("policy 0", faults(&policy))?;
    if let Some(acl) = &mut policy.job_acl
        && acl.namespace.is_empty()
    {
        acl.namespace = NamespaceName::default_namespace();
    }
    policy.rules_json = None;
    policy.hash = super::super::content_hash(&(
        &policy.name,
        &policy.description,
        &policy.rules,
        &policy.job_acl,
    ));
    let applied = super::write(
        call,
        Command::UpsertAclPolicies {
            policies: vec![policy],
        },
    )
    .await?;
    done(&applied)
}

pub(super) async fn delete(call: &Call) -> Answered {
    let names = vec![call.request.param("name").to_owned()];
    let applied = super::write(call, Command::DeleteAclPolicies { names }).await?;
    done(&applied)
}
