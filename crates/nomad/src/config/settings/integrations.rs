//! Consul and Vault.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::setting::section;
use super::later;

section! {
    Consul {
        name: String = "default".into();
        address: String = "127.0.0.1:8500".into();
        grpc_address: String = "127.0.0.1:8502".into(), later later::CONNECT;
        auth: String = String::new();
        token: String = String::new();
        ssl: bool = false;
        verify_ssl: bool = true;
        share_ssl: bool = true;
        ca_file: String = String::new();
        cert_file: String = String::new();
        key_file: String = String::new();
        grpc_ca_file: String = String::new(), later later::CONNECT;
        namespace: String = String::new();
        timeout: Duration = Duration::from_secs(5);
        auto_advertise: bool = true, later later::ANNOUNCE;
        checks_use_advertise: bool = false, later later::ANNOUNCE;
        server_auto_join: bool = true, later later::ANNOUNCE;
        client_auto_join: bool = true, later later::ANNOUNCE;
        server_service_name: String = "nomad".into(), later later::ANNOUNCE;
        client_service_name: String = "nomad-client".into(), later later::ANNOUNCE;
        server_http_check_name: String = "Nomad Server HTTP Check".into(), later later::ANNOUNCE;
        client_http_check_name: String = "Nomad Client HTTP Check".into(), later later::ANNOUNCE;
        server_serf_check_name: String = "Nomad Server Serf Check".into(), later later::ANNOUNCE;
        server_rpc_check_name: String = "Nomad Server RPC Check".into(), later later::ANNOUNCE;
        server_failures_before_critical: u32 = 0, later later::ANNOUNCE;
        server_failures_before_warning: u32 = 0, later later::ANNOUNCE;
        client_failures_before_critical: u32 = 0, later later::ANNOUNCE;
        client_failures_before_warning: u32 = 0, later later::ANNOUNCE;
        tags: Vec<String> = Vec::new(), later later::ANNOUNCE;
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
        tls_server_name: String = String::new(), later later::SERVER_NAME;
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
