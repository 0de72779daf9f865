//! What each scorer says of a node.

use crate::shape::Emptiable;
use crate::text_enum::text_enum;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

text_enum! {
    /// What a score stands for.
    ScoreName as "score name" {
        Binpack = "binpack",
        Devices = "devices",
        JobAntiAffinity = "job-anti-affinity",
        NodeReschedulePenalty = "node-reschedule-penalty",
        NodeAffinity = "node-affinity",
        AllocationSpread = "allocation-spread",
        Preemption = "preemption",
    }
}

/// The scores that were given, by name. Each has its place, so that they need no memory of their own: allocations keep
/// those of five nodes each.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Scores {
    values: [f64; ScoreName::ALL.len()],
    /// One bit for each name; the value of one that is not given is zero.
    given: u8,
}

/// A name more than there are bits does not compile.
const _: () = assert!(ScoreName::ALL.len() <= u8::BITS as usize);

impl Scores {
    /// Gives a score.
    pub fn insert(&mut self, name: ScoreName, value: f64) {
        self.given |= 1 << name as u8;
        self.values[name as usize] = value;
    }

    /// The scores that were given, in the order of their names' declaration.
    pub fn iter(&self) -> impl Iterator<Item = (ScoreName, f64)> + Clone + '_ {
        let names = ScoreName::ALL.iter().copied();
        let given = names.filter(|name| self.given & (1 << *name as u8) != 0);
        given.map(|name| (name, self.values[name as usize]))
    }
}

impl Emptiable for Scores {
    fn is_nothing(&self) -> bool {
        self.given == 0
    }
}

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByName;
        impl<'de> Visitor<'de> for ByName {
            type Value = Scores;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of scores")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scores, A::Error> {
                let mut scores = Scores::default();
                while let Some((name, value)) = entries.next_entry()? {
                    scores.insert(name, value);
                }
                Ok(scores)
            }
        }
        deserializer.deserialize_map(ByName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_written_and_read_a_zero_too() {
        let mut scores = Scores::default();
        scores.insert(ScoreName::Preemption, 0.25);
        scores.insert(ScoreName::Binpack, 0.0);
        let text = serde_json::to_string(&scores).unwrap();
        assert_eq!(text, r#"{"binpack":0.0,"preemption":0.25}"#);
        assert_eq!(serde_json::from_str::<Scores>(&text).unwrap(), scores);
        let bytes = caravan_codec::msgpack::pack(&scores).unwrap();
        assert_eq!(
            caravan_codec::msgpack::unpack::<Scores>(&bytes).unwrap(),
            scores
        );
        assert!(Scores::default().is_nothing());
        assert!(!scores.is_nothing());
    }
}
