//! Whether a signed token holds: its signature, its time, whom it is from and for.

use super::{Claimed, SignInError, candidates};
use caravan_model::AclAuthMethodConfig;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

/// How long after its end, and before its begin, a token is still accepted when the method does not say (seconds).
const LEEWAY: i64 = 150;
/// How far clocks may differ when the method does not say (seconds).
const SKEW: i64 = 60;
/// The algorithm that is accepted when the method names none.
const USUAL: &str = "RS256";

/// Public keys.
pub(super) enum Keys {
    /// As texts in PEM.
    Pem(Vec<String>),
    /// As their owner publishes them.
    Set(JwkSet),
}

/// What the token claims.
pub(super) fn verify(
    config: &AclAuthMethodConfig,
    keys: &Keys,
    issuer: Option<&str>,
    token: &str,
    now: i64,
) -> Result<Claimed, SignInError> {
    let head = jsonwebtoken::decode_header(token)
        .map_err(|error| SignInError::Malformed(error.to_string()))?;
    let name = format!("{:?}", head.alg);
    let accepted = match config.signing_algs.as_slice() {
        [] => name == USUAL,
        named => named.contains(&name),
    };
    let symmetric = matches!(
        head.alg,
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512
    );
    if !accepted || symmetric {
        return Err(SignInError::Algorithm(name));
    }
    let mut rules = Validation::new(head.alg);
    // Times and audiences are asked for below, with the method's own leeways.
    (rules.validate_exp, rules.validate_nbf, rules.validate_aud) = (false, false, false);
    rules.required_spec_claims.clear();
    let read = |key: &DecodingKey| jsonwebtoken::decode::<Claimed>(token, key, &rules).ok();
    let found = match keys {
        Keys::Pem(texts) => {
            let mut found = None;
            for text in texts {
                found = found.or(read(&from_pem(text)?));
            }
            found
        }
        Keys::Set(set) => candidates(set, head.kid.as_deref()).find_map(|key| read(&key)),
    };
    let claims = found.ok_or(SignInError::Signature)?.claims;
    holds(config, issuer, &claims, now).map_err(SignInError::Claims)?;
    Ok(claims)
}

fn from_pem(text: &str) -> Result<DecodingKey, SignInError> {
    let bytes = text.as_bytes();
    DecodingKey::from_rsa_pem(bytes)
        .or_else(|_| DecodingKey::from_ec_pem(bytes))
        .or_else(|_| DecodingKey::from_ed_pem(bytes))
        .map_err(|error| SignInError::Key(error.to_string()))
}

/// The members of a claim that may be one text or several.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn seconds(duration: caravan_model::Duration, usual: i64) -> i64 {
    match duration.0 {
        0 => usual,
        // Below zero asks for no leeway at all.
        nanos => (nanos / 1_000_000_000).max(0),
    }
}

fn holds(
    config: &AclAuthMethodConfig,
    issuer: Option<&str>,
    claims: &Claimed,
    now: i64,
) -> Result<(), String> {
    let time = |name: &str| {
        claims
            .get(name)
            .and_then(Value::as_f64)
            .map(|seconds| seconds as i64)
    };
    let (issued, begin, end) = (time("iat"), time("nbf"), time("exp"));
    if issued.is_none() && begin.is_none() && end.is_none() {
        return Err(
            "no issued at (iat), not before (nbf), or expiration time (exp) claims in token"
                .to_owned(),
        );
    }
    let skew = seconds(config.clock_skew_leeway, SKEW);
    let begin = begin.unwrap_or_else(|| issued.unwrap_or_else(|| end.unwrap_or(0) - LEEWAY));
    if now < begin - seconds(config.not_before_leeway, LEEWAY) - skew {
        return Err("invalid not before (nbf) claim: token not yet valid".to_owned());
    }
    let end = end.unwrap_or_else(|| begin + LEEWAY);
    if now > end + seconds(config.expiration_leeway, LEEWAY) + skew {
        return Err("invalid expiration time (exp) claim: token is expired".to_owned());
    }
    let from = claims
        .get("iss")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let known = match (config.bound_issuer.as_slice(), issuer) {
        ([], Some(issuer)) => from == issuer,
        ([], None) => true,
        (bound, _) => bound.iter().any(|bound| bound == from),
    };
    if !known {
        return Err("invalid issuer (iss) claim".to_owned());
    }
    let audience = texts(claims.get("aud"));
    match config.bound_audiences.as_slice() {
        [] if audience.is_empty() => Ok(()),
        [] => Err(
            "audience claim found in JWT but no audiences are bound to the auth method".to_owned(),
        ),
        bound
            if audience
                .iter()
                .any(|one| bound.iter().any(|bound| bound == one)) =>
        {
            Ok(())
        }
        _ => Err("invalid audience (aud) claim".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use caravan_identity::RootKey;
    use caravan_model::Duration;
    use serde_json::json;

    const NOW: i64 = 1_700_000_000;

    fn key() -> RootKey {
        RootKey::new(
            "k",
            [1; 32],
            RootKey::generate_signing_der().expect("a key"),
        )
        .expect("a key")
    }

    fn set(key: &RootKey) -> Keys {
        let keys = serde_json::to_value(caravan_model::Jwks {
            keys: vec![key.jwk()],
        })
        .expect("JSON");
        Keys::Set(serde_json::from_value(keys).expect("a set of keys"))
    }

    fn bound(to: &str) -> AclAuthMethodConfig {
        AclAuthMethodConfig {
            bound_audiences: vec![to.to_owned()],
            ..AclAuthMethodConfig::default()
        }
    }

    #[test]
    fn what_a_known_key_signed_holds_in_its_time_and_for_its_audience() {
        let key = key();
        let config = bound("nomad");
        for (claims, told) in [
            (json!({"aud": "nomad", "exp": NOW + 60, "sub": "x"}), None),
            (json!({"aud": ["a", "nomad"], "iat": NOW}), None),
            (json!({"aud": "nomad", "exp": NOW - 200}), None),
            (
                json!({"aud": "nomad", "exp": NOW - 300}),
                Some("invalid claims: invalid expiration time (exp) claim: token is expired"),
            ),
            (
                json!({"aud": "nomad", "nbf": NOW + 300}),
                Some("invalid claims: invalid not before (nbf) claim: token not yet valid"),
            ),
            (
                json!({"aud": "other", "iat": NOW}),
                Some("invalid claims: invalid audience (aud) claim"),
            ),
            (
                json!({"iat": NOW}),
                Some("invalid claims: invalid audience (aud) claim"),
            ),
            (
                json!({"aud": "nomad"}),
                Some(
                    "invalid claims: no issued at (iat), not before (nbf), or expiration time (exp) claims in token",
                ),
            ),
        ] {
            let token = key.sign(&claims).expect("signed");
            let answer =
                verify(&config, &set(&key), None, &token, NOW).map_err(|error| error.to_string());
            assert_eq!(answer.err().as_deref(), told, "{claims}");
        }
        let exact = AclAuthMethodConfig {
            expiration_leeway: Duration(-1),
            clock_skew_leeway: Duration(-1),
            ..bound("nomad")
        };
        let over = key
            .sign(&json!({"aud": "nomad", "exp": NOW - 1}))
            .expect("signed");
        assert!(verify(&exact, &set(&key), None, &over, NOW).is_err());
    }

    #[test]
    fn issuers_are_bound_by_the_method_or_by_discovery() {
        let key = key();
        let token = key
            .sign(&json!({"iss": "https://one", "iat": NOW}))
            .expect("signed");
        let mut config = AclAuthMethodConfig::default();
        assert!(verify(&config, &set(&key), None, &token, NOW).is_ok());
        assert!(verify(&config, &set(&key), Some("https://one"), &token, NOW).is_ok());
        assert!(verify(&config, &set(&key), Some("https://two"), &token, NOW).is_err());
        config.bound_issuer = vec!["https://two".to_owned()];
        assert!(verify(&config, &set(&key), None, &token, NOW).is_err());
    }

    #[test]
    fn other_keys_and_other_algorithms_are_refused() {
        let (one, two) = (key(), key());
        let token = one.sign(&json!({"iat": NOW})).expect("signed");
        let config = AclAuthMethodConfig::default();
        assert_eq!(
            verify(&config, &set(&two), None, &token, NOW).err(),
            Some(SignInError::Signature)
        );
        let strict = AclAuthMethodConfig {
            signing_algs: vec!["ES256".to_owned()],
            ..config.clone()
        };
        let refused = verify(&strict, &set(&one), None, &token, NOW).err();
        assert_eq!(refused, Some(SignInError::Algorithm("RS256".to_owned())));
        let malformed = verify(&config, &set(&one), None, "rubbish", NOW);
        assert!(matches!(malformed, Err(SignInError::Malformed(_))));
        let forged = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln";
        assert_eq!(
            verify(&config, &set(&one), None, forged, NOW).err(),
            Some(SignInError::Signature)
        );
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.";
        assert!(verify(&config, &set(&one), None, unsigned, NOW).is_err());
        let symmetric = AclAuthMethodConfig {
            signing_algs: vec!["HS256".to_owned()],
            ..config
        };
        let hs256 = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln";
        assert_eq!(
            verify(&symmetric, &set(&one), None, hs256, NOW).err(),
            Some(SignInError::Algorithm("HS256".to_owned()))
        );
    }
}
