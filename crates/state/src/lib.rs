//! The replicated state machine: tables, the commands that change them, snapshots and dumps.
//!
//! Entry points: [`State::apply`] changes, `State::clone` is a snapshot in constant time, [`State::dump`] and
//! [`State::restore`] move it through a file. Invariants: the same log gives byte-equal dumps; rows are immutable
//! once written (`Arc`); a refused command changes nothing; derived rows (summaries, deployment counters, job
//! statuses, the scheduler's [`NodeTable`]) agree with the rows they are derived from after every command.
//!
//! It must never know a clock, a socket, a file or the consensus that orders its commands.

mod apply;
mod census;
mod change;
mod command;
mod dump;
mod error;
mod initial;
mod job_status;
mod key;
mod node_table;
mod restoring;
mod siblings;
mod state;
mod summary;
mod table;
mod txn;

pub use census::Census;
pub use change::{Applied, Change};
pub use command::{
    AllocStop, ClusterMetadata, Command, DrainUpdate, EncryptedVariable, JobRemoval, PlanApply,
    VariableOp, WrappedRootKey,
};
pub use dump::RestoreError;
pub use error::ApplyError;
pub use key::{ClaimKey, JobKey, ScopedKey};
pub use node_table::{
    Amount, Held, Kind, NodeTable, Page, PortsInUse, Slot, Usage, capacity, device_group, ports_of,
};
pub use restoring::RestorePart;
pub use state::{JobScalingEvents, State};
pub use table::Table;
