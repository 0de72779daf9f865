//! Access control (http-api §2.12): one file an object, and the ways to get a token.

mod auth_methods;
mod binding_rules;
mod bootstrap;
mod introduction;
mod login;
mod one_time;
mod policies;
mod roles;
mod tokens;

pub(super) use auth_methods::shown as shown_method;

use crate::admission::error_text;
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Op};
use caravan_model::*;
use caravan_state::{Applied, ApplyError, Command, Table};
use std::sync::Arc;

/// How long names of policies, roles and methods may be.
const MAX_NAME: usize = 128;
/// How long descriptions, and names of tokens, may be.
const MAX_TEXT: usize = 256;

pub(super) fn answers(op: Op) -> bool {
    op.name().starts_with("Acl")
}

pub(super) async fn dispatch(call: &Call) -> Answered {
    if !call.shared.config.acl_enabled {
        return match call.request.op {
            Op::AclTokenSelf => tokens::while_off(call),
            _ => Err(ApiError::acl_disabled()),
        };
    }
    match call.request.op {
        Op::AclBootstrap => bootstrap::bootstrap(call).await,
        Op::AclPolicyList => policies::list(call),
        Op::AclPolicySelf => policies::own(call),
        Op::AclPolicyRead => policies::read(call),
        Op::AclPolicyUpsert => policies::upsert(call).await,
        Op::AclPolicyDelete => policies::delete(call).await,
        Op::AclTokenList => tokens::list(call),
        Op::AclTokenSelf => tokens::own(call),
        Op::AclTokenRead => tokens::read(call),
        Op::AclTokenCreate | Op::AclTokenUpdate => tokens::upsert(call).await,
        Op::AclTokenDelete => tokens::delete(call).await,
        Op::AclTokenOneTimeCreate => one_time::create(call).await,
        Op::AclTokenOneTimeExchange => one_time::exchange(call).await,
        Op::AclRoleList => roles::list(call),
        Op::AclRoleRead => roles::read(call),
        Op::AclRoleReadByName => roles::read_by_name(call),
        Op::AclRoleCreate | Op::AclRoleUpdate => roles::upsert(call).await,
        Op::AclRoleDelete => roles::delete(call).await,
        Op::AclAuthMethodList => auth_methods::list(call),
        Op::AclAuthMethodRead => auth_methods::read(call),
        Op::AclAuthMethodCreate | Op::AclAuthMethodUpdate => auth_methods::upsert(call).await,
        Op::AclAuthMethodDelete => auth_methods::delete(call).await,
        Op::AclBindingRuleList => binding_rules::list(call),
        Op::AclBindingRuleRead => binding_rules::read(call),
        Op::AclBindingRuleCreate | Op::AclBindingRuleUpdate => binding_rules::upsert(call).await,
        Op::AclBindingRuleDelete => binding_rules::delete(call).await,
        Op::AclOidcAuthUrl => login::auth_url(call).await,
        Op::AclOidcCompleteAuth => login::complete_auth(call).await,
        Op::AclLogin => login::login(call).await,
        Op::AclClientIntroductionToken => introduction::token(call).await,
        op => Err(ApiError::internal(format!(
            "{} is no operation of access control",
            op.name()
        ))),
    }
}

/// Answers a list. Even before the first was written there is something to wait for.
fn rows<T: serde::Serialize>(call: &Call, rows: &[T], tables: &[Table]) -> Answered {
    call.object(rows, call.state.index_of_any(tables), tables)
}

/// The error of what is not there.
fn missing(call: &Call, text: &str, tables: &[Table]) -> ApiError {
    let index = call.state.index_of_any(tables).max(1);
    ApiError::not_found(text).with_meta(call.head(index, tables))
}

/// Proposes a change whose refusals are faults of the request.
async fn write(call: &Call, command: Command) -> Result<Arc<Applied>, ApiError> {
    call.shared
        .proposer
        .propose(&command)
        .await
        .map_err(|error| match error {
            crate::propose::ProposeError::Refused(
                refused @ (ApplyError::AclBootstrapped(_)
                | ApplyError::DefaultAuthMethodTaken { .. }),
            ) => ApiError::bad_request(refused.to_string()),
            other => other.into(),
        })
}

/// Refuses an object that has faults: `what` is how the object is called in front of them.
fn check(what: &str, faults: Vec<String>) -> Result<(), ApiError> {
    if faults.is_empty() {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "{what} invalid: {}",
        error_text(&faults)
    )))
}

/// Whether a text is a name: letters, digits and hyphens.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn long_description(text: &str) -> Option<String> {
    (text.chars().count() > MAX_TEXT).then(|| format!("description longer than {MAX_TEXT}"))
}

/// A moment as creations carry it.
fn now() -> Timestamp {
    Timestamp(crate::clock::now().0)
}

/// The answer to a write that shows nothing.
fn done(applied: &Applied) -> Answered {
    Ok(Answer::empty(caravan_http::Meta::write(applied.index)))
}
