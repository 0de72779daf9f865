//! The job: what a user declares.

use crate::{
    Affinity, Constraint, JobId, NamespaceName, Spread, StringMap, TaskGroup, UnixNanos,
    UpdateStrategy, shape,
};
use serde::{Deserialize, Serialize};

/// Kinds of jobs; any other text is refused by validation, not by decoding.
pub mod job_type {
    /// Runs until stopped.
    pub const SERVICE: &str = "service";
    /// Runs until it succeeds.
    pub const BATCH: &str = "batch";
    /// One on every node, until stopped.
    pub const SYSTEM: &str = "system";
    /// One on every node, until it succeeds.
    pub const SYSBATCH: &str = "sysbatch";
    /// The cluster's own work: an evaluation type, never a job's.
    pub const CORE: &str = "_core";
}

/// States of a job.
pub mod job_status {
    /// Nothing runs yet.
    pub const PENDING: &str = "pending";
    /// Something runs, or will when its time comes.
    pub const RUNNING: &str = "running";
    /// Everything has ended.
    pub const DEAD: &str = "dead";
}

/// What is put between a parent's id and the rest of its children's ids.
pub mod launch_suffix {
    /// Children of periodic jobs: `report/periodic-1795252627`.
    pub const PERIODIC: &str = "/periodic-";
    /// Children of parameterized jobs: `encode/dispatch-1795252627-c572458e`.
    pub const DISPATCH: &str = "/dispatch-";
}

/// Whether and how a dispatch brings a payload.
pub mod payload_rule {
    /// May bring one.
    pub const OPTIONAL: &str = "optional";
    /// Must bring one.
    pub const REQUIRED: &str = "required";
    /// Must not bring one.
    pub const FORBIDDEN: &str = "forbidden";
}

/// What a user declares: task groups, and where and how they run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Job {
    /// The job is to have no allocations.
    pub stop: bool,
    pub region: String,
    pub namespace: NamespaceName,
    #[serde(rename = "ID")]
    pub id: JobId,
    /// The periodic or parameterized job it was launched from.
    #[serde(rename = "ParentID")]
    pub parent_id: JobId,
    pub name: String,
    /// One of [`job_type`].
    pub r#type: String,
    pub priority: i64,
    /// Nothing is placed until everything can be.
    pub all_at_once: bool,
    /// Patterns with `*`.
    #[serde(with = "shape::nullable")]
    pub datacenters: Vec<String>,
    pub node_pool: String,
    #[serde(with = "shape::nullable")]
    pub constraints: Vec<Constraint>,
    #[serde(with = "shape::nullable")]
    pub affinities: Vec<Affinity>,
    #[serde(with = "shape::nullable")]
    pub spreads: Vec<Spread>,
    #[serde(with = "shape::nullable")]
    pub task_groups: Vec<TaskGroup>,
    /// Only `stagger` and `max_parallel` are kept here; the groups have the whole.
    #[serde(deserialize_with = "shape::null_default")]
    pub update: UpdateStrategy,
    pub multiregion: Option<Multiregion>,
    pub periodic: Option<PeriodicConfig>,
    pub parameterized_job: Option<ParameterizedJobConfig>,
    /// Launched from a parameterized job.
    pub dispatched: bool,
    pub dispatch_idempotency_token: String,
    /// What the dispatch brought.
    #[serde(with = "shape::base64_bytes")]
    pub payload: Vec<u8>,
    #[serde(with = "shape::nullable")]
    pub meta: StringMap,
    pub consul_namespace: String,
    pub vault_namespace: String,
    /// Accessor of the token that registered it.
    #[serde(rename = "NomadTokenID")]
    pub nomad_token_id: String,
    /// One of [`job_status`].
    pub status: String,
    pub status_description: String,
    /// A deployment of this version succeeded.
    pub stable: bool,
    /// Counts spec changes from 0.
    pub version: u64,
    pub submit_time: UnixNanos,
    pub create_index: u64,
    pub modify_index: u64,
    /// Changes with the spec only; what check-and-set compares.
    pub job_modify_index: u64,
    #[serde(rename = "UI")]
    pub ui: Option<JobUi>,
    pub version_tag: Option<JobVersionTag>,
}

impl Job {
    /// Whether it is launched at times rather than placed itself.
    #[must_use]
    pub fn is_periodic(&self) -> bool {
        self.periodic.is_some()
    }

    /// Whether it is launched at times now: periodic, enabled, not stopped and not waiting for dispatches.
    #[must_use]
    pub fn is_periodic_active(&self) -> bool {
        self.periodic
            .as_ref()
            .is_some_and(|periodic| periodic.enabled)
            && !self.stop
            && !self.is_parameterized()
    }

    /// Whether it is launched by dispatches rather than placed itself.
    #[must_use]
    pub fn is_parameterized(&self) -> bool {
        self.parameterized_job.is_some() && !self.dispatched
    }

    /// Whether it gets no evaluations of its own.
    #[must_use]
    pub fn is_launched(&self) -> bool {
        self.is_periodic() || self.is_parameterized()
    }

    /// Whether its allocations end by themselves: batch and sysbatch.
    #[must_use]
    pub fn is_batch_like(&self) -> bool {
        self.r#type == job_type::BATCH || self.r#type == job_type::SYSBATCH
    }

    /// Whether it has one allocation per node: system and sysbatch.
    #[must_use]
    pub fn is_system_like(&self) -> bool {
        self.r#type == job_type::SYSTEM || self.r#type == job_type::SYSBATCH
    }

    /// Whether it is a service job.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.r#type == job_type::SERVICE
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop
    }

    /// The group with this name.
    #[must_use]
    pub fn lookup_task_group(&self, name: &str) -> Option<&TaskGroup> {
        self.task_groups.iter().find(|group| group.name == name)
    }

    /// The group with this name, to change.
    pub fn lookup_task_group_mut(&mut self, name: &str) -> Option<&mut TaskGroup> {
        self.task_groups.iter_mut().find(|group| group.name == name)
    }

    /// Meta of the job, overlaid by the group's and then by the task's.
    #[must_use]
    pub fn combined_meta(&self, group: &str, task: &str) -> StringMap {
        let mut meta = self.meta.clone();
        if let Some(group) = self.lookup_task_group(group) {
            meta.extend(group.meta.clone());
            if let Some(task) = group.lookup_task(task) {
                meta.extend(task.meta.clone());
            }
        }
        meta
    }

    /// Whether both declare the same: equal but for what the cluster keeps on a job (status, stability,
    /// version and its tag, indexes, times).
    #[must_use]
    pub fn same_spec(&self, other: &Self) -> bool {
        let mut mine = self.clone();
        mine.status.clone_from(&other.status);
        mine.status_description
            .clone_from(&other.status_description);
        mine.stable = other.stable;
        mine.version = other.version;
        mine.version_tag.clone_from(&other.version_tag);
        mine.submit_time = other.submit_time;
        mine.create_index = other.create_index;
        mine.modify_index = other.modify_index;
        mine.job_modify_index = other.job_modify_index;
        mine == *other
    }
}

/// A name given to a version, which is then never dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobVersionTag {
    pub name: String,
    pub description: String,
    pub tagged_time: UnixNanos,
}

/// When a periodic job is launched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct PeriodicConfig {
    pub enabled: bool,
    /// One cron expression; old form.
    pub spec: String,
    /// Cron expressions; the earliest next time counts.
    #[serde(with = "shape::nullable")]
    pub specs: Vec<String>,
    /// `cron`, or `test` within tests.
    pub spec_type: String,
    /// Not launched while a child is alive.
    pub prohibit_overlap: bool,
    /// IANA name.
    pub time_zone: String,
}

impl PeriodicConfig {
    /// The cron expressions in whichever form they were given.
    pub fn expressions(&self) -> impl Iterator<Item = &str> {
        let one = Some(self.spec.as_str()).filter(|spec| !spec.is_empty());
        one.into_iter().chain(self.specs.iter().map(String::as_str))
    }
}

/// What a dispatch of a parameterized job brings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ParameterizedJobConfig {
    /// One of [`payload_rule`].
    pub payload: String,
    #[serde(with = "shape::nullable")]
    pub meta_required: Vec<String>,
    #[serde(with = "shape::nullable")]
    pub meta_optional: Vec<String>,
}

/// Spreading over regions (kept and shown; the community edition refuses such jobs).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Multiregion {
    pub strategy: Option<MultiregionStrategy>,
    #[serde(with = "shape::nullable")]
    pub regions: Vec<MultiregionRegion>,
}

/// The order in which regions are updated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MultiregionStrategy {
    pub max_parallel: i64,
    pub on_failure: String,
}

/// The part of a multiregion job that one region runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct MultiregionRegion {
    pub name: String,
    pub count: i64,
    #[serde(with = "shape::nullable")]
    pub datacenters: Vec<String>,
    pub node_pool: String,
    #[serde(with = "shape::nullable")]
    pub meta: StringMap,
}

/// What the web interface shows beside the job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobUi {
    /// Markdown.
    pub description: String,
    #[serde(with = "shape::nullable")]
    pub links: Vec<JobUiLink>,
}

/// A link shown beside the job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobUiLink {
    pub label: String,
    #[serde(alias = "URL")]
    pub url: String,
}
