//! What operators see of the servers: consensus, autopilot and keys.

use crate::id::KeyId;
use crate::query::QueryMeta;
use crate::shape;
use crate::text_enum::text_enum;
use crate::time::{Duration, Timestamp, UnixNanos};
use serde::{Deserialize, Serialize};

/// The servers that take part in consensus.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RaftConfiguration {
    /// The servers.
    #[serde(with = "shape::nullable")]
    pub servers: Vec<RaftServer>,
    /// Index of the configuration.
    pub index: u64,
}

/// A server that takes part in consensus.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RaftServer {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub node: String,
    /// Its address.
    pub address: String,
    /// Whether it leads.
    pub leader: bool,
    /// Whether it votes.
    pub voter: bool,
    /// Always `3`.
    pub raft_protocol: String,
}

/// Answer to handing leadership over.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct LeadershipTransferResponse {
    /// Who led.
    pub from: RaftIdAddress,
    /// Who is to lead.
    pub to: RaftIdAddress,
    /// Whether it led already.
    pub noop: bool,
    /// What went wrong.
    pub err: Option<serde_json::Value>,
    /// Write metadata.
    pub index: u64,
}

/// A server by id and address.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RaftIdAddress {
    /// Its address.
    #[serde(rename = "Address")]
    pub address: String,
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
}

/// How the servers look after themselves.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotConfiguration {
    /// How long a server may be out of touch with the leader.
    #[serde(with = "shape::duration_text_zero")]
    pub last_contact_threshold: Duration,
    /// How long a new server must be healthy until it votes.
    #[serde(with = "shape::duration_text_zero")]
    pub server_stabilization_time: Duration,
    /// Whether dead servers are removed.
    pub cleanup_dead_servers: bool,
    /// How many entries a server may be behind.
    pub max_trailing_logs: u64,
    /// How many servers are kept even if dead.
    pub min_quorum: u64,
    /// Kept, without effect.
    pub enable_redundancy_zones: bool,
    /// Kept, without effect.
    pub disable_upgrade_migration: bool,
    /// Kept, without effect.
    pub enable_custom_upgrades: bool,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
}

impl AutopilotConfiguration {
    /// What a cluster begins with.
    #[must_use]
    pub fn initial() -> Self {
        Self {
            last_contact_threshold: Duration::from_millis(200),
            server_stabilization_time: Duration::from_secs(10),
            cleanup_dead_servers: true,
            max_trailing_logs: 250,
            ..Self::default()
        }
    }
}

/// How healthy the servers are. Members are alphabetical, as in the public JSON.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct AutopilotHealth {
    /// How many servers may fail.
    pub failure_tolerance: i64,
    /// Whether all are healthy.
    pub healthy: bool,
    /// The leader's id.
    pub leader: String,
    /// The servers.
    #[serde(with = "shape::nullable")]
    pub servers: Vec<ServerHealth>,
    /// Ids of those that vote.
    #[serde(with = "shape::nullable")]
    pub voters: Vec<String>,
}

/// How healthy a server is.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ServerHealth {
    /// How long it is out of touch with the leader.
    #[serde(with = "shape::duration_text_zero")]
    pub last_contact: Duration,
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Whether it is a member: `alive`, `left` or `failed`.
    pub serf_status: String,
    /// Its version.
    pub version: String,
    /// Whether it leads.
    pub leader: bool,
    /// The last term it knows.
    pub last_term: u64,
    /// The last entry it knows.
    pub last_index: u64,
    /// Whether it is healthy.
    pub healthy: bool,
    /// Whether it votes.
    pub voter: bool,
    /// Since when its health has not changed.
    pub stable_since: Timestamp,
}

text_enum! {
    /// What a key is used for.
    KeyState as "key state" {
        /// Decrypts only.
        Inactive = "inactive",
        /// Encrypts and signs.
        Active = "active",
        /// What it encrypted is being encrypted anew.
        Rekeying = "rekeying",
        /// Published; becomes active later.
        Prepublished = "prepublished",
        /// Of no use any more.
        Deprecated = "deprecated",
    }
}

/// A key of the keyring, without the key itself.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RootKeyMeta {
    /// Its id.
    #[serde(rename = "KeyID")]
    pub key_id: KeyId,
    /// `aes256-gcm`.
    pub algorithm: String,
    /// When it was created.
    pub create_time: UnixNanos,
    /// Index of the creation.
    pub create_index: u64,
    /// Index of the last change.
    pub modify_index: u64,
    /// What it is used for.
    pub state: KeyState,
    /// When a prepublished one becomes active.
    pub publish_time: UnixNanos,
}

/// Answer to a rotation of keys.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct KeyringRotateResponse {
    /// The new key.
    pub key: Option<RootKeyMeta>,
    /// Index of the write.
    pub index: u64,
}

/// Public keys for verifying identities.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Jwks {
    /// The keys.
    #[serde(deserialize_with = "shape::null_default")]
    pub keys: Vec<Jwk>,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Jwk {
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// `RSA` or `OKP`.
    pub kty: String,
    /// Which curve, for `OKP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// Which key of the keyring.
    pub kid: String,
    /// `RS256` or `EdDSA`.
    pub alg: String,
    /// Modulus, for `RSA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// Exponent, for `RSA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// The key, for `OKP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
}

/// Where and how identities can be verified.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OidcDiscovery {
    /// Who issues them.
    pub issuer: String,
    /// Where the public keys are.
    pub jwks_uri: String,
    /// Signature algorithms.
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// Always `code`.
    pub response_types_supported: Vec<String>,
    /// Always `public`.
    pub subject_types_supported: Vec<String>,
}

/// Whether workloads are ready for Vault through identities.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UpgradeCheckVaultResponse {
    /// Jobs that are not.
    pub jobs_without_vault_identity: Option<Vec<serde_json::Value>>,
    /// Nodes that are too old.
    pub outdated_nodes: Option<Vec<serde_json::Value>>,
    /// Tokens in use.
    pub vault_tokens: Option<Vec<serde_json::Value>>,
    /// Read metadata.
    #[serde(flatten)]
    pub meta: QueryMeta,
}
