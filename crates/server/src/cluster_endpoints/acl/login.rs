//! Signing in: with a token that somebody else signed, or by way of a browser that a provider sends back.

use super::now;
use crate::admission::error_text;
use crate::clock;
use crate::endpoints::{Answered, Call};
use crate::sign_in::bindings::Identity;
use crate::sign_in::{self, Claimed, Provider, SignInError, Started};
use caravan_http::{Answer, ApiError, Meta};
use caravan_model::*;
use std::sync::Arc;

/// Refuses a request that leaves something out.
fn need(what: &str, members: &[(&str, &str)]) -> Result<(), ApiError> {
    let missing: Vec<String> = members
        .iter()
        .filter(|(_, value)| value.is_empty())
        .map(|(name, _)| format!("missing {name}"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(ApiError::bad_request(format!(
        "invalid {what} request: {}",
        error_text(&missing)
    )))
}

fn method(call: &Call, name: &str) -> Result<Arc<AclAuthMethod>, ApiError> {
    let method = call.state.acl_auth_method(&name.to_owned()).cloned();
    method.ok_or_else(|| ApiError::bad_request(format!("auth-method {name:?} not found")))
}

pub(super) async fn login(call: &Call) -> Answered {
    let body: LoginRequest = call.request.json()?;
    need(
        "login",
        &[
            ("auth method name", &body.auth_method_name),
            ("login token", &body.login_token),
        ],
    )?;
    let method = method(call, &body.auth_method_name)?;
    if method.r#type != auth_method_type::JWT {
        return Err(ApiError::bad_request(format!(
            "unsupported auth-method type: {}",
            method.r#type
        )));
    }
    let config = method.config.clone().unwrap_or_default();
    let claims = sign_in::claimed(&config, &body.login_token, clock::now())
        .await
        .map_err(|error| {
            ApiError::new(401, format!("unable to validate provided token: {error}"))
        })?;
    give_token(call, &method, &config, &claims).await
}

/// Makes the token that the claims are worth.
async fn give_token(
    call: &Call,
    method: &AclAuthMethod,
    config: &AclAuthMethodConfig,
    claims: &Claimed,
) -> Answered {
    let identity = Identity::of(config, claims);
    if config.verbose_logging {
        tracing::debug!(method = method.name, ?identity, "somebody signs in");
    }
    let bound = identity.bound(&call.state, &method.name);
    if bound.is_nothing() {
        return Err(ApiError::bad_request("no role or policy bindings matched"));
    }
    let created = now();
    let kind = if bound.management {
        token_type::MANAGEMENT
    } else {
        token_type::CLIENT
    };
    let token = AclToken {
        accessor_id: clock::uuid(),
        secret_id: clock::uuid(),
        name: identity.token_name(method),
        r#type: kind.to_owned(),
        policies: (!bound.management).then_some(bound.policies),
        roles: bound.roles,
        global: method.token_locality == "global",
        create_time: created,
        expiration_ttl: method.max_token_ttl,
        expiration_time: Timestamp(created.0.saturating_add(method.max_token_ttl.0)),
        ..AclToken::default()
    };
    super::tokens::store(call, token).await
}

fn provider_failed(error: SignInError) -> ApiError {
    ApiError::internal(format!("failed to generate OIDC provider: {error}"))
}

pub(super) async fn auth_url(call: &Call) -> Answered {
    let body: OidcAuthUrlRequest = call.request.json()?;
    need(
        "OIDC auth-url",
        &[
            ("auth method name", &body.auth_method_name),
            ("client nonce", &body.client_nonce),
            ("redirect URI", &body.redirect_uri),
        ],
    )?;
    let method = method(call, &body.auth_method_name)?;
    let config = method.config.clone().unwrap_or_default();
    let provider = Provider::find(&config).await.map_err(provider_failed)?;
    if !config.allowed_redirect_uris.contains(&body.redirect_uri) {
        return Err(ApiError::bad_request(format!(
            "unauthorized redirect URI: {}",
            body.redirect_uri
        )));
    }
    let started = Started {
        method: method.name.clone(),
        nonce: body.client_nonce,
        state: clock::uuid(),
        redirect: body.redirect_uri,
        proof: config
            .oidc_enable_pkce
            .then(|| format!("{}{}", clock::uuid(), clock::uuid())),
        at: clock::now(),
    };
    let auth_url = provider.address(&started).map_err(provider_failed)?;
    call.shared.sign_ins.note(started);
    Answer::json(&OidcAuthUrlResponse { auth_url }, Meta::none())
}

pub(super) async fn complete_auth(call: &Call) -> Answered {
    let body: OidcCompleteAuthRequest = call.request.json()?;
    need(
        "OIDC complete-auth",
        &[
            ("auth method name", &body.auth_method_name),
            ("client nonce", &body.client_nonce),
            ("state", &body.state),
            ("code", &body.code),
            ("redirect URI", &body.redirect_uri),
        ],
    )?;
    let method = method(call, &body.auth_method_name)?;
    let config = method.config.clone().unwrap_or_default();
    let started = call.shared.sign_ins.take(&body, clock::now());
    let started = started
        .ok_or_else(|| ApiError::bad_request("no OIDC request is under way for this state"))?;
    let provider = Provider::find(&config).await.map_err(provider_failed)?;
    let claims = provider
        .claimed(&started, &body.code, clock::now())
        .await
        .map_err(|error| {
            ApiError::new(
                401,
                format!("failed to exchange token with provider: {error}"),
            )
        })?;
    give_token(call, &method, &config, &claims).await
}
