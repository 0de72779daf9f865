//! Every block and key of the agent configuration, with types and defaults. These are the values *as
//! written* over the defaults; what follows from several of them (paths, addresses) is in `resolve`.

mod client;
mod integrations;
mod observe;
mod secure;
mod server;

pub use client::*;
pub use integrations::*;
pub use observe::*;
pub use secure::*;
pub use server::*;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::setting::{ByName, Labelled, section};

/// Why options that only make sense elsewhere, or come later, do nothing yet.
mod later {
    pub(super) const KEYRING: &str = "only the built-in key provider \"aead\" exists yet";
    pub(super) const AUDIT: &str = "the audit log is not built yet";
    pub(super) const SENTINEL: &str = "there are no Sentinel policies";
    pub(super) const REPORTING: &str = "nothing is ever reported to anyone";
    pub(super) const WINDOWS: &str = "there is no Windows event log here";
    pub(super) const SYSLOG: &str = "logging to syslog is not built yet";
    pub(super) const LICENCE: &str = "no licence is needed";
    pub(super) const GOSSIP: &str =
        "there is no gossip; servers talk over RPC, which tls { rpc = true } protects";
    pub(super) const AUTOPILOT: &str = "autopilot is not built yet";
    pub(super) const RAFT_STORE: &str = "there is one log store, and it has none of these settings";
    pub(super) const SINK: &str =
        "there is no Circonus client; statsd, statsite, datadog and Prometheus are there";
    pub(super) const CLOUD: &str = "cloud discovery and the intro token are not built yet";
    pub(super) const ANNOUNCE: &str =
        "the agent does not announce itself in Consul, and looks for no servers there";
    pub(super) const CONNECT: &str = "there are no service meshes of Consul";
    pub(super) const SERVER_NAME: &str = "the certificate must be for the name in Vault's address";
    pub(super) const UI: &str = "the web UI is not built yet";
}

section! {
    /// The top level of a configuration file.
    Settings {
        region: String = "global".into();
        datacenter: String = "dc1".into();
        name: String = String::new();
        data_dir: PathBuf = PathBuf::new();
        plugin_dir: PathBuf = PathBuf::new();
        bind_addr: String = "0.0.0.0".into();
        ports: Ports = Ports::default();
        addresses: Addresses = Addresses::default();
        advertise: Addresses = Addresses::default();
        log_level: String = "INFO".into();
        log_json: bool = false;
        log_include_location: bool = false;
        log_file: PathBuf = PathBuf::new();
        log_rotate_bytes: u64 = 0;
        log_rotate_duration: Duration = Duration::from_secs(24 * 3600);
        log_rotate_max_files: i64 = 0;
        enable_syslog: bool = false, later later::SYSLOG;
        syslog_facility: String = "LOCAL0".into(), later later::SYSLOG;
        eventlog: EventLog = EventLog::default(), later later::WINDOWS;
        leave_on_interrupt: bool = false;
        leave_on_terminate: bool = false;
        enable_debug: bool = false;
        disable_update_check: bool = false;
        disable_anonymous_signature: bool = false;
        http_api_response_headers: BTreeMap<String, String> = BTreeMap::new();
        limits: Limits = Limits::default();
        rpc: Rpc = Rpc::default();
        client: Client = Client::default();
        server: Server = Server::default();
        acl: Acl = Acl::default();
        tls: Tls = Tls::default();
        consul: ByName<Consul> = ByName::default();
        vault: ByName<Vault> = ByName::default();
        telemetry: Telemetry = Telemetry::default();
        ui: Ui = Ui::default();
        autopilot: Autopilot = Autopilot::default(), later later::AUTOPILOT;
        plugin: Labelled<Plugin> = Labelled::default();
        keyring: Keyring = Keyring::default();
        reporting: Reporting = Reporting::default(), later later::REPORTING;
        sentinel: Sentinel = Sentinel::default(), later later::SENTINEL;
        audit: Audit = Audit::default(), later later::AUDIT;
    }
}

section! {
    Ports {
        http: u16 = 4646;
        rpc: u16 = 4647;
        serf: u16 = 4648;
    }
}

section! {
    /// `addresses` and `advertise`; empty means: derived from `bind_addr`.
    Addresses {
        http: String = String::new();
        rpc: String = String::new();
        serf: String = String::new();
    }
}

section! {
    EventLog {
        enabled: bool = false;
        level: String = "error".into();
    }
}

section! {
    Limits {
        https_handshake_timeout: Duration = Duration::from_secs(5);
        http_max_conns_per_client: u32 = 100;
        rpc_handshake_timeout: Duration = Duration::from_secs(5);
        rpc_max_conns_per_client: u32 = 100;
    }
}

section! {
    Rpc {
        accept_backlog: u32 = 256;
        keep_alive_interval: Duration = Duration::from_secs(30);
        connection_write_timeout: Duration = Duration::from_secs(10);
        max_stream_window_size: u32 = 262_144;
        stream_open_timeout: Duration = Duration::from_secs(75);
        stream_close_timeout: Duration = Duration::from_secs(300);
        dial_timeout: Duration = Duration::from_secs(10);
    }
}

section! {
    /// `plugin "docker" { … }`: what is inside `config` belongs to the driver.
    Plugin {
        args: Vec<String> = Vec::new();
        config: super::setting::FreeForm = super::setting::FreeForm::default();
    }
}

section! {
    /// How an agent finds servers.
    ServerJoin {
        start_join: Vec<String> = Vec::new();
        retry_join: Vec<String> = Vec::new();
        retry_interval: Duration = Duration::from_secs(30);
        retry_max: u32 = 0;
    }
}
