//! A dump on its way back into the state, part by part: no entry of the log has to hold all of it.
//!
//! What came so far is a part of the state, so that servers agree on it, whatever they are doing.

use crate::change::Applied;
use crate::error::ApplyError;
use crate::state::State;
use crate::table::Table;
use imbl::Vector;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::sync::Arc;

/// One part of a dump.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RestorePart {
    /// The same for all parts of one restore.
    pub restore: String,
    /// Which part this is, from 0.
    pub number: u64,
    /// Whether the dump ends with it, so that the state becomes what was dumped.
    pub last: bool,
    /// The bytes.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

/// The parts that came so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Restoring {
    restore: String,
    parts: Vector<Arc<ByteBuf>>,
}

impl State {
    /// Takes a part in. A first part replaces whatever an earlier restore left behind; the last one puts the state
    /// back.
    pub(crate) fn take_part(
        &mut self,
        index: u64,
        part: RestorePart,
    ) -> Result<Applied, ApplyError> {
        self.index = index;
        if part.number == 0 {
            self.restoring = Some(Restoring {
                restore: part.restore.clone(),
                parts: Vector::new(),
            });
        }
        let begun = self.restoring.as_mut().filter(|begun| {
            begun.restore == part.restore && begun.parts.len() as u64 == part.number
        });
        let Some(begun) = begun else {
            return Err(ApplyError::RestoreInterrupted);
        };
        begun.parts.push_back(Arc::new(ByteBuf::from(part.bytes)));
        if part.last {
            let parts = self.restoring.take().unwrap_or_default().parts;
            let mut dump = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
            parts.iter().for_each(|part| dump.extend_from_slice(part));
            drop(parts);
            return self.put_back(index, &dump);
        }
        Ok(Applied {
            index,
            ..Applied::default()
        })
    }

    /// Becomes the state that was dumped. Every table counts as written now, so that everyone who waits looks again.
    pub(crate) fn put_back(&mut self, index: u64, dump: &[u8]) -> Result<Applied, ApplyError> {
        self.index = index;
        let mut state =
            Self::restore(dump).map_err(|error| ApplyError::NotADump(error.to_string()))?;
        for table in Table::ALL {
            state.indexes.set(*table, index);
        }
        state.index = index;
        state.restoring = None;
        *self = state;
        Ok(Applied {
            index,
            restored: true,
            ..Applied::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;
    use caravan_model::NodePool;

    fn part(restore: &str, number: u64, last: bool, bytes: &[u8]) -> Command {
        Command::RestorePart(RestorePart {
            restore: restore.into(),
            number,
            last,
            bytes: bytes.to_vec(),
        })
    }

    fn with_pool(name: &str) -> State {
        let mut state = State::initial();
        let pools = vec![NodePool {
            name: name.into(),
            ..NodePool::default()
        }];
        state
            .apply(5, Command::UpsertNodePools { pools })
            .expect("a pool");
        state
    }

    #[test]
    fn a_dump_comes_back_in_parts_and_the_log_of_parts_is_the_same_after_a_snapshot_between_them() {
        let dump = with_pool("edge").dump();
        let mut state = with_pool("other");
        let (first, rest) = dump.split_at(dump.len() / 2);
        let begun = state.apply(6, part("r", 0, false, first)).expect("begun");
        assert!(!begun.restored);
        assert!(
            state.node_pool(&"other".to_owned()).is_some(),
            "nothing changes before all of it came"
        );
        let mut copy = State::restore(&state.dump()).expect("a snapshot between parts");
        for state in [&mut state, &mut copy] {
            let applied = state.apply(7, part("r", 1, true, rest)).expect("whole");
            assert!(applied.restored);
            assert!(state.node_pool(&"edge".to_owned()).is_some());
            assert!(state.node_pool(&"other".to_owned()).is_none());
        }
        assert_eq!(state.dump(), copy.dump());
    }

    #[test]
    fn parts_of_another_restore_or_out_of_order_are_refused() {
        let mut state = with_pool("edge");
        let refused = Some(ApplyError::RestoreInterrupted);
        assert_eq!(state.apply(6, part("r", 1, true, b"x")).err(), refused);
        state.apply(7, part("r", 0, false, b"x")).expect("begun");
        assert_eq!(state.apply(8, part("s", 1, true, b"x")).err(), refused);
        assert_eq!(state.apply(9, part("r", 2, true, b"x")).err(), refused);
        assert!(matches!(
            state.apply(10, part("r", 1, true, b"x")),
            Err(ApplyError::NotADump(_))
        ));
        assert!(state.node_pool(&"edge".to_owned()).is_some());
        assert_eq!(state.restoring, None, "what was refused is not kept");
    }
}
