//! Log, vote, snapshot and state machine as the Raft library wants them.

mod ahead;
pub(crate) mod apply;
pub(crate) mod database;
pub(crate) mod disk;
pub(crate) mod log;
pub(crate) mod snapshot;
pub(crate) mod snapshot_file;
pub(crate) mod tail;
