//! The first management token, and the operator's way to another first one.

use super::now;
use crate::clock;
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::Command;
use std::path::PathBuf;

/// The file by which the operator of a server lets access control be bootstrapped again: it holds the index that
/// the refusal of a second bootstrap names.
const RESET_FILE: &str = "acl-bootstrap-reset";

fn reset_file(call: &Call) -> Option<PathBuf> {
    Some(call.shared.config.data_dir.as_ref()?.join(RESET_FILE))
}

/// The index in the operator's file; 0 without one.
async fn reset_index(call: &Call) -> Result<u64, ApiError> {
    let Some(path) = reset_file(call) else {
        return Ok(0);
    };
    let text = match tokio::fs::read_to_string(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => {
            return Err(ApiError::internal(format!(
                "failed to read {}: {error}",
                path.display()
            )));
        }
    };
    text.trim().parse().map_err(|_| {
        ApiError::internal(format!(
            "failed to parse {}: it must hold one index",
            path.display()
        ))
    })
}

pub(super) async fn bootstrap(call: &Call) -> Answered {
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
    let done = call.state.acl_bootstrap_index();
    let given = if done == 0 {
        0
    } else {
        reset_index(call).await?
    };
    if given != 0 && given != done {
        return Err(ApiError::bad_request(format!(
            "Invalid bootstrap reset index (specified {given}, reset index: {done})"
        )));
    }
    let mut token = AclToken {
        accessor_id: clock::uuid(),
        secret_id: secret,
        name: "Bootstrap Token".to_owned(),
        r#type: token_type::MANAGEMENT.to_owned(),
        global: true,
        create_time: now(),
        ..AclToken::default()
    };
    token.hash = super::tokens::hash(&token);
    let accessor = token.accessor_id.clone();
    let command = Command::BootstrapAcl {
        token: Box::new(token),
        reset_index: given,
    };
    let applied = super::write(call, command).await?;
    if given != 0
        && let Some(path) = reset_file(call)
        && let Err(error) = tokio::fs::remove_file(&path).await
    {
        tracing::warn!(path = %path.display(), %error, "the bootstrap reset file could not be removed; remove it");
    }
    let state = call.after(&applied).await;
    let token = state
        .acl_token(&accessor)
        .ok_or_else(ApiError::token_not_found)?;
    Answer::json(token.as_ref(), Meta::write(applied.index))
}
