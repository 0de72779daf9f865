//! For those who run the cluster.

mod api;
mod autopilot;
mod debug;
mod folder;
mod gossip;
mod keyring;
mod metrics;
mod raft;
mod scheduler;
mod snapshot;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[
    &api::SPEC,
    &autopilot::GET,
    &autopilot::SET,
    &autopilot::HEALTH,
    &debug::SPEC,
    &folder::CLIENT_STATE,
    &folder::RAFT_INFO,
    &folder::RAFT_LOGS,
    &folder::RAFT_STATE,
    &folder::RAFT_MIGRATE,
    &gossip::GENERATE,
    &gossip::INSTALL,
    &gossip::LIST,
    &gossip::REMOVE,
    &gossip::USE,
    &keyring::LIST,
    &keyring::ROTATE,
    &keyring::REMOVE,
    &metrics::SPEC,
    &metrics::UTILIZATION,
    &raft::LIST,
    &raft::REMOVE,
    &raft::TRANSFER,
    &scheduler::GET,
    &scheduler::SET,
    &snapshot::SAVE,
    &snapshot::RESTORE,
    &snapshot::INSPECT,
    &snapshot::STATE,
    &snapshot::REDACT,
];
