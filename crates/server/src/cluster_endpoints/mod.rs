//! The endpoints of everything that is no job: nodes, pools, namespaces, variables, the operator's, access control.
//!
//! One file an area; each function answers one operation.

mod acl;
mod csi;
mod event_stream;
mod host_volumes;
mod keyring;
mod namespaces;
mod node_pools;
mod nodes;
mod operator;
mod raft;
mod scaling_policies;
mod search;
mod search_fuzzy;
mod services;
mod snapshot;
mod status;
mod system;
mod variable_locks;
mod variables;

pub(crate) use raft::health_of;
pub use raft::server_uuid;

use crate::endpoints::{Answered, Call};
use caravan_http::{Answer, ApiError, Meta, Op};

pub(crate) async fn dispatch(call: Call) -> Answered {
    match call.request.op {
        Op::NodeList => nodes::list(&call),
        Op::NodeRead => nodes::read(&call),
        Op::NodeAllocations => nodes::allocations(&call),
        Op::NodeEvaluate => nodes::evaluate(&call).await,
        Op::NodeEligibility => nodes::eligibility(&call).await,
        Op::NodeDrain => nodes::drain(&call).await,
        Op::NodePurge => nodes::purge(&call).await,
        Op::NodePoolList => node_pools::list(&call),
        Op::NodePoolRead => node_pools::read(&call),
        Op::NodePoolUpsert => node_pools::upsert(&call).await,
        Op::NodePoolDelete => node_pools::delete(&call).await,
        Op::NodePoolNodes => node_pools::nodes(&call),
        Op::NodePoolJobs => node_pools::jobs(&call),
        Op::NamespaceList => namespaces::list(&call),
        Op::NamespaceRead => namespaces::read(&call),
        Op::NamespaceUpsert => namespaces::upsert(&call).await,
        Op::NamespaceDelete => namespaces::delete(&call).await,
        Op::VariableList => variables::list(&call),
        Op::VariableRead => variables::read(&call),
        Op::VariableWrite => variables::write(&call).await,
        Op::VariableDelete => variables::delete(&call).await,
        Op::ServiceList => services::list(&call),
        Op::ServiceRead => services::read(&call),
        Op::ServiceDelete => services::delete(&call).await,
        Op::ScalingPolicyList => scaling_policies::list(&call),
        Op::ScalingPolicyRead => scaling_policies::read(&call),
        Op::SearchPrefix => search::prefix(&call),
        Op::SearchFuzzy => search_fuzzy::fuzzy(&call),
        Op::VolumeList => csi::list_by_type(&call),
        Op::HostVolumeCreate => host_volumes::create(&call).await,
        Op::HostVolumeRegister => host_volumes::register(&call).await,
        Op::HostVolumeRead => host_volumes::read(&call),
        Op::HostVolumeDelete => host_volumes::delete(&call).await,
        Op::VolumeClaimList => host_volumes::claims(&call),
        Op::VolumeClaimDelete => host_volumes::delete_claim(&call).await,
        Op::StatusLeader => status::leader(&call),
        Op::StatusPeers => status::peers(&call),
        Op::RegionList => status::regions(&call),
        Op::SystemGc => system::collect(&call).await,
        Op::SystemReconcileSummaries => system::reconcile(&call).await,
        Op::EventStream => event_stream::stream(&call),
        Op::RaftConfiguration => raft::configuration(&call),
        Op::RaftPeerRemove => raft::remove_peer(&call).await,
        Op::RaftTransferLeadership => raft::transfer_leadership(&call).await,
        Op::AutopilotConfigurationRead => operator::autopilot(&call),
        Op::AutopilotConfigurationUpdate => operator::set_autopilot(&call).await,
        Op::AutopilotHealth => raft::health(&call),
        Op::SchedulerConfigurationRead => operator::scheduler(&call),
        Op::SchedulerConfigurationUpdate => operator::set_scheduler(&call).await,
        Op::UpgradeCheck => operator::upgrade_check(&call),
        Op::StateSnapshotSave => snapshot::save(&call).await,
        Op::StateSnapshotRestore => snapshot::restore(&call).await,
        Op::KeyringList => keyring::list(&call).await,
        Op::KeyringRotate => keyring::rotate(&call).await,
        Op::KeyringDelete => keyring::delete(&call).await,
        Op::JwksRead => keyring::jwks(&call).await,
        Op::OidcConfigurationRead => Err(ApiError::not_found("OIDC Discovery endpoint disabled")),
        Op::LicenseRead => Ok(Answer::empty(Meta::none()).with_status(204)),
        Op::Enterprise => Err(ApiError::enterprise_only()),
        op if csi::answers(op) => csi::dispatch(&call),
        op if acl::answers(op) => acl::dispatch(&call).await,
        op => Err(ApiError::internal(format!(
            "{} is not answered by a server",
            op.name()
        ))),
    }
}

/// A digest over what an object says, so that a change is seen without comparing.
pub(crate) fn content_hash<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes)
        .as_ref()
        .to_vec()
}
