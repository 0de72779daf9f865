//! A task group as users write it.

use super::*;
use crate::{
    Consul, DisconnectStrategy, Duration, EphemeralDisk, MigrateStrategy, MountOptions, Object,
    ReschedulePolicy, RestartPolicy, ScalingPolicy, StringMap, TaskGroup, UpdateStrategy,
    VolumeRequest,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A task group as users write it; see [`TaskGroup`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiTaskGroup {
    pub affinities: Option<Vec<ApiAffinity>>,
    pub constraints: Option<Vec<Constraint>>,
    pub consul: Option<Consul>,
    pub count: Option<i64>,
    pub disconnect: Option<ApiDisconnectStrategy>,
    pub ephemeral_disk: Option<ApiEphemeralDisk>,
    pub max_client_disconnect: Option<Duration>,
    pub max_run_duration: Option<Duration>,
    pub meta: Option<StringMap>,
    pub migrate: Option<ApiMigrateStrategy>,
    pub name: Option<String>,
    pub networks: Option<Vec<ApiNetworkResource>>,
    pub prevent_reschedule_on_lost: Option<bool>,
    pub reschedule_policy: Option<ApiReschedulePolicy>,
    pub restart_policy: Option<ApiRestartPolicy>,
    pub scaling: Option<ApiScalingPolicy>,
    pub services: Option<Vec<ApiService>>,
    pub shutdown_delay: Option<Duration>,
    pub spreads: Option<Vec<ApiSpread>>,
    pub stop_after_client_disconnect: Option<Duration>,
    pub tasks: Option<Vec<ApiTask>>,
    pub update: Option<ApiUpdateStrategy>,
    pub volumes: Option<BTreeMap<String, ApiVolumeRequest>>,
}

impl From<ApiTaskGroup> for TaskGroup {
    fn from(api: ApiTaskGroup) -> Self {
        // exhaustive
        let ApiTaskGroup {
            affinities,
            constraints,
            consul,
            count,
            disconnect,
            ephemeral_disk,
            max_client_disconnect,
            max_run_duration,
            meta,
            migrate,
            name,
            networks,
            prevent_reschedule_on_lost,
            reschedule_policy,
            restart_policy,
            scaling,
            services,
            shutdown_delay,
            spreads,
            stop_after_client_disconnect,
            tasks,
            update,
            volumes,
        } = api;
        Self {
            name: name.unwrap_or_default(),
            count: count.unwrap_or_default(),
            update: update.map(Into::into),
            migrate: migrate.map(Into::into),
            constraints: constraints.unwrap_or_default(),
            scaling: scaling.map(Into::into),
            restart_policy: restart_policy.unwrap_or_default().into(),
            disconnect: disconnect.map(Into::into),
            tasks: list(tasks),
            ephemeral_disk: ephemeral_disk.unwrap_or_default().into(),
            meta: meta.unwrap_or_default(),
            reschedule_policy: reschedule_policy.map(Into::into),
            affinities: list(affinities),
            spreads: list(spreads),
            networks: list(networks),
            consul,
            services: list(services),
            volumes: map(volumes),
            shutdown_delay,
            max_run_duration,
            stop_after_client_disconnect,
            max_client_disconnect,
            prevent_reschedule_on_lost: prevent_reschedule_on_lost.unwrap_or_default(),
        }
    }
}

/// See [`RestartPolicy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiRestartPolicy {
    pub attempts: Option<i64>,
    pub delay: Option<Duration>,
    pub interval: Option<Duration>,
    pub mode: Option<String>,
    pub render_templates: Option<bool>,
}

impl From<ApiRestartPolicy> for RestartPolicy {
    fn from(api: ApiRestartPolicy) -> Self {
        // exhaustive
        let ApiRestartPolicy {
            attempts,
            delay,
            interval,
            mode,
            render_templates,
        } = api;
        Self {
            attempts: attempts.unwrap_or_default(),
            interval: interval.unwrap_or_default(),
            delay: delay.unwrap_or_default(),
            mode: mode.unwrap_or_default(),
            render_templates: render_templates.unwrap_or_default(),
        }
    }
}

/// See [`ReschedulePolicy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiReschedulePolicy {
    pub attempts: Option<i64>,
    pub delay: Option<Duration>,
    pub delay_function: Option<String>,
    pub interval: Option<Duration>,
    pub max_delay: Option<Duration>,
    pub unlimited: Option<bool>,
}

impl From<ApiReschedulePolicy> for ReschedulePolicy {
    fn from(api: ApiReschedulePolicy) -> Self {
        // exhaustive
        let ApiReschedulePolicy {
            attempts,
            delay,
            delay_function,
            interval,
            max_delay,
            unlimited,
        } = api;
        Self {
            attempts: attempts.unwrap_or_default(),
            interval: interval.unwrap_or_default(),
            delay: delay.unwrap_or_default(),
            delay_function: delay_function.unwrap_or_default(),
            max_delay: max_delay.unwrap_or_default(),
            unlimited: unlimited.unwrap_or_default(),
        }
    }
}

/// See [`UpdateStrategy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiUpdateStrategy {
    pub auto_promote: Option<bool>,
    pub auto_revert: Option<bool>,
    pub canary: Option<i64>,
    pub health_check: Option<String>,
    pub healthy_deadline: Option<Duration>,
    pub max_parallel: Option<i64>,
    pub min_healthy_time: Option<Duration>,
    pub progress_deadline: Option<Duration>,
    pub stagger: Option<Duration>,
}

impl From<ApiUpdateStrategy> for UpdateStrategy {
    fn from(api: ApiUpdateStrategy) -> Self {
        // exhaustive
        let ApiUpdateStrategy {
            auto_promote,
            auto_revert,
            canary,
            health_check,
            healthy_deadline,
            max_parallel,
            min_healthy_time,
            progress_deadline,
            stagger,
        } = api;
        Self {
            stagger: stagger.unwrap_or_default(),
            max_parallel: max_parallel.unwrap_or_default(),
            health_check: health_check.unwrap_or_default(),
            min_healthy_time: min_healthy_time.unwrap_or_default(),
            healthy_deadline: healthy_deadline.unwrap_or_default(),
            progress_deadline: progress_deadline.unwrap_or_default(),
            auto_revert: auto_revert.unwrap_or_default(),
            auto_promote: auto_promote.unwrap_or_default(),
            canary: canary.unwrap_or_default(),
        }
    }
}

/// See [`MigrateStrategy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiMigrateStrategy {
    pub health_check: Option<String>,
    pub healthy_deadline: Option<Duration>,
    pub max_parallel: Option<i64>,
    pub min_healthy_time: Option<Duration>,
}

impl From<ApiMigrateStrategy> for MigrateStrategy {
    fn from(api: ApiMigrateStrategy) -> Self {
        // exhaustive
        let ApiMigrateStrategy {
            health_check,
            healthy_deadline,
            max_parallel,
            min_healthy_time,
        } = api;
        Self {
            max_parallel: max_parallel.unwrap_or_default(),
            health_check: health_check.unwrap_or_default(),
            min_healthy_time: min_healthy_time.unwrap_or_default(),
            healthy_deadline: healthy_deadline.unwrap_or_default(),
        }
    }
}

/// See [`DisconnectStrategy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiDisconnectStrategy {
    pub lost_after: Option<Duration>,
    pub reconcile: Option<String>,
    pub replace: Option<bool>,
    pub stop_on_client_after: Option<Duration>,
}

impl From<ApiDisconnectStrategy> for DisconnectStrategy {
    fn from(api: ApiDisconnectStrategy) -> Self {
        // exhaustive
        let ApiDisconnectStrategy {
            lost_after,
            reconcile,
            replace,
            stop_on_client_after,
        } = api;
        Self {
            lost_after: lost_after.unwrap_or_default(),
            stop_on_client_after,
            replace,
            reconcile: reconcile.unwrap_or_default(),
        }
    }
}

/// See [`EphemeralDisk`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiEphemeralDisk {
    pub migrate: Option<bool>,
    #[serde(rename = "SizeMB")]
    pub size_mb: Option<i64>,
    pub sticky: Option<bool>,
}

impl From<ApiEphemeralDisk> for EphemeralDisk {
    fn from(api: ApiEphemeralDisk) -> Self {
        // exhaustive
        let ApiEphemeralDisk {
            migrate,
            size_mb,
            sticky,
        } = api;
        Self {
            sticky: sticky.unwrap_or_default(),
            size_mb: size_mb.unwrap_or_default(),
            migrate: migrate.unwrap_or_default(),
        }
    }
}

/// See [`ScalingPolicy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiScalingPolicy {
    pub create_index: u64,
    pub enabled: Option<bool>,
    #[serde(rename = "ID")]
    pub id: String,
    pub max: Option<i64>,
    pub min: Option<i64>,
    pub modify_index: u64,
    /// Not used.
    pub namespace: String,
    pub policy: Option<Object>,
    pub target: Option<StringMap>,
    pub r#type: String,
}

impl From<ApiScalingPolicy> for ScalingPolicy {
    fn from(api: ApiScalingPolicy) -> Self {
        // exhaustive
        let ApiScalingPolicy {
            create_index,
            enabled,
            id,
            max,
            min,
            modify_index,
            namespace: _,
            policy,
            target,
            r#type,
        } = api;
        Self {
            id,
            r#type,
            target: target.unwrap_or_default(),
            policy: policy.unwrap_or_default(),
            min: min.unwrap_or_default(),
            max: max.unwrap_or_default(),
            enabled: enabled.unwrap_or_default(),
            create_index,
            modify_index,
        }
    }
}

/// See [`VolumeRequest`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiVolumeRequest {
    pub access_mode: String,
    pub attachment_mode: String,
    pub mount_options: Option<ApiMountOptions>,
    pub name: String,
    pub per_alloc: bool,
    pub read_only: bool,
    pub source: String,
    pub sticky: bool,
    pub r#type: String,
}

impl From<ApiVolumeRequest> for VolumeRequest {
    fn from(api: ApiVolumeRequest) -> Self {
        // exhaustive
        let ApiVolumeRequest {
            access_mode,
            attachment_mode,
            mount_options,
            name,
            per_alloc,
            read_only,
            source,
            sticky,
            r#type,
        } = api;
        Self {
            name,
            r#type,
            source,
            read_only,
            sticky,
            access_mode,
            attachment_mode,
            mount_options: mount_options.map(Into::into),
            per_alloc,
        }
    }
}

/// See [`MountOptions`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiMountOptions {
    #[serde(rename = "FSType")]
    pub fs_type: String,
    pub mount_flags: Option<Vec<String>>,
}

impl From<ApiMountOptions> for MountOptions {
    fn from(api: ApiMountOptions) -> Self {
        // exhaustive
        let ApiMountOptions {
            fs_type,
            mount_flags,
        } = api;
        Self {
            fs_type,
            mount_flags: mount_flags.unwrap_or_default(),
        }
    }
}
