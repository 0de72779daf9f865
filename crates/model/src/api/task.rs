//! A task as users write it.

use super::*;
use crate::{
    Action, Artifact, ChangeScript, Consul, CsiPluginConfig, DispatchPayload, Duration, Identity,
    Lifecycle, LogConfig, Object, Schedule, Secret, StringMap, Task, Template, Vault, VolumeMount,
    WaitConfig,
};
use serde::{Deserialize, Serialize};

/// A task as users write it; see [`Task`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiTask {
    pub actions: Option<Vec<ApiAction>>,
    pub affinities: Option<Vec<ApiAffinity>>,
    pub artifacts: Option<Vec<ApiArtifact>>,
    /// Absent when unset.
    #[serde(rename = "CSIPluginConfig", skip_serializing_if = "Option::is_none")]
    pub csi_plugin_config: Option<CsiPluginConfig>,
    pub config: Option<Object>,
    pub constraints: Option<Vec<Constraint>>,
    pub consul: Option<Consul>,
    pub dispatch_payload: Option<DispatchPayload>,
    pub driver: String,
    pub env: Option<StringMap>,
    pub identities: Option<Vec<ApiIdentity>>,
    pub identity: Option<ApiIdentity>,
    pub kill_signal: String,
    pub kill_timeout: Option<Duration>,
    pub kind: String,
    pub leader: bool,
    pub lifecycle: Option<Lifecycle>,
    pub log_config: Option<ApiLogConfig>,
    pub meta: Option<StringMap>,
    pub name: String,
    pub resources: Option<ApiResources>,
    pub restart_policy: Option<ApiRestartPolicy>,
    pub scaling_policies: Option<Vec<ApiScalingPolicy>>,
    pub schedule: Option<Schedule>,
    pub secrets: Option<Vec<ApiSecret>>,
    pub services: Option<Vec<ApiService>>,
    pub shutdown_delay: Duration,
    pub templates: Option<Vec<ApiTemplate>>,
    pub user: String,
    pub vault: Option<ApiVault>,
    pub volume_mounts: Option<Vec<ApiVolumeMount>>,
}

impl From<ApiTask> for Task {
    fn from(api: ApiTask) -> Self {
        // exhaustive
        let ApiTask {
            actions,
            affinities,
            artifacts,
            csi_plugin_config,
            config,
            constraints,
            consul,
            dispatch_payload,
            driver,
            env,
            identities,
            identity,
            kill_signal,
            kill_timeout,
            kind,
            leader,
            lifecycle,
            log_config,
            meta,
            name,
            resources,
            restart_policy,
            scaling_policies,
            schedule,
            secrets,
            services,
            shutdown_delay,
            templates,
            user,
            vault,
            volume_mounts,
        } = api;
        Self {
            name,
            driver,
            user,
            config: config.unwrap_or_default(),
            env: env.unwrap_or_default(),
            services: list(services),
            vault: vault.map(Into::into),
            secrets: list(secrets),
            consul,
            templates: list(templates),
            constraints: constraints.unwrap_or_default(),
            affinities: list(affinities),
            resources: resources.unwrap_or_default().into(),
            restart_policy: restart_policy.unwrap_or_default().into(),
            dispatch_payload,
            lifecycle,
            meta: meta.unwrap_or_default(),
            kill_timeout: kill_timeout.unwrap_or_default(),
            log_config: log_config.unwrap_or_default().into(),
            artifacts: list(artifacts),
            leader,
            shutdown_delay,
            volume_mounts: list(volume_mounts),
            scaling_policies: list(scaling_policies),
            kill_signal,
            kind,
            csi_plugin_config,
            identity: identity.map(Into::into),
            identities: list(identities),
            actions: list(actions),
            schedule,
        }
    }
}

/// See [`LogConfig`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiLogConfig {
    pub disabled: Option<bool>,
    /// Taken and passed over.
    pub enabled: Option<bool>,
    #[serde(rename = "MaxFileSizeMB")]
    pub max_file_size_mb: Option<i64>,
    pub max_files: Option<i64>,
}

impl From<ApiLogConfig> for LogConfig {
    fn from(api: ApiLogConfig) -> Self {
        // exhaustive
        let ApiLogConfig {
            disabled,
            enabled: _,
            max_file_size_mb,
            max_files,
        } = api;
        Self {
            max_files: max_files.unwrap_or_default(),
            max_file_size_mb: max_file_size_mb.unwrap_or_default(),
            disabled: disabled.unwrap_or_default(),
        }
    }
}

/// See [`Artifact`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiArtifact {
    pub chown: bool,
    pub getter_headers: Option<StringMap>,
    pub getter_insecure: Option<bool>,
    pub getter_mode: Option<String>,
    pub getter_options: Option<StringMap>,
    pub getter_source: Option<String>,
    pub relative_dest: Option<String>,
}

impl From<ApiArtifact> for Artifact {
    fn from(api: ApiArtifact) -> Self {
        // exhaustive
        let ApiArtifact {
            chown,
            getter_headers,
            getter_insecure,
            getter_mode,
            getter_options,
            getter_source,
            relative_dest,
        } = api;
        Self {
            getter_source: getter_source.unwrap_or_default(),
            getter_options: getter_options.unwrap_or_default(),
            getter_headers: getter_headers.unwrap_or_default(),
            getter_mode: getter_mode.unwrap_or_default(),
            getter_insecure: getter_insecure.unwrap_or_default(),
            relative_dest: relative_dest.unwrap_or_default(),
            chown,
        }
    }
}

/// See [`Template`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiTemplate {
    pub change_mode: Option<String>,
    pub change_script: Option<ApiChangeScript>,
    pub change_signal: Option<String>,
    pub dest_path: Option<String>,
    pub embedded_tmpl: Option<String>,
    pub envvars: Option<bool>,
    pub err_missing_key: Option<bool>,
    pub gid: Option<i64>,
    pub left_delim: Option<String>,
    pub once: Option<bool>,
    pub perms: Option<String>,
    pub right_delim: Option<String>,
    pub source_path: Option<String>,
    pub splay: Option<Duration>,
    pub uid: Option<i64>,
    pub vault_grace: Option<Duration>,
    pub wait: Option<WaitConfig>,
}

impl From<ApiTemplate> for Template {
    fn from(api: ApiTemplate) -> Self {
        // exhaustive
        let ApiTemplate {
            change_mode,
            change_script,
            change_signal,
            dest_path,
            embedded_tmpl,
            envvars,
            err_missing_key,
            gid,
            left_delim,
            once,
            perms,
            right_delim,
            source_path,
            splay,
            uid,
            vault_grace,
            wait,
        } = api;
        Self {
            source_path: source_path.unwrap_or_default(),
            dest_path: dest_path.unwrap_or_default(),
            embedded_tmpl: embedded_tmpl.unwrap_or_default(),
            change_mode: change_mode.unwrap_or_default(),
            change_signal: change_signal.unwrap_or_default(),
            change_script: change_script.map(Into::into),
            once: once.unwrap_or_default(),
            splay: splay.unwrap_or_default(),
            perms: perms.unwrap_or_default(),
            uid,
            gid,
            left_delim: left_delim.unwrap_or_default(),
            right_delim: right_delim.unwrap_or_default(),
            envvars: envvars.unwrap_or_default(),
            vault_grace: vault_grace.unwrap_or_default(),
            wait,
            err_missing_key: err_missing_key.unwrap_or_default(),
        }
    }
}

/// See [`ChangeScript`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiChangeScript {
    pub args: Option<Vec<String>>,
    pub command: Option<String>,
    pub fail_on_error: Option<bool>,
    pub run_on_first_render: Option<bool>,
    pub timeout: Option<Duration>,
}

impl From<ApiChangeScript> for ChangeScript {
    fn from(api: ApiChangeScript) -> Self {
        // exhaustive
        let ApiChangeScript {
            args,
            command,
            fail_on_error,
            run_on_first_render,
            timeout,
        } = api;
        Self {
            command: command.unwrap_or_default(),
            args: args.unwrap_or_default(),
            timeout: timeout.unwrap_or_default(),
            fail_on_error: fail_on_error.unwrap_or_default(),
            run_on_first_render: run_on_first_render.unwrap_or_default(),
        }
    }
}

/// See [`Vault`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiVault {
    pub allow_token_expiration: Option<bool>,
    pub change_mode: Option<String>,
    pub change_signal: Option<String>,
    pub cluster: String,
    pub disable_file: Option<bool>,
    pub env: Option<bool>,
    pub namespace: Option<String>,
    /// Taken and passed over.
    pub policies: Option<Vec<String>>,
    pub role: String,
}

impl From<ApiVault> for Vault {
    fn from(api: ApiVault) -> Self {
        // exhaustive
        let ApiVault {
            allow_token_expiration,
            change_mode,
            change_signal,
            cluster,
            disable_file,
            env,
            namespace,
            policies: _,
            role,
        } = api;
        Self {
            role,
            namespace: namespace.unwrap_or_default(),
            cluster,
            env: env.unwrap_or_default(),
            disable_file: disable_file.unwrap_or_default(),
            change_mode: change_mode.unwrap_or_default(),
            change_signal: change_signal.unwrap_or_default(),
            allow_token_expiration: allow_token_expiration.unwrap_or_default(),
        }
    }
}

/// See [`Secret`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiSecret {
    pub config: Option<Object>,
    pub env: Option<StringMap>,
    pub name: String,
    pub path: String,
    pub provider: String,
}

impl From<ApiSecret> for Secret {
    fn from(api: ApiSecret) -> Self {
        // exhaustive
        let ApiSecret {
            config,
            env,
            name,
            path,
            provider,
        } = api;
        Self {
            name,
            provider,
            path,
            config: config.unwrap_or_default(),
            env: env.unwrap_or_default(),
        }
    }
}

/// See [`Identity`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiIdentity {
    pub audience: Option<Vec<String>>,
    pub change_mode: String,
    pub change_signal: String,
    pub env: bool,
    pub extra_claims: Option<Vec<String>>,
    pub file: bool,
    pub filepath: String,
    pub name: String,
    pub service_name: String,
    #[serde(rename = "TTL")]
    pub ttl: Duration,
}

impl From<ApiIdentity> for Identity {
    fn from(api: ApiIdentity) -> Self {
        // exhaustive
        let ApiIdentity {
            audience,
            change_mode,
            change_signal,
            env,
            extra_claims,
            file,
            filepath,
            name,
            service_name,
            ttl,
        } = api;
        Self {
            name,
            audience: audience.unwrap_or_default(),
            change_mode,
            change_signal,
            env,
            file,
            filepath,
            service_name,
            ttl,
            extra_claims: extra_claims.unwrap_or_default(),
        }
    }
}

/// See [`Action`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiAction {
    pub args: Option<Vec<String>>,
    pub command: String,
    pub name: String,
}

impl From<ApiAction> for Action {
    fn from(api: ApiAction) -> Self {
        // exhaustive
        let ApiAction {
            args,
            command,
            name,
        } = api;
        Self {
            name,
            command,
            args: args.unwrap_or_default(),
        }
    }
}

/// See [`VolumeMount`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiVolumeMount {
    pub destination: Option<String>,
    pub propagation_mode: Option<String>,
    pub read_only: Option<bool>,
    #[serde(rename = "SELinuxLabel")]
    pub selinux_label: Option<String>,
    pub volume: Option<String>,
}

impl From<ApiVolumeMount> for VolumeMount {
    fn from(api: ApiVolumeMount) -> Self {
        // exhaustive
        let ApiVolumeMount {
            destination,
            propagation_mode,
            read_only,
            selinux_label,
            volume,
        } = api;
        Self {
            volume: volume.unwrap_or_default(),
            destination: destination.unwrap_or_default(),
            read_only: read_only.unwrap_or_default(),
            propagation_mode: propagation_mode.unwrap_or_default(),
            selinux_label: selinux_label.unwrap_or_default(),
        }
    }
}
