//! The server shell: the log and the state it drives, the leader's duties, and the endpoints of the public API.
//!
//! Entry points: [`Server::start`], [`Server::node_service`] for nodes' calls. It waits on events, asks pure rooms
//! (`scheduler`, `control`, `state`) what to do, and carries it out.
//!
//! It must never decide anything about jobs itself.

mod admission;
mod archive;
mod caller;
mod clock;
mod cluster_endpoints;
mod config;
mod duties;
mod endpoints;
mod evals;
mod events;
mod fsm;
pub mod inspect;
mod keyring;
mod leader;
mod log_size;
mod measured;
mod node_news;
mod nodes;
mod plans;
mod policies;
mod propose;
mod server;
mod sign_in;
mod stability;
mod store;
#[cfg(test)]
mod testing;
mod timing;
mod variable_timers;
mod volume_maker;
mod worker;
mod workloads;

pub use caravan_control::gc::GcThresholds;
pub use caravan_control::liveness::Pace;
pub use caravan_control::rejections::RejectionLimit;
pub use caravan_identity::IdentityOf;
pub use cluster_endpoints::server_uuid;
pub use config::{RaftTuning, ServerConfig};
pub use endpoints::ServerApi;
pub use fsm::{Fsm, Reply};
pub use nodes::{NodeError, NodeService};
pub use propose::{ProposeError, Proposer};
pub use server::{Numbers, Server, StartError};
pub use store::Store;
pub use volume_maker::{MadeVolume, NodeVolumes};
pub use workloads::Signed;
