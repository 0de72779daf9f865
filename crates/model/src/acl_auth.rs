//! Sign-in from elsewhere: methods, and rules that bind what is claimed to roles and policies.

use crate::shape;
use crate::time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kinds of methods.
pub mod auth_method_type {
    /// A browser goes to a provider.
    pub const OIDC: &str = "OIDC";
    /// A signed token is shown.
    pub const JWT: &str = "JWT";
}

/// What a rule binds to.
pub mod bind_type {
    /// A role.
    pub const ROLE: &str = "role";
    /// A policy.
    pub const POLICY: &str = "policy";
    /// A management token.
    pub const MANAGEMENT: &str = "management";
}

/// A way to sign in.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "ACLAuthMethod", rename_all = "PascalCase")]
pub struct AclAuthMethod {
    /// How long the tokens it makes live.
    #[serde(rename = "MaxTokenTTL", with = "shape::duration_text")]
    pub max_token_ttl: Duration,
    /// Its name.
    pub name: String,
    /// One of [`auth_method_type`].
    pub r#type: String,
    /// `local` or `global`: where the tokens hold.
    pub token_locality: String,
    /// How the tokens are named.
    pub token_name_format: String,
    /// Whether it is used when none is named.
    pub default: bool,
    /// How it works.
    pub config: Option<AclAuthMethodConfig>,
    /// Digest of what users set.
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    /// When it was created.
    pub create_time: Timestamp,
    /// When it last changed.
    pub modify_time: Timestamp,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

impl AclAuthMethod {
    /// The method as lists show it.
    #[must_use]
    pub fn stub(&self) -> AclAuthMethodListStub {
        AclAuthMethodListStub {
            name: self.name.clone(),
            r#type: self.r#type.clone(),
            default: self.default,
            hash: self.hash.clone(),
            create_index: self.create_index,
            modify_index: self.modify_index,
        }
    }
}

/// A method as lists show it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "members mean what they mean in AclAuthMethod")]
pub struct AclAuthMethodListStub {
    pub name: String,
    pub r#type: String,
    pub default: bool,
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// How a method works.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclAuthMethodConfig {
    /// How far after its end a token still holds.
    #[serde(with = "shape::duration_text")]
    pub expiration_leeway: Duration,
    /// How far before its begin a token holds already.
    #[serde(with = "shape::duration_text")]
    pub not_before_leeway: Duration,
    /// How far clocks may differ.
    #[serde(with = "shape::duration_text")]
    pub clock_skew_leeway: Duration,
    /// Public keys in PEM.
    #[serde(rename = "JWTValidationPubKeys", with = "shape::nullable")]
    pub jwt_validation_pub_keys: Vec<String>,
    /// Where to get the public keys.
    #[serde(rename = "JWKSURL")]
    pub jwks_url: String,
    /// Where to find the provider.
    #[serde(rename = "OIDCDiscoveryURL")]
    pub oidc_discovery_url: String,
    /// This cluster's name for the provider.
    #[serde(rename = "OIDCClientID")]
    pub oidc_client_id: String,
    /// This cluster's secret for the provider: never shown.
    #[serde(rename = "OIDCClientSecret")]
    pub oidc_client_secret: String,
    /// A signed proof instead of a secret.
    #[serde(rename = "OIDCClientAssertion")]
    pub oidc_client_assertion: Option<serde_json::Value>,
    /// Whether to use a proof key for the code.
    #[serde(rename = "OIDCEnablePKCE")]
    pub oidc_enable_pkce: bool,
    /// Whether not to ask for user information.
    #[serde(rename = "OIDCDisableUserInfo")]
    pub oidc_disable_user_info: bool,
    /// Scopes to ask for.
    #[serde(rename = "OIDCScopes", with = "shape::nullable")]
    pub oidc_scopes: Vec<String>,
    /// Audiences that are accepted.
    #[serde(with = "shape::nullable")]
    pub bound_audiences: Vec<String>,
    /// Issuers that are accepted.
    #[serde(with = "shape::nullable")]
    pub bound_issuer: Vec<String>,
    /// Where the browser may be sent back to.
    #[serde(rename = "AllowedRedirectURIs", with = "shape::nullable")]
    pub allowed_redirect_uris: Vec<String>,
    /// Certificates for the provider, in PEM.
    #[serde(with = "shape::nullable")]
    pub discovery_ca_pem: Vec<String>,
    /// Certificate for the public keys' address, in PEM.
    #[serde(rename = "JWKSCACert")]
    pub jwks_ca_cert: String,
    /// Signature algorithms that are accepted.
    #[serde(with = "shape::nullable")]
    pub signing_algs: Vec<String>,
    /// Claims to values for rules.
    #[serde(with = "shape::nullable")]
    pub claim_mappings: BTreeMap<String, String>,
    /// Claims to lists for rules.
    #[serde(with = "shape::nullable")]
    pub list_claim_mappings: BTreeMap<String, String>,
    /// Whether to log what is claimed.
    pub verbose_logging: bool,
}

/// A rule that gives those who sign in a role or a policy.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "ACLBindingRule", rename_all = "PascalCase")]
pub struct AclBindingRule {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// What it is for.
    pub description: String,
    /// The method it holds for.
    pub auth_method: String,
    /// An expression over what is claimed; empty: everybody.
    pub selector: String,
    /// One of [`bind_type`].
    pub bind_type: String,
    /// The role or policy; may have `${…}` in it.
    pub bind_name: String,
    /// Digest of what users set.
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    /// When it was created.
    pub create_time: Timestamp,
    /// When it last changed.
    pub modify_time: Timestamp,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

impl AclBindingRule {
    /// The rule as lists show it.
    #[must_use]
    pub fn stub(&self) -> AclBindingRuleListStub {
        AclBindingRuleListStub {
            id: self.id.clone(),
            description: self.description.clone(),
            auth_method: self.auth_method.clone(),
            hash: self.hash.clone(),
            create_index: self.create_index,
            modify_index: self.modify_index,
        }
    }
}

/// A rule as lists show it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "members mean what they mean in AclBindingRule")]
pub struct AclBindingRuleListStub {
    #[serde(rename = "ID")]
    pub id: String,
    pub description: String,
    pub auth_method: String,
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// Body of `POST /v1/acl/oidc/auth-url`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "ACLOIDCAuthURLRequest", rename_all = "PascalCase")]
pub struct OidcAuthUrlRequest {
    /// The method.
    pub auth_method_name: String,
    /// Where the browser is sent back to.
    #[serde(rename = "RedirectURI")]
    pub redirect_uri: String,
    /// Random text of the caller.
    pub client_nonce: String,
}

/// Where to send the browser.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OidcAuthUrlResponse {
    /// The address.
    #[serde(rename = "AuthURL")]
    pub auth_url: String,
}

/// Body of `POST /v1/acl/oidc/complete-auth`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(
    default,
    rename = "ACLOIDCCompleteAuthRequest",
    rename_all = "PascalCase"
)]
pub struct OidcCompleteAuthRequest {
    /// The method.
    pub auth_method_name: String,
    /// Random text of the caller, as before.
    pub client_nonce: String,
    /// What the provider sent back.
    pub state: String,
    /// The code the provider sent back.
    pub code: String,
    /// Where the browser was sent back to.
    #[serde(rename = "RedirectURI")]
    pub redirect_uri: String,
    /// Who sent it back.
    pub iss: String,
}

/// Body of `POST /v1/acl/login`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "ACLLoginRequest", rename_all = "PascalCase")]
pub struct LoginRequest {
    /// The method.
    pub auth_method_name: String,
    /// The signed token.
    pub login_token: String,
}

/// Body of `POST /v1/acl/identity/client-introduction-token`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ClientIntroductionTokenRequest {
    /// How long it holds.
    #[serde(rename = "TTL", with = "shape::duration_text")]
    pub ttl: Duration,
    /// For the node of this name only.
    pub node_name: String,
    /// For nodes of this pool only.
    pub node_pool: String,
}

/// A token by which a new node introduces itself.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientIntroductionTokenResponse {
    /// The token.
    #[serde(rename = "JWT")]
    pub jwt: String,
}
