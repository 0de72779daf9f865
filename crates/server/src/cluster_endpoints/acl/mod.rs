//! Access control (http-api §2.12): tokens.

use crate::clock;
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta, Op};
use caravan_model::*;
use caravan_state::{ApplyError, Command, Table};

pub(super) fn answers(op: Op) -> bool {
    op.name().starts_with("Acl")
}

pub(super) async fn dispatch(call: &Call) -> Answered {
    if !call.shared.config.acl_enabled {
        return match call.request.op {
            Op::AclTokenSelf => call.tables(&disabled_token(), &[Table::AclTokens]),
            _ => Err(ApiError::acl_disabled()),
        };
    }
    match call.request.op {
        Op::AclBootstrap => bootstrap(call).await,
        Op::AclTokenSelf => token_self(call),
        op => Err(ApiError::new(
            501,
            format!("{} is not supported by this version", op.name()),
        )),
    }
}

/// Who everybody is while access control is off.
fn disabled_token() -> AclToken {
    AclToken {
        accessor_id: caravan_model::acl::ACLS_DISABLED.to_owned(),
        name: "ACLs disabled token".to_owned(),
        r#type: token_type::MANAGEMENT.to_owned(),
        global: true,
        ..AclToken::default()
    }
}

fn anonymous_token() -> AclToken {
    AclToken {
        accessor_id: caravan_model::acl::ANONYMOUS.to_owned(),
        name: "Anonymous Token".to_owned(),
        r#type: token_type::CLIENT.to_owned(),
        policies: vec![caravan_model::acl::ANONYMOUS.to_owned()],
        ..AclToken::default()
    }
}

fn token_self(call: &Call) -> Answered {
    match &call.caller.token {
        Some(token) => call.object(token.as_ref(), token.modify_index, &[Table::AclTokens]),
        None => call.tables(&anonymous_token(), &[Table::AclTokens]),
    }
}

async fn bootstrap(call: &Call) -> Answered {
    let body = call
        .request
        .json_optional::<AclBootstrapRequest>()?
        .unwrap_or_default();
    let secret = if body.bootstrap_secret.is_empty() {
        clock::uuid()
    } else if uuid::Uuid::parse_str(&body.bootstrap_secret).is_ok() {
        body.bootstrap_secret
    } else {
        return Err(ApiError::bad_request("invalid acl token"));
    };
    let mut token = AclToken {
        accessor_id: clock::uuid(),
        secret_id: secret,
        name: "Bootstrap Token".to_owned(),
        r#type: token_type::MANAGEMENT.to_owned(),
        global: true,
        create_time: Timestamp(clock::now().0),
        ..AclToken::default()
    };
    token.hash = super::content_hash(&(&token.name, &token.r#type, &token.policies, token.global));
    let accessor = token.accessor_id.clone();
    let command = Command::BootstrapAcl {
        token: Box::new(token),
        reset_index: 0,
    };
    let applied = call
        .shared
        .proposer
        .propose(&command)
        .await
        .map_err(|error| match error {
            crate::propose::ProposeError::Refused(refused @ ApplyError::AclBootstrapped(_)) => {
                ApiError::bad_request(refused.to_string())
            }
            other => other.into(),
        })?;
    let state = call.after(&applied).await;
    let token = state
        .acl_token(&accessor)
        .ok_or_else(ApiError::token_not_found)?;
    Answer::json(token.as_ref(), Meta::write(applied.index))
}
