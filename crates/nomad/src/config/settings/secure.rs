//! Access control, TLS, key encryption and audit.

use std::path::PathBuf;
use std::time::Duration;

use super::super::setting::{Context, Labelled, Setting, apply_entries, for_each_block, section};
use super::super::syntax::{Entry, Value};
use super::later;

section! {
    Acl {
        enabled: bool = false;
        token_ttl: Duration = Duration::from_secs(30);
        policy_ttl: Duration = Duration::from_secs(30);
        role_ttl: Duration = Duration::from_secs(30);
        replication_token: String = String::new();
        token_min_expiration_ttl: Duration = Duration::from_secs(60);
        token_max_expiration_ttl: Duration = Duration::from_secs(24 * 3600);
    }
}

section! {
    Tls {
        http: bool = false;
        rpc: bool = false;
        ca_file: PathBuf = PathBuf::new();
        cert_file: PathBuf = PathBuf::new();
        key_file: PathBuf = PathBuf::new();
        verify_server_hostname: bool = false;
        verify_https_client: bool = false;
        rpc_upgrade_mode: bool = false;
        tls_min_version: String = "tls12".into();
        tls_cipher_suites: String = String::new();
    }
}

/// `keyring "aead" { … }`, repeatable: the providers that wrap the encryption keys at rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keyring(pub Vec<KeyProvider>);

/// One provider. Providers of one kind are told apart by `name`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyProvider {
    pub provider: String,
    pub settings: KeyProviderSettings,
}

const PROVIDERS: [&str; 5] = ["aead", "awskms", "azurekeyvault", "gcpckms", "transit"];

impl Setting for Keyring {
    fn apply(&mut self, entry: &Entry, cx: &mut Context) {
        if let Some(provider) = entry.labels.first() {
            return for_each_block(&entry.node, cx, |entries, cx| {
                self.add(provider, entry, entries, cx)
            });
        }
        for_each_block(&entry.node, cx, |entries, cx| {
            for inner in entries {
                for_each_block(&inner.node, cx, |entries, cx| {
                    self.add(&inner.key, inner, entries, cx)
                });
            }
        });
    }
}

impl Keyring {
    fn add(&mut self, provider: &str, entry: &Entry, entries: &[Entry], cx: &mut Context) {
        if !PROVIDERS.contains(&provider) {
            return cx.problem(
                entry.pos,
                format!(
                    "unknown key provider {provider:?}; known are {}",
                    PROVIDERS.join(", ")
                ),
            );
        }
        if provider != "aead" {
            cx.within(provider, |cx| {
                cx.warn(
                    entry.pos,
                    format!("accepted, but without effect so far: {}", later::KEYRING),
                )
            });
        }
        let name =
            entries
                .iter()
                .find(|inner| inner.key == "name")
                .map_or("", |inner| match &inner.node.value {
                    Value::Text(name) => name,
                    _ => "",
                });
        let index = self
            .0
            .iter()
            .position(|one| one.provider == provider && one.settings.name == name)
            .unwrap_or_else(|| {
                self.0.push(KeyProvider {
                    provider: provider.to_owned(),
                    settings: KeyProviderSettings::default(),
                });
                self.0.len() - 1
            });
        cx.within(provider, |cx| {
            apply_entries(&mut self.0[index].settings, entries, cx)
        });
    }
}

section! {
    /// The keys of all providers together; which of them count depends on the provider.
    KeyProviderSettings {
        name: String = String::new();
        active: bool = false;
        region: String = String::new();
        access_key: String = String::new();
        secret_key: String = String::new();
        session_token: String = String::new();
        kms_key_id: String = String::new();
        endpoint: String = String::new();
        tenant_id: String = String::new();
        client_id: String = String::new();
        client_secret: String = String::new();
        environment: String = "AZUREPUBLICCLOUD".into();
        vault_name: String = String::new();
        key_name: String = String::new();
        resource: String = "vault.azure.net".into();
        credentials: String = String::new();
        project: String = String::new();
        key_ring: String = String::new();
        crypto_key: String = String::new();
        key_id_prefix: String = String::new();
        mount_path: String = String::new();
        disable_renewal: bool = false;
        address: String = String::new();
        token: String = String::new();
        namespace: String = String::new();
        tls_ca_cert: String = String::new();
        tls_client_cert: String = String::new();
        tls_client_key: String = String::new();
        tls_server_name: String = String::new();
        tls_skip_verify: bool = false;
    }
}

section! {
    Audit {
        enabled: bool = false;
        sink: Labelled<AuditSink> = Labelled::default();
        filter: Labelled<AuditFilter> = Labelled::default();
    }
}

section! {
    AuditSink {
        r#type: String = "file".into();
        delivery_guarantee: String = "enforced".into();
        format: String = "json".into();
        path: PathBuf = PathBuf::new();
        rotate_bytes: u64 = 0;
        rotate_duration: Duration = Duration::from_secs(24 * 3600);
        rotate_max_files: i64 = 0;
        mode: String = "0600".into();
    }
}

section! {
    AuditFilter {
        r#type: String = String::new();
        endpoints: Vec<String> = Vec::new();
        stages: Vec<String> = Vec::new();
        operations: Vec<String> = Vec::new();
    }
}

section! {
    Sentinel {
        import: Labelled<SentinelImport> = Labelled::default();
        additional_enabled_modules: Vec<String> = Vec::new();
    }
}

section! {
    SentinelImport {
        path: PathBuf = PathBuf::new();
        args: Vec<String> = Vec::new();
    }
}
