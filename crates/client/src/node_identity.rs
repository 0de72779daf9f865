//! The signed identity of the node itself: asked for when somebody looks, kept until most of it is over.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::clock;
use crate::link::{Caller, Found, LinkError, Lookup, ServerLink, What};

/// What the servers signed last.
#[derive(Default)]
pub(crate) struct NodeIdentity(Mutex<Option<Held>>);

struct Held {
    claims: Value,
    /// When it is replaced, in nanoseconds since 1970: once less than a third of its time is left.
    renew_at: i64,
}

impl NodeIdentity {
    /// What the identity says, with a new one where there is none or little of it is left.
    ///
    /// # Errors
    /// No server can be reached, or none signs.
    pub(crate) async fn claims(
        &self,
        link: &dyn ServerLink,
        caller: Caller,
    ) -> Result<Value, LinkError> {
        let mut held = self.0.lock().await;
        if let Some(held) = held.as_ref().filter(|held| clock::now().0 < held.renew_at) {
            return Ok(held.claims.clone());
        }
        let new = signed(link, caller).await?;
        Ok(held.insert(new).claims.clone())
    }

    /// Replaces the identity, however long it would last.
    ///
    /// # Errors
    /// As [`Self::claims`].
    pub(crate) async fn renew(
        &self,
        link: &dyn ServerLink,
        caller: Caller,
    ) -> Result<(), LinkError> {
        let new = signed(link, caller).await?;
        *self.0.lock().await = Some(new);
        Ok(())
    }
}

async fn signed(link: &dyn ServerLink, caller: Caller) -> Result<Held, LinkError> {
    let began = clock::now().0;
    let request = Lookup {
        caller,
        what: What::NodeIdentity,
    };
    let Found::NodeIdentity { token, expires } = link.lookup(request).await? else {
        return Err(LinkError::Unavailable(
            "the servers sign no identities".into(),
        ));
    };
    let claims = claims_of(&token)
        .ok_or_else(|| LinkError::Refused("the servers' identity cannot be read".into()))?;
    Ok(Held {
        claims,
        renew_at: began + expires.saturating_sub(began) / 3 * 2,
    })
}

/// The middle part of a token. Who signed it need not be checked: it came from the servers.
fn claims_of(token: &str) -> Option<Value> {
    let middle = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&middle).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claims_are_the_middle_of_the_token() {
        let token = format!(
            "head.{}.signature",
            URL_SAFE_NO_PAD.encode(br#"{"sub":"node:global"}"#)
        );
        assert_eq!(
            claims_of(&token),
            Some(serde_json::json!({"sub": "node:global"}))
        );
        assert_eq!((claims_of("x"), claims_of("a.b.c")), (None, None));
    }
}
