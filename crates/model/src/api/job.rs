//! A job as users write it.

use super::*;
use crate::{
    Job, JobUi, JobUiLink, JobVersionTag, Multiregion, MultiregionRegion, MultiregionStrategy,
    ParameterizedJobConfig, PeriodicConfig, StringMap, UnixNanos, shape,
};
use serde::{Deserialize, Serialize};

/// A job as users write it; see [`Job`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiJob {
    pub affinities: Option<Vec<ApiAffinity>>,
    pub all_at_once: Option<bool>,
    pub constraints: Option<Vec<Constraint>>,
    pub consul_namespace: Option<String>,
    pub create_index: Option<u64>,
    pub datacenters: Option<Vec<String>>,
    pub dispatch_idempotency_token: Option<String>,
    pub dispatched: bool,
    #[serde(rename = "ID")]
    pub id: Option<String>,
    pub job_modify_index: Option<u64>,
    pub meta: Option<StringMap>,
    /// What groups start from; not kept on the job.
    pub migrate: Option<ApiMigrateStrategy>,
    pub modify_index: Option<u64>,
    pub multiregion: Option<ApiMultiregion>,
    pub name: Option<String>,
    pub namespace: Option<String>,
    pub node_pool: Option<String>,
    #[serde(rename = "NomadTokenID")]
    pub nomad_token_id: Option<String>,
    pub parameterized_job: Option<ApiParameterizedJobConfig>,
    #[serde(rename = "ParentID")]
    pub parent_id: Option<String>,
    #[serde(with = "shape::base64_bytes")]
    pub payload: Vec<u8>,
    pub periodic: Option<ApiPeriodicConfig>,
    pub priority: Option<i64>,
    pub region: Option<String>,
    /// What groups start from; not kept on the job.
    pub reschedule: Option<ApiReschedulePolicy>,
    pub spreads: Option<Vec<ApiSpread>>,
    pub stable: Option<bool>,
    pub status: Option<String>,
    pub status_description: Option<String>,
    pub stop: Option<bool>,
    pub submit_time: Option<UnixNanos>,
    pub task_groups: Option<Vec<ApiTaskGroup>>,
    pub r#type: Option<String>,
    #[serde(rename = "UI")]
    pub ui: Option<ApiJobUi>,
    /// What groups start from.
    pub update: Option<ApiUpdateStrategy>,
    pub vault_namespace: Option<String>,
    pub version: Option<u64>,
    pub version_tag: Option<JobVersionTag>,
}

impl From<ApiJob> for Job {
    fn from(api: ApiJob) -> Self {
        // exhaustive
        let ApiJob {
            affinities,
            all_at_once,
            constraints,
            consul_namespace,
            create_index,
            datacenters,
            dispatch_idempotency_token,
            dispatched,
            id,
            job_modify_index,
            meta,
            migrate: _,
            modify_index,
            multiregion,
            name,
            namespace,
            node_pool,
            nomad_token_id,
            parameterized_job,
            parent_id,
            payload,
            periodic,
            priority,
            region,
            reschedule: _,
            spreads,
            stable,
            status,
            status_description,
            stop,
            submit_time,
            task_groups,
            r#type,
            ui,
            update,
            vault_namespace,
            version,
            version_tag,
        } = api;
        Self {
            stop: stop.unwrap_or_default(),
            region: region.unwrap_or_default(),
            namespace: namespace.unwrap_or_default().into(),
            id: id.unwrap_or_default().into(),
            parent_id: parent_id.unwrap_or_default().into(),
            name: name.unwrap_or_default(),
            r#type: r#type.unwrap_or_default(),
            priority: priority.unwrap_or_default(),
            all_at_once: all_at_once.unwrap_or_default(),
            datacenters: datacenters.unwrap_or_default(),
            node_pool: node_pool.unwrap_or_default(),
            constraints: constraints.unwrap_or_default(),
            affinities: list(affinities),
            spreads: list(spreads),
            task_groups: list(task_groups),
            update: update.unwrap_or_default().into(),
            multiregion: multiregion.map(Into::into),
            periodic: periodic.map(Into::into),
            parameterized_job: parameterized_job.map(Into::into),
            dispatched,
            dispatch_idempotency_token: dispatch_idempotency_token.unwrap_or_default(),
            payload,
            meta: meta.unwrap_or_default(),
            consul_namespace: consul_namespace.unwrap_or_default(),
            vault_namespace: vault_namespace.unwrap_or_default(),
            nomad_token_id: nomad_token_id.unwrap_or_default(),
            status: status.unwrap_or_default(),
            status_description: status_description.unwrap_or_default(),
            stable: stable.unwrap_or_default(),
            version: version.unwrap_or_default(),
            submit_time: submit_time.unwrap_or_default(),
            create_index: create_index.unwrap_or_default(),
            modify_index: modify_index.unwrap_or_default(),
            job_modify_index: job_modify_index.unwrap_or_default(),
            ui: ui.map(Into::into),
            version_tag,
        }
    }
}

/// See [`PeriodicConfig`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiPeriodicConfig {
    pub enabled: Option<bool>,
    pub prohibit_overlap: Option<bool>,
    pub spec: Option<String>,
    pub spec_type: Option<String>,
    pub specs: Option<Vec<String>>,
    pub time_zone: Option<String>,
}

impl From<ApiPeriodicConfig> for PeriodicConfig {
    fn from(api: ApiPeriodicConfig) -> Self {
        // exhaustive
        let ApiPeriodicConfig {
            enabled,
            prohibit_overlap,
            spec,
            spec_type,
            specs,
            time_zone,
        } = api;
        Self {
            enabled: enabled.unwrap_or_default(),
            spec: spec.unwrap_or_default(),
            specs: specs.unwrap_or_default(),
            spec_type: spec_type.unwrap_or_default(),
            prohibit_overlap: prohibit_overlap.unwrap_or_default(),
            time_zone: time_zone.unwrap_or_default(),
        }
    }
}

/// See [`ParameterizedJobConfig`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiParameterizedJobConfig {
    pub meta_optional: Option<Vec<String>>,
    pub meta_required: Option<Vec<String>>,
    pub payload: String,
}

impl From<ApiParameterizedJobConfig> for ParameterizedJobConfig {
    fn from(api: ApiParameterizedJobConfig) -> Self {
        // exhaustive
        let ApiParameterizedJobConfig {
            meta_optional,
            meta_required,
            payload,
        } = api;
        Self {
            payload,
            meta_required: meta_required.unwrap_or_default(),
            meta_optional: meta_optional.unwrap_or_default(),
        }
    }
}

/// See [`Multiregion`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiMultiregion {
    pub regions: Option<Vec<ApiMultiregionRegion>>,
    pub strategy: Option<ApiMultiregionStrategy>,
}

impl From<ApiMultiregion> for Multiregion {
    fn from(api: ApiMultiregion) -> Self {
        // exhaustive
        let ApiMultiregion { regions, strategy } = api;
        Self {
            strategy: strategy.map(Into::into),
            regions: list(regions),
        }
    }
}

/// See [`MultiregionStrategy`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiMultiregionStrategy {
    pub max_parallel: Option<i64>,
    pub on_failure: Option<String>,
}

impl From<ApiMultiregionStrategy> for MultiregionStrategy {
    fn from(api: ApiMultiregionStrategy) -> Self {
        // exhaustive
        let ApiMultiregionStrategy {
            max_parallel,
            on_failure,
        } = api;
        Self {
            max_parallel: max_parallel.unwrap_or_default(),
            on_failure: on_failure.unwrap_or_default(),
        }
    }
}

/// See [`MultiregionRegion`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiMultiregionRegion {
    pub count: Option<i64>,
    pub datacenters: Option<Vec<String>>,
    pub meta: Option<StringMap>,
    pub name: String,
    pub node_pool: String,
}

impl From<ApiMultiregionRegion> for MultiregionRegion {
    fn from(api: ApiMultiregionRegion) -> Self {
        // exhaustive
        let ApiMultiregionRegion {
            count,
            datacenters,
            meta,
            name,
            node_pool,
        } = api;
        Self {
            name,
            count: count.unwrap_or_default(),
            datacenters: datacenters.unwrap_or_default(),
            node_pool,
            meta: meta.unwrap_or_default(),
        }
    }
}

/// See [`JobUi`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiJobUi {
    pub description: String,
    pub links: Option<Vec<ApiJobUiLink>>,
}

impl From<ApiJobUi> for JobUi {
    fn from(api: ApiJobUi) -> Self {
        // exhaustive
        let ApiJobUi { description, links } = api;
        Self {
            description,
            links: list(links),
        }
    }
}

/// See [`JobUiLink`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ApiJobUiLink {
    pub label: String,
    #[serde(rename = "URL", alias = "Url")]
    pub url: String,
}

impl From<ApiJobUiLink> for JobUiLink {
    fn from(api: ApiJobUiLink) -> Self {
        // exhaustive
        let ApiJobUiLink { label, url } = api;
        Self { label, url }
    }
}
