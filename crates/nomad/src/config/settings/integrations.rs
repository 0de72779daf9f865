//! Consul and Vault.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::setting::section;

section! {
    Consul {
        name: String = "default".into();
        address: String = "127.0.0.1:8500".into();
        grpc_address: String = "127.0.0.1:8502".into();
        auth: String = String::new();
        token: String = String::new();
        ssl: bool = false;
        verify_ssl: bool = true;
        share_ssl: bool = true;
        ca_file: String = String::new();
        cert_file: String = String::new();
        key_file: String = String::new();
        grpc_ca_file: String = String::new();
        namespace: String = String::new();
        timeout: Duration = Duration::from_secs(5);
        auto_advertise: bool = true;
        checks_use_advertise: bool = false;
        server_auto_join: bool = true;
        client_auto_join: bool = true;
        server_service_name: String = "nomad".into();
        client_service_name: String = "nomad-client".into();
        server_http_check_name: String = "Nomad Server HTTP Check".into();
        client_http_check_name: String = "Nomad Client HTTP Check".into();
        server_serf_check_name: String = "Nomad Server Serf Check".into();
        server_rpc_check_name: String = "Nomad Server RPC Check".into();
        server_failures_before_critical: u32 = 0;
        server_failures_before_warning: u32 = 0;
        client_failures_before_critical: u32 = 0;
        client_failures_before_warning: u32 = 0;
        tags: Vec<String> = Vec::new();
        service_identity: Option<Identity> = None;
        task_identity: Option<Identity> = None;
        service_auth_method: String = "nomad-workloads".into();
        task_auth_method: String = "nomad-workloads".into();
    }
}

section! {
    Vault {
        name: String = "default".into();
        enabled: Option<bool> = None;
        address: String = "https://vault.service.consul:8200".into();
        jwt_auth_backend_path: String = "jwt-nomad".into();
        create_from_role: String = String::new();
        namespace: String = String::new();
        ca_file: String = String::new();
        ca_path: String = String::new();
        cert_file: String = String::new();
        key_file: String = String::new();
        tls_server_name: String = String::new();
        tls_skip_verify: bool = false;
        default_identity: Option<Identity> = None;
        token: String = String::new();
    }
}

section! {
    /// The workload identity that tasks and services get for another system.
    Identity {
        name: String = String::new();
        aud: Vec<String> = Vec::new();
        env: bool = false;
        file: bool = false;
        filepath: String = String::new();
        ttl: Duration = Duration::ZERO;
        extra_claims: BTreeMap<String, String> = BTreeMap::new();
    }
}
