//! Tokens, policies and roles: who may do what.

use crate::id::{JobId, NamespaceName};
use crate::shape;
use crate::time::{Duration, Timestamp};
use serde::{Deserialize, Serialize};

/// Kinds of tokens.
pub mod token_type {
    /// May do what its policies say.
    pub const CLIENT: &str = "client";
    /// May do everything.
    pub const MANAGEMENT: &str = "management";
}

/// Accessor of requests without token, and the name of their policy.
pub const ANONYMOUS: &str = "anonymous";
/// Accessor while access control is off.
pub const ACLS_DISABLED: &str = "acls-disabled";

/// A secret and what it allows.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "ACLToken", rename_all = "PascalCase")]
pub struct AclToken {
    /// How long it lives from its creation; used only when no time is given.
    #[serde(rename = "ExpirationTTL", with = "shape::duration_text")]
    pub expiration_ttl: Duration,
    /// Its public id: a UUID, [`ANONYMOUS`] or [`ACLS_DISABLED`].
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    /// What a request proves itself by.
    #[serde(rename = "SecretID")]
    pub secret_id: String,
    /// Its name.
    pub name: String,
    /// One of [`token_type`].
    pub r#type: String,
    /// Names of policies; none for management tokens, a list, be it empty, for clients.
    pub policies: Option<Vec<String>>,
    /// Roles.
    #[serde(with = "shape::nullable")]
    pub roles: Vec<AclTokenRole>,
    /// Whether it holds in all regions.
    pub global: bool,
    /// Digest of what users set.
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    /// When it was created.
    pub create_time: Timestamp,
    /// Until when it holds.
    pub expiration_time: Timestamp,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

impl AclToken {
    /// Whether it may do everything.
    #[must_use]
    pub fn is_management(&self) -> bool {
        self.r#type == token_type::MANAGEMENT
    }

    /// Whether it no longer holds at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        !self.expiration_time.is_zero() && self.expiration_time <= now
    }

    /// The names of its policies.
    pub fn policy_names(&self) -> impl Iterator<Item = &String> {
        self.policies.iter().flatten()
    }

    /// The token as lists show it: without its secret.
    #[must_use]
    pub fn stub(&self) -> AclTokenListStub {
        AclTokenListStub {
            accessor_id: self.accessor_id.clone(),
            name: self.name.clone(),
            r#type: self.r#type.clone(),
            policies: self.policies.clone(),
            roles: self.roles.clone(),
            global: self.global,
            hash: self.hash.clone(),
            create_time: self.create_time,
            expiration_time: self.expiration_time,
            create_index: self.create_index,
            modify_index: self.modify_index,
        }
    }
}

/// A token as lists show it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "members mean what they mean in AclToken")]
pub struct AclTokenListStub {
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    pub name: String,
    pub r#type: String,
    pub policies: Option<Vec<String>>,
    #[serde(with = "shape::nullable")]
    pub roles: Vec<AclTokenRole>,
    pub global: bool,
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    pub create_time: Timestamp,
    pub expiration_time: Timestamp,
    pub create_index: u64,
    pub modify_index: u64,
}

/// A role that a token has.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclTokenRole {
    /// The role's id.
    #[serde(rename = "ID")]
    pub id: String,
    /// The role's name.
    pub name: String,
}

/// Rules under a name.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "ACLPolicy", rename_all = "PascalCase")]
pub struct AclPolicy {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The rules as written.
    pub rules: String,
    /// The rules as read; made when shown, never stored.
    #[serde(rename = "RulesJSON")]
    pub rules_json: Option<serde_json::Value>,
    /// The workloads that have it without a token.
    #[serde(rename = "JobACL")]
    pub job_acl: Option<JobAcl>,
    /// Digest of what users set.
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

impl AclPolicy {
    /// The policy as lists show it: without its rules.
    #[must_use]
    pub fn stub(&self) -> AclPolicyListStub {
        AclPolicyListStub {
            name: self.name.clone(),
            description: self.description.clone(),
            job_acl: self.job_acl.clone(),
            hash: self.hash.clone(),
            create_index: self.create_index,
            modify_index: self.modify_index,
        }
    }
}

/// A policy as lists show it.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs, reason = "members mean what they mean in AclPolicy")]
pub struct AclPolicyListStub {
    pub name: String,
    pub description: String,
    #[serde(rename = "JobACL")]
    pub job_acl: Option<JobAcl>,
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    pub create_index: u64,
    pub modify_index: u64,
}

/// The workloads that have a policy without a token; empty members match all.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobAcl {
    /// In this namespace.
    pub namespace: NamespaceName,
    /// Of this job.
    #[serde(rename = "JobID")]
    pub job_id: JobId,
    /// Of this group.
    pub group: String,
    /// This task.
    pub task: String,
}

/// Policies under a name, for tokens.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename = "ACLRole", rename_all = "PascalCase")]
pub struct AclRole {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its policies.
    #[serde(with = "shape::nullable")]
    pub policies: Vec<AclRolePolicy>,
    /// Digest of what users set.
    #[serde(with = "shape::base64_bytes")]
    pub hash: Vec<u8>,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

/// A policy of a role.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclRolePolicy {
    /// Its name.
    pub name: String,
}

/// A secret that can be traded for a token, once.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct OneTimeToken {
    /// The secret.
    #[serde(rename = "OneTimeSecretID")]
    pub one_time_secret_id: String,
    /// The token it is traded for.
    #[serde(rename = "AccessorID")]
    pub accessor_id: String,
    /// Until when it holds.
    pub expires_at: Timestamp,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

/// Answer with a new one-time token.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct OneTimeTokenResponse {
    /// The new one.
    pub one_time_token: Option<OneTimeToken>,
    /// Index of the write.
    pub index: u64,
}

/// Body of `POST /v1/acl/token/onetime/exchange`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct OneTimeTokenExchangeRequest {
    /// The secret.
    #[serde(rename = "OneTimeSecretID")]
    pub one_time_secret_id: String,
}

/// Answer with the token that a one-time token was traded for.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct OneTimeTokenExchangeResponse {
    /// The token.
    pub token: Option<AclToken>,
    /// Index of the write.
    pub index: u64,
}

/// Body of `POST /v1/acl/bootstrap`.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AclBootstrapRequest {
    /// The secret to use; empty: a new one is made.
    pub bootstrap_secret: String,
}
