//! Introduction tokens: what a new client node shows to be taken in.

use crate::clock;
use crate::endpoints::{Answered, Call};
use crate::keyring;
use caravan_http::{Answer, Meta};
use caravan_model::*;
use serde::Serialize;

/// How long one holds when nobody says.
const LIFE: i64 = 5 * 60;

/// What such a token says. Times are seconds since 1970.
#[derive(Serialize)]
struct Introduction {
    sub: String,
    aud: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    nomad_node_name: String,
    nomad_node_pool: String,
}

pub(super) async fn token(call: &Call) -> Answered {
    let body = call
        .request
        .json_optional::<ClientIntroductionTokenRequest>()?
        .unwrap_or_default();
    let pool = if body.node_pool.is_empty() {
        node_pool::DEFAULT.to_owned()
    } else {
        body.node_pool
    };
    let now = clock::now().seconds();
    let seconds = if body.ttl.0 > 0 {
        body.ttl.0 / 1_000_000_000
    } else {
        LIFE
    };
    let region = &call.shared.config.region;
    let claims = Introduction {
        sub: format!(
            "node-introduction:{region}:{pool}:{}:default",
            body.node_name
        ),
        aud: "nomadproject.io".to_owned(),
        iat: now,
        nbf: now,
        exp: now + seconds,
        jti: clock::uuid(),
        nomad_node_name: body.node_name,
        nomad_node_pool: pool,
    };
    let state = keyring::ready(&call.shared.store).await;
    let key = call.shared.keyring.active(&state)?;
    let jwt = key.sign(&claims).map_err(keyring::KeyringError::from)?;
    Answer::json(&ClientIntroductionTokenResponse { jwt }, Meta::none())
}
