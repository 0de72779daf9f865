//! The configuration as `/v1/agent/self` shows it: the public names, durations as nanoseconds or as
//! text where they always were text, secrets hidden.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::AgentConfig;
use super::settings::{
    Client, Consul, Identity, Retry, Server, ServerJoin, Settings, Telemetry, Template, Ui, Vault,
    Wait,
};
use super::units::duration_text;

const HIDDEN: &str = "<redacted>";

fn nanos(duration: Duration) -> Value {
    i64::try_from(duration.as_nanos())
        .unwrap_or(i64::MAX)
        .into()
}

fn text(duration: Duration) -> Value {
    duration_text(duration).into()
}

/// A setting that was always text is empty until somebody writes it.
fn unless_default<T: PartialEq>(value: T, usual: T, show: impl FnOnce(T) -> Value) -> Value {
    if value == usual {
        "".into()
    } else {
        show(value)
    }
}

fn path(path: &Path) -> Value {
    path.display().to_string().into()
}

fn secret(value: &str) -> Value {
    if value.is_empty() { "" } else { HIDDEN }.into()
}

/// Empty lists and maps that nobody wrote are `null`.
fn list(items: &[String]) -> Value {
    if items.is_empty() {
        Value::Null
    } else {
        items.into()
    }
}

fn map(items: &BTreeMap<String, String>) -> Value {
    json!(items)
}

impl AgentConfig {
    /// The `config` object of `/v1/agent/self`, without `Version`, which the agent adds.
    pub fn self_view(&self) -> Value {
        let s = &self.settings;
        let usual = Settings::default();
        json!({
            "ACL": {
                "Enabled": s.acl.enabled,
                "PolicyTTL": nanos(s.acl.policy_ttl),
                "ReplicationToken": secret(&s.acl.replication_token),
                "RoleTTL": nanos(s.acl.role_ttl),
                "TokenMaxExpirationTTL": nanos(s.acl.token_max_expiration_ttl),
                "TokenMinExpirationTTL": nanos(s.acl.token_min_expiration_ttl),
                "TokenTTL": nanos(s.acl.token_ttl),
            },
            "Addresses": {
                "HTTP": self.net.http.iter().map(|one| one.ip().to_string()).collect::<Vec<_>>().join(" "),
                "RPC": self.net.rpc.ip().to_string(),
                "Serf": self.net.serf.ip().to_string(),
            },
            "AdvertiseAddrs": {"HTTP": self.net.advertise_http, "RPC": self.net.advertise_rpc, "Serf": self.net.advertise_serf},
            "Audit": {"Enabled": null, "Filters": null, "Sinks": null},
            "Autopilot": autopilot(s),
            "BindAddr": s.bind_addr,
            "Client": client(&s.client),
            "ConfigPaths": self.config_paths.iter().map(|one| path(one)).collect::<Vec<_>>(),
            "Consuls": s.consul.0.iter().map(|(name, one)| consul(name, one)).collect::<Vec<_>>(),
            "DataDir": path(&s.data_dir),
            "Datacenter": s.datacenter,
            "DevMode": self.dev.is_some(),
            "DisableAnonymousSignature": s.disable_anonymous_signature,
            "DisableUpdateCheck": s.disable_update_check,
            "EnableDebug": s.enable_debug,
            "EnableSyslog": s.enable_syslog,
            "Eventlog": {"Enabled": s.eventlog.enabled, "Level": s.eventlog.level},
            "Files": self.files.iter().map(|one| path(one)).collect::<Vec<_>>(),
            "HTTPAPIResponseHeaders": map(&s.http_api_response_headers),
            "KEKProviders": key_providers(s),
            "LeaveOnInt": s.leave_on_interrupt,
            "LeaveOnTerm": s.leave_on_terminate,
            "Limits": {
                "HTTPMaxConnsPerClient": s.limits.http_max_conns_per_client,
                "HTTPSHandshakeTimeout": text(s.limits.https_handshake_timeout),
                "RPCHandshakeTimeout": text(s.limits.rpc_handshake_timeout),
                "RPCMaxConnsPerClient": s.limits.rpc_max_conns_per_client,
            },
            "LogFile": path(&s.log_file),
            "LogIncludeLocation": s.log_include_location,
            "LogJson": s.log_json,
            "LogLevel": s.log_level,
            "LogRotateBytes": s.log_rotate_bytes,
            "LogRotateDuration": unless_default(s.log_rotate_duration, usual.log_rotate_duration, text),
            "LogRotateMaxFiles": s.log_rotate_max_files,
            "NodeName": self.name,
            "PluginDir": path(&s.plugin_dir),
            "Plugins": plugins(s),
            "Ports": {"HTTP": s.ports.http, "RPC": s.ports.rpc, "Serf": s.ports.serf},
            "RPC": rpc(s),
            "Region": s.region,
            "Reporting": {
                "DisableUsageReporting": null,
                "ExportInterval": nanos(s.reporting.export_interval),
                "License": {"Enabled": null},
                "NonProduction": s.server.non_production,
                "SnapshotRetentionTime": nanos(s.reporting.snapshot_retention_time),
                "SnapshotRetentionTimeHCL": "",
            },
            "Sentinel": {"AdditionalEnabledModules": null, "Imports": null},
            "Server": server(&s.server),
            "SyslogFacility": s.syslog_facility,
            "TLSConfig": {
                "CAFile": path(&s.tls.ca_file),
                "CertFile": path(&s.tls.cert_file),
                "Checksum": "",
                "EnableHTTP": s.tls.http,
                "EnableRPC": s.tls.rpc,
                "KeyFile": path(&s.tls.key_file),
                "KeyLoader": {},
                "RPCUpgradeMode": s.tls.rpc_upgrade_mode,
                "TLSCipherSuites": s.tls.tls_cipher_suites,
                "TLSMinVersion": unless_default(s.tls.tls_min_version.as_str(), usual.tls.tls_min_version.as_str(), Value::from),
                "VerifyHTTPSClient": s.tls.verify_https_client,
                "VerifyServerHostname": s.tls.verify_server_hostname,
            },
            "Telemetry": telemetry(&s.telemetry),
            "UI": ui(&s.ui),
            "Vaults": s.vault.0.iter().map(|(name, one)| vault(name, one)).collect::<Vec<_>>(),
        })
    }
}

fn autopilot(s: &Settings) -> Value {
    let a = &s.autopilot;
    json!({
        "CleanupDeadServers": null,
        "DisableUpgradeMigration": null,
        "EnableCustomUpgrades": null,
        "EnableRedundancyZones": null,
        "LastContactThreshold": nanos(a.last_contact_threshold),
        "MaxTrailingLogs": a.max_trailing_logs,
        "MinQuorum": a.min_quorum,
        "ServerStabilizationTime": nanos(a.server_stabilization_time),
    })
}

fn key_providers(s: &Settings) -> Value {
    if s.keyring.0.is_empty() {
        return Value::Null;
    }
    let one = |one: &super::settings::KeyProvider| json!({"Provider": one.provider, "Name": one.settings.name, "Active": one.settings.active});
    s.keyring.0.iter().map(one).collect::<Vec<_>>().into()
}

fn plugins(s: &Settings) -> Value {
    if s.plugin.0.is_empty() {
        return Value::Null;
    }
    s.plugin
        .0
        .iter()
        .map(|(name, one)| json!({"Name": name, "Args": list(&one.args), "Config": one.config.0}))
        .collect::<Vec<_>>()
        .into()
}

fn rpc(s: &Settings) -> Value {
    let r = &s.rpc;
    json!({
        "AcceptBacklog": r.accept_backlog,
        "ConnectionWriteTimeout": nanos(r.connection_write_timeout),
        "ConnectionWriteTimeoutHCL": text(r.connection_write_timeout),
        "DialTimeout": nanos(r.dial_timeout),
        "DialTimeoutHCL": text(r.dial_timeout),
        "KeepAliveInterval": nanos(r.keep_alive_interval),
        "KeepAliveIntervalHCL": text(r.keep_alive_interval),
        "StreamCloseTimeout": nanos(r.stream_close_timeout),
        "StreamCloseTimeoutHCL": text(r.stream_close_timeout),
        "StreamOpenTimeout": nanos(r.stream_open_timeout),
        "StreamOpenTimeoutHCL": text(r.stream_open_timeout),
    })
}

fn server_join(join: &ServerJoin) -> Value {
    json!({
        "RetryInterval": nanos(join.retry_interval),
        "RetryJoin": join.retry_join,
        "RetryMaxAttempts": join.retry_max,
        "StartJoin": list(&join.start_join),
    })
}

fn client(c: &Client) -> Value {
    let usual = Client::default();
    json!({
        "AllocDir": path(&c.alloc_dir),
        "AllocMountsDir": path(&c.alloc_mounts_dir),
        "Artifact": artifact(c),
        "BindWildcardDefaultHostNetwork": c.bind_wildcard_default_host_network,
        "BridgeNetworkHairpinMode": c.bridge_network_hairpin_mode,
        "BridgeNetworkName": unless_default(c.bridge_network_name.as_str(), usual.bridge_network_name.as_str(), Value::from),
        "BridgeNetworkSubnet": unless_default(c.bridge_network_subnet.as_str(), usual.bridge_network_subnet.as_str(), Value::from),
        "BridgeNetworkSubnetIPv6": c.bridge_network_subnet_ipv6,
        "CNIConfigDir": path(&c.cni_config_dir),
        "CNIPath": c.cni_path,
        "CgroupParent": c.cgroup_parent,
        "ChrootEnv": map(&c.chroot_env),
        "ClientMaxPort": c.client_max_port,
        "ClientMinPort": c.client_min_port,
        "CommonPluginDir": path(&c.common_plugin_dir),
        "CpuCompute": c.cpu_total_compute,
        "CpuDisableDmidecode": c.cpu_disable_dmidecode,
        "DefaultIneligible": c.default_ineligible,
        "DisableRemoteExec": c.disable_remote_exec,
        "DiskFreeMB": c.disk_free_mb,
        "DiskTotalMB": c.disk_total_mb,
        "Drain": c.drain_on_shutdown.as_ref().map(|d| json!({
            "Deadline": text(d.deadline), "Force": d.force, "IgnoreSystemJobs": d.ignore_system_jobs,
        })),
        "Enabled": c.enabled,
        "Fingerprinters": c.fingerprint.0.iter().map(|(name, f)| json!({
            "Name": name, "RetryInterval": nanos(f.retry_interval),
            "RetryAttempts": f.retry_attempts, "ExitOnFailure": f.exit_on_failure,
        })).collect::<Vec<_>>(),
        "GCDiskUsageThreshold": c.gc_disk_usage_threshold,
        "GCInodeUsageThreshold": c.gc_inode_usage_threshold,
        "GCInterval": nanos(c.gc_interval),
        "GCMaxAllocs": c.gc_max_allocs,
        "GCParallelDestroys": c.gc_parallel_destroys,
        "GCVolumesOnNodeGC": c.gc_volumes_on_node_gc,
        "HostNetworks": host_networks(c),
        "HostVolumePluginDir": path(&c.host_volume_plugin_dir),
        "HostVolumes": host_volumes(c),
        "HostVolumesDir": path(&c.host_volumes_dir),
        "IntroToken": secret(&c.intro_token),
        "LogFile": path(&c.log_file),
        "MaxDynamicPort": c.max_dynamic_port,
        "MaxKillTimeout": text(c.max_kill_timeout),
        "MemoryMB": c.memory_total_mb,
        "Meta": map(&c.meta),
        "MinDynamicPort": c.min_dynamic_port,
        "NetworkInterface": c.network_interface,
        "NetworkSpeed": c.network_speed,
        "NoHostUUID": c.no_host_uuid,
        "NodeClass": c.node_class,
        "NodeMaxAllocs": c.node_max_allocs,
        "NodePool": c.node_pool,
        "NomadServiceDiscovery": c.nomad_service_discovery,
        "Options": map(&c.options),
        "PreferredAddressFamily": c.preferred_address_family,
        "ReservableCores": c.reservable_cores,
        "Reserved": {
            "CPU": c.reserved.cpu,
            "Cores": c.reserved.cores,
            "DiskMB": c.reserved.disk,
            "MemoryMB": c.reserved.memory,
            "ReservedPorts": c.reserved.reserved_ports,
        },
        "ServerJoin": server_join(&c.server_join),
        "Servers": list(&c.servers),
        "StateDir": path(&c.state_dir),
        "TemplateConfig": template(&c.template),
        "Users": {"MaxDynamicUser": c.users.dynamic_user_max, "MinDynamicUser": c.users.dynamic_user_min},
    })
}

fn artifact(c: &Client) -> Value {
    let a = &c.artifact;
    let size = |bytes: super::units::Bytes| match bytes.0 {
        n if n > 0 && n % 1_000_000_000 == 0 => format!("{}GB", n / 1_000_000_000),
        n => format!("{n}B"),
    };
    json!({
        "DecompressionFileCountLimit": a.decompression_file_count_limit,
        "DecompressionSizeLimit": size(a.decompression_size_limit),
        "DisableArtifactInspection": a.disable_artifact_inspection,
        "DisableFilesystemIsolation": a.disable_filesystem_isolation,
        "FilesystemIsolationExtraPaths": list(&a.filesystem_isolation_extra_paths),
        "GCSTimeout": text(a.gcs_timeout),
        "GitTimeout": text(a.git_timeout),
        "HTTPMaxSize": size(a.http_max_size),
        "HTTPReadTimeout": text(a.http_read_timeout),
        "HgTimeout": text(a.hg_timeout),
        "S3Timeout": text(a.s3_timeout),
        "SetEnvironmentVariables": a.set_environment_variables,
    })
}

fn host_networks(c: &Client) -> Value {
    if c.host_network.0.is_empty() {
        return Value::Null;
    }
    let one = |(name, n): (&String, &super::settings::HostNetwork)| json!({"Name": name, "CIDR": n.cidr, "Interface": n.interface, "ReservedPorts": n.reserved_ports});
    c.host_network.0.iter().map(one).collect::<Vec<_>>().into()
}

fn host_volumes(c: &Client) -> Value {
    if c.host_volume.0.is_empty() {
        return Value::Null;
    }
    let one = |(name, v): (&String, &super::settings::HostVolume)| json!({"Name": name, "Path": path(&v.path), "ReadOnly": v.read_only});
    c.host_volume.0.iter().map(one).collect::<Vec<_>>().into()
}

fn template(t: &Template) -> Value {
    let retry = |r: &Retry| {
        json!({
            "Attempts": r.attempts, "Backoff": nanos(r.backoff), "BackoffHCL": "",
            "MaxBackoff": nanos(r.max_backoff), "MaxBackoffHCL": "",
        })
    };
    let wait =
        |w: &Wait| json!({"Max": nanos(w.max), "MaxHCL": "", "Min": nanos(w.min), "MinHCL": ""});
    json!({
        "BlockQueryWaitTime": nanos(t.block_query_wait),
        "BlockQueryWaitTimeHCL": "",
        "ConsulRetry": retry(&t.consul_retry),
        "DisableSandbox": t.disable_file_sandbox,
        "FunctionBlacklist": list(&t.function_blacklist),
        "FunctionDenylist": t.function_denylist,
        "MaxStale": nanos(t.max_stale),
        "MaxStaleHCL": "",
        "NomadRetry": retry(&t.nomad_retry),
        "UseClientConsulToken": false,
        "VaultDefaultLeaseDuration": nanos(t.vault_default_lease_duration),
        "VaultDefaultLeaseDurationHCL": "",
        "VaultRetry": retry(&t.vault_retry),
        "Wait": wait(&t.wait),
        "WaitBounds": t.wait_bounds.as_ref().map(wait),
    })
}

fn server(s: &Server) -> Value {
    let usual = Server::default();
    json!({
        "ACLTokenGCThreshold": unless_default(s.acl_token_gc_threshold, usual.acl_token_gc_threshold, text),
        "AuthoritativeRegion": s.authoritative_region,
        "BatchEvalGCThreshold": unless_default(s.batch_eval_gc_threshold, usual.batch_eval_gc_threshold, text),
        "BootstrapExpect": s.bootstrap_expect,
        "CSIPluginGCThreshold": unless_default(s.csi_plugin_gc_threshold, usual.csi_plugin_gc_threshold, text),
        "CSIVolumeClaimGCInterval": unless_default(s.csi_volume_claim_gc_interval, usual.csi_volume_claim_gc_interval, text),
        "CSIVolumeClaimGCThreshold": unless_default(s.csi_volume_claim_gc_threshold, usual.csi_volume_claim_gc_threshold, text),
        "ClientIntroduction": {
            "DefaultIdentityTTL": nanos(s.client_introduction.default_identity_ttl),
            "Enforcement": unless_default(s.client_introduction.enforcement.as_str(), usual.client_introduction.enforcement.as_str(), Value::from),
            "MaxIdentityTTL": nanos(s.client_introduction.max_identity_ttl),
        },
        "DataDir": path(&s.data_dir),
        "DefaultSchedulerConfig": s.default_scheduler_config.as_ref().map(scheduler_config),
        "DeploymentGCThreshold": unless_default(s.deployment_gc_threshold, usual.deployment_gc_threshold, text),
        "DeploymentQueryRateLimit": s.deploy_query_rate_limit,
        "EnableEventBroker": s.enable_event_broker,
        "Enabled": s.enabled,
        "EnabledSchedulers": s.enabled_schedulers,
        "EvalGCThreshold": unless_default(s.eval_gc_threshold, usual.eval_gc_threshold, text),
        "EventBufferSize": s.event_buffer_size,
        "FailoverHeartbeatTTL": nanos(s.failover_heartbeat_ttl),
        "HeartbeatGrace": nanos(s.heartbeat_grace),
        "JobDefaultPriority": null,
        "JobGCInterval": unless_default(s.job_gc_interval, usual.job_gc_interval, text),
        "JobGCThreshold": unless_default(s.job_gc_threshold, usual.job_gc_threshold, text),
        "JobMaxCount": null,
        "JobMaxPriority": null,
        "JobMaxSourceSize": format!("{}B", s.job_max_source_size.0),
        "JobTrackedVersions": s.job_tracked_versions,
        "LicenseEnv": "",
        "LicensePath": s.license_path,
        "LogFile": path(&s.log_file),
        "MaxHeartbeatsPerSecond": s.max_heartbeats_per_second,
        "MinHeartbeatTTL": nanos(s.min_heartbeat_ttl),
        "NodeGCThreshold": unless_default(s.node_gc_threshold, usual.node_gc_threshold, text),
        "NonProduction": s.non_production,
        "NonVotingServer": s.non_voting_server,
        "NumSchedulers": s.num_schedulers,
        "OIDCIssuer": s.oidc_issuer,
        "PlanApplyPipeline": s.plan_apply_pipeline,
        "PlanRejectionTracker": {
            "Enabled": s.plan_rejection_tracker.enabled,
            "NodeThreshold": s.plan_rejection_tracker.node_threshold,
            "NodeWindow": nanos(s.plan_rejection_tracker.node_window),
        },
        "RaftBoltConfig": null,
        "RaftLogStoreConfig": null,
        "RaftMultiplier": null,
        "RaftProtocol": s.raft_protocol,
        "RaftSnapshotInterval": null,
        "RaftSnapshotThreshold": null,
        "RaftTrailingLogs": null,
        "RedundancyZone": s.redundancy_zone,
        "RejoinAfterLeave": s.rejoin_after_leave,
        "RetryInterval": nanos(s.retry_interval.unwrap_or_default()),
        "RetryJoin": s.retry_join,
        "RetryMaxAttempts": s.retry_max.unwrap_or_default(),
        "RootKeyGCInterval": unless_default(s.root_key_gc_interval, usual.root_key_gc_interval, text),
        "RootKeyGCThreshold": unless_default(s.root_key_gc_threshold, usual.root_key_gc_threshold, text),
        "RootKeyRotationThreshold": unless_default(s.root_key_rotation_threshold, usual.root_key_rotation_threshold, text),
        "Search": {
            "FuzzyEnabled": s.search.fuzzy_enabled,
            "LimitQuery": s.search.limit_query,
            "LimitResults": s.search.limit_results,
            "MinTermLength": s.search.min_term_length,
        },
        "ServerJoin": server_join(&s.server_join),
        "StartJoin": s.start_join,
        "StartTimeout": unless_default(s.start_timeout, usual.start_timeout, text),
        "UpgradeVersion": s.upgrade_version,
    })
}

fn scheduler_config(config: &super::settings::SchedulerConfig) -> Value {
    let p = &config.preemption_config;
    json!({
        "SchedulerAlgorithm": config.scheduler_algorithm,
        "PreemptionConfig": {
            "SystemSchedulerEnabled": p.system_scheduler_enabled,
            "SysBatchSchedulerEnabled": p.sysbatch_scheduler_enabled,
            "BatchSchedulerEnabled": p.batch_scheduler_enabled,
            "ServiceSchedulerEnabled": p.service_scheduler_enabled,
        },
        "MemoryOversubscriptionEnabled": config.memory_oversubscription_enabled,
        "RejectJobRegistration": config.reject_job_registration,
        "PauseEvalBroker": config.pause_eval_broker,
    })
}

fn identity(identity: &Identity) -> Value {
    json!({
        "Name": identity.name, "Audience": list(&identity.aud), "Env": identity.env, "File": identity.file,
        "Filepath": identity.filepath, "TTL": nanos(identity.ttl), "ExtraClaims": map(&identity.extra_claims),
    })
}

fn consul(name: &str, c: &Consul) -> Value {
    json!({
        "Addr": c.address,
        "Auth": secret(&c.auth),
        "AutoAdvertise": c.auto_advertise,
        "CAFile": c.ca_file,
        "CertFile": c.cert_file,
        "ChecksUseAdvertise": c.checks_use_advertise,
        "ClientAutoJoin": c.client_auto_join,
        "ClientFailuresBeforeCritical": c.client_failures_before_critical,
        "ClientFailuresBeforeWarning": c.client_failures_before_warning,
        "ClientHTTPCheckName": c.client_http_check_name,
        "ClientServiceName": c.client_service_name,
        "EnableSSL": c.ssl,
        "GRPCAddr": unless_default(c.grpc_address.as_str(), Consul::default().grpc_address.as_str(), Value::from),
        "GRPCCAFile": c.grpc_ca_file,
        "KeyFile": c.key_file,
        "Name": name,
        "Namespace": c.namespace,
        "ServerAutoJoin": c.server_auto_join,
        "ServerFailuresBeforeCritical": c.server_failures_before_critical,
        "ServerFailuresBeforeWarning": c.server_failures_before_warning,
        "ServerHTTPCheckName": c.server_http_check_name,
        "ServerRPCCheckName": c.server_rpc_check_name,
        "ServerSerfCheckName": c.server_serf_check_name,
        "ServerServiceName": c.server_service_name,
        "ServiceIdentity": c.service_identity.as_ref().map(identity),
        "ServiceIdentityAuthMethod": c.service_auth_method,
        "ShareSSL": null,
        "Tags": list(&c.tags),
        "TaskIdentity": c.task_identity.as_ref().map(identity),
        "TaskIdentityAuthMethod": c.task_auth_method,
        "Timeout": nanos(c.timeout),
        "Token": secret(&c.token),
        "VerifySSL": c.verify_ssl,
    })
}

fn vault(name: &str, v: &Vault) -> Value {
    json!({
        "Addr": v.address,
        "ConnectionRetryIntv": nanos(Duration::from_secs(30)),
        "DefaultIdentity": v.default_identity.as_ref().map(identity),
        "Enabled": v.enabled,
        "JWTAuthBackendPath": v.jwt_auth_backend_path,
        "Name": name,
        "Namespace": v.namespace,
        "Role": v.create_from_role,
        "TLSCaFile": v.ca_file,
        "TLSCaPath": v.ca_path,
        "TLSCertFile": v.cert_file,
        "TLSKeyFile": v.key_file,
        "TLSServerName": v.tls_server_name,
        "TLSSkipVerify": null,
        "Token": secret(&v.token),
    })
}

fn telemetry(t: &Telemetry) -> Value {
    json!({
        "AllowedMetadataKeysInMetrics": t.allowed_metadata_keys_in_metrics,
        "CirconusAPIApp": "",
        "CirconusAPIToken": secret(&t.circonus_api_token),
        "CirconusAPIURL": t.circonus_api_url,
        "CirconusBrokerID": t.circonus_broker_id,
        "CirconusBrokerSelectTag": t.circonus_broker_select_tag,
        "CirconusCheckDisplayName": t.circonus_check_display_name,
        "CirconusCheckForceMetricActivation": if t.circonus_check_force_metric_activation { "true" } else { "" },
        "CirconusCheckID": t.circonus_check_id,
        "CirconusCheckInstanceID": t.circonus_check_instance_id,
        "CirconusCheckSearchTag": t.circonus_check_search_tag,
        "CirconusCheckSubmissionURL": t.circonus_submission_url,
        "CirconusCheckTags": t.circonus_check_tags,
        "CirconusSubmissionInterval": "",
        "CollectionInterval": text(t.collection_interval),
        "DataDogAddr": t.datadog_address,
        "DataDogTags": list(&t.datadog_tags),
        "DisableAllocationHookMetrics": t.disable_allocation_hook_metrics,
        "DisableDispatchedJobSummaryMetrics": t.disable_dispatched_job_summary_metrics,
        "DisableHostname": t.disable_hostname,
        "DisableQuotaUtilizationMetrics": t.disable_quota_utilization_metrics,
        "DisableRPCRateMetricsLabels": t.disable_rpc_rate_metrics_labels,
        "FilterDefault": null,
        "InMemoryCollectionInterval": text(t.in_memory_collection_interval),
        "InMemoryRetentionPeriod": text(t.in_memory_retention_period),
        "IncludeAllocMetadataInMetrics": t.include_alloc_metadata_in_metrics,
        "PrefixFilter": list(&t.prefix_filter),
        "PrometheusMetrics": t.prometheus_metrics,
        "PublishAllocationMetrics": t.publish_allocation_metrics,
        "PublishNodeMetrics": t.publish_node_metrics,
        "StatsdAddr": t.statsd_address,
        "StatsiteAddr": t.statsite_address,
        "UseNodeName": t.use_node_name,
    })
}

fn ui(ui: &Ui) -> Value {
    let csp = &ui.content_security_policy;
    json!({
        "Consul": {"BaseUIURL": ui.consul.ui_url},
        "ContentSecurityPolicy": {
            "ConnectSrc": csp.connect_src,
            "DefaultSrc": csp.default_src,
            "FormAction": csp.form_action,
            "FrameAncestors": csp.frame_ancestors,
            "ImgSrc": csp.img_src,
            "ScriptSrc": csp.script_src,
            "StyleSrc": csp.style_src,
        },
        "Enabled": ui.enabled,
        "Label": {
            "BackgroundColor": ui.label.background_color,
            "Text": ui.label.text,
            "TextColor": ui.label.text_color,
        },
        "ShowCLIHints": ui.show_cli_hints,
        "Vault": {"BaseUIURL": ui.vault.ui_url},
    })
}
