//! Who gives tokens: Vault and Consul, for an identity that the servers signed.

use std::sync::Arc;

use async_trait::async_trait;

use super::TokenError;
use crate::consul::Consul;
use crate::grant::Granted;
use crate::vault::{Vault, VaultConfig};

/// Who gives tokens for signed identities.
#[async_trait]
pub(super) trait Issuer: Send + Sync {
    async fn exchange(&self, jwt: &str) -> Result<Granted, TokenError>;

    /// Has a token last longer; `None` where that is not done.
    async fn renew(&self, _granted: &Granted) -> Result<Option<Granted>, TokenError> {
        Ok(None)
    }
}

pub(super) struct VaultLogin(pub(super) VaultConfig);

#[async_trait]
impl Issuer for VaultLogin {
    async fn exchange(&self, jwt: &str) -> Result<Granted, TokenError> {
        let vault = Vault::login(self.0.clone(), jwt).await?;
        Ok(Granted {
            token: vault.token().to_owned(),
            lasts: vault.lasts(),
        })
    }

    async fn renew(&self, granted: &Granted) -> Result<Option<Granted>, TokenError> {
        let vault = Vault::with_token(self.0.clone(), &granted.token)?;
        let lasts = vault.renew().await?;
        Ok(Some(Granted {
            lasts,
            ..granted.clone()
        }))
    }
}

#[async_trait]
impl Issuer for Arc<Consul> {
    async fn exchange(&self, jwt: &str) -> Result<Granted, TokenError> {
        Ok(self.login(&self.config.task_auth_method, jwt).await?)
    }
}
