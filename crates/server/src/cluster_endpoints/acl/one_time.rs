//! One-time tokens: a secret that may be shown to a browser, traded once and soon for the token itself.

use super::now;
use crate::clock;
use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use caravan_state::Command;

/// How long it can be traded.
const LIFE: Duration = Duration::from_secs(10 * 60);

pub(super) async fn create(call: &Call) -> Answered {
    let Some(token) = &call.caller.token else {
        return Err(ApiError::internal(
            "acl token lookup failed: missing secret id",
        ));
    };
    let made = OneTimeToken {
        one_time_secret_id: clock::uuid(),
        accessor_id: token.accessor_id.clone(),
        expires_at: Timestamp(now().0 + LIFE.0),
        ..OneTimeToken::default()
    };
    let secret = made.one_time_secret_id.clone();
    let applied = super::write(
        call,
        Command::UpsertOneTimeToken {
            token: Box::new(made),
        },
    )
    .await?;
    let state = call.after(&applied).await;
    let one_time_token = state
        .one_time_token(&secret)
        .map(|token| token.as_ref().clone());
    let answer = OneTimeTokenResponse {
        one_time_token,
        index: applied.index,
    };
    Answer::json(&answer, Meta::write(applied.index))
}

pub(super) async fn exchange(call: &Call) -> Answered {
    let body: OneTimeTokenExchangeRequest = call.request.json()?;
    if body.one_time_secret_id.is_empty() {
        return Err(ApiError::internal(
            "one-time token lookup failed: missing secret",
        ));
    }
    let at = now();
    let known = call.state.one_time_token(&body.one_time_secret_id);
    let known = known
        .filter(|known| known.expires_at > at)
        .ok_or_else(ApiError::permission_denied)?;
    let token = call
        .state
        .acl_token(&known.accessor_id)
        .filter(|token| !token.is_expired(at));
    let token = token.ok_or_else(ApiError::permission_denied)?;
    // Those that nobody traded in time go with the one that is traded.
    let over = call
        .state
        .one_time_tokens()
        .filter(|other| other.expires_at <= at);
    let mut secrets: Vec<String> = over.map(|other| other.one_time_secret_id.clone()).collect();
    secrets.push(body.one_time_secret_id);
    let traded = super::write(call, Command::DeleteOneTimeTokens { secrets }).await;
    let applied = traded.map_err(|_| ApiError::permission_denied())?;
    let token = super::tokens::shown(&call.state, token);
    let answer = OneTimeTokenExchangeResponse {
        token: Some(token),
        index: applied.index,
    };
    Answer::json(&answer, Meta::write(applied.index))
}
