//! The vocabulary: every object of the public JSON, once, with typed ids and units.
//!
//! The serde shape of these types *is* the public JSON and what is stored. Only jobs have a second form, [`api`]: as users write
//! them, where "not given" and "zero" still differ.
//! This crate must never know how anything is stored, sent or decided.

pub mod acl;
pub mod acl_auth;
pub mod agent;
pub mod alloc;
pub mod alloc_resources;
pub mod alloc_stub;
pub mod api;
pub mod connect;
pub mod constraint;
pub mod cron;
pub mod csi;
pub mod deployment;
pub mod diff;
pub mod evaluation;
pub mod event;
pub mod free_form;
pub mod group;
pub mod host_volume;
pub mod id;
pub mod job;
pub mod job_api;
pub mod job_view;
pub mod metrics;
pub mod namespace;
pub mod network;
pub mod node;
pub mod node_api;
pub mod node_class;
pub mod node_pool;
pub mod node_resources;
pub mod operator;
pub mod plan;
pub mod query;
pub mod regexp;
pub mod resources;
pub mod rollout;
pub mod scheduler_config;
pub mod scores;
pub mod search;
pub mod service;
pub mod service_registration;
pub mod shape;
pub mod small_map;
pub mod stats;
pub mod task;
pub mod task_event;
pub mod task_state;
mod text_enum;
pub mod time;
pub mod variable;
pub mod volume_request;

pub use id::{AllocId, DeploymentId, EvalId, InvalidId, JobId, KeyId, NamespaceName, NodeId};
pub use time::{Duration, Timestamp, UnixNanos};

// The job family.
pub use connect::*;
pub use constraint::{Affinity, Constraint, Spread, SpreadTarget, operand};
pub use cron::Cron;
pub use diff::*;
pub use free_form::{Object, StringMap};
pub use group::*;
pub use job::*;
pub use job_api::*;
pub use job_view::*;
pub use network::*;
pub use resources::{Numa, RequestedDevice, Resources};
pub use rollout::*;
pub use service::*;
pub use task::*;
pub use volume_request::{MountOptions, VolumeMount, VolumeRequest, volume_type};

// Everything else.
pub use acl::{
    AclBootstrapRequest, AclPolicy, AclPolicyListStub, AclRole, AclRolePolicy, AclToken,
    AclTokenListStub, AclTokenRole, JobAcl, OneTimeToken, OneTimeTokenExchangeRequest,
    OneTimeTokenExchangeResponse, OneTimeTokenResponse, token_type,
};
pub use acl_auth::*;
pub use agent::*;
pub use alloc::*;
pub use alloc_resources::*;
pub use alloc_stub::*;
pub use csi::*;
pub use deployment::*;
pub use evaluation::*;
pub use event::*;
pub use host_volume::*;
pub use metrics::*;
pub use namespace::*;
pub use node::*;
pub use node_api::*;
pub use node_class::computed_class;
pub use node_pool::{NodePool, NodePoolSchedulerConfiguration};
pub use node_resources::*;
pub use operator::*;
pub use plan::*;
pub use query::*;
pub use scheduler_config::*;
pub use scores::{ScoreName, Scores};
pub use search::*;
pub use service_registration::*;
pub use small_map::SmallMap;
pub use stats::*;
pub use task_event::{Said, TaskEvent, TypedDetails};
pub use task_state::*;
pub use text_enum::UnknownWord;
pub use variable::{Variable, VariableEncrypted, VariableLock, VariableMetadata};
