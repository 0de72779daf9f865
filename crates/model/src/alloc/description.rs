//! Why an allocation is as it is: one of a few texts, as a rule, which a hundred thousand allocations need not hold each.

use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// Why the servers stopped or changed an allocation.
pub mod desired_description {
    /// No longer asked for.
    pub const NOT_NEEDED: &str = "alloc not needed due to job update";
    /// Moves off a draining node.
    pub const MIGRATING: &str = "alloc is being migrated";
    /// Replaced by one of the new version.
    pub const UPDATING: &str = "alloc is being updated due to job update";
    /// The node is down.
    pub const LOST: &str = "alloc is lost since its node is down";
    /// The node is disconnected.
    pub const UNKNOWN: &str = "alloc is unknown since its node is disconnected";
    /// Takes the new version without a restart.
    pub const IN_PLACE: &str = "alloc updating in-place";
    /// The node is tainted.
    pub const NODE_TAINTED: &str = "alloc not needed as node is tainted";
    /// Replaced because it failed.
    pub const RESCHEDULED: &str = "alloc was rescheduled because it failed";
    /// Its replacement stays.
    pub const RECONNECTED: &str = "alloc not needed due to disconnected client reconnect";
    /// An evicted one: the id of the allocation that took its place follows.
    pub const PREEMPTED_BY: &str = "Preempted by alloc ID ";
}

/// What a client says about an allocation.
pub mod client_description {
    /// Some task runs.
    pub const RUNNING: &str = "Tasks are running";
    /// All tasks ended well.
    pub const COMPLETE: &str = "All tasks have completed";
    /// Some task failed.
    pub const FAILED: &str = "Failed tasks";
    /// No task runs yet.
    pub const PENDING: &str = "No tasks have started";
}

const KNOWN: &[&str] = &[
    client_description::RUNNING,
    client_description::COMPLETE,
    client_description::FAILED,
    client_description::PENDING,
    desired_description::NOT_NEEDED,
    desired_description::MIGRATING,
    desired_description::UPDATING,
    desired_description::LOST,
    desired_description::UNKNOWN,
    desired_description::IN_PLACE,
    desired_description::NODE_TAINTED,
    desired_description::RESCHEDULED,
    desired_description::RECONNECTED,
];

/// A text that takes no memory of its own when it is one of [`client_description`] or [`desired_description`].
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Description(Cow<'static, str>);

fn known(text: &str) -> Option<&'static str> {
    KNOWN.iter().copied().find(|known| *known == text)
}

impl From<&str> for Description {
    fn from(text: &str) -> Self {
        Self(known(text).map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed))
    }
}

impl From<String> for Description {
    fn from(text: String) -> Self {
        Self(known(&text).map_or(Cow::Owned(text), Cow::Borrowed))
    }
}

impl<'de> Deserialize<'de> for Description {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl Deref for Description {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl PartialEq<&str> for Description {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_text_is_held_once_however_it_comes_in() {
        let text = "\"Tasks are running\"";
        let read: Description = serde_json::from_str(text).unwrap();
        for description in [read, client_description::RUNNING.to_owned().into()] {
            assert!(matches!(description.0, Cow::Borrowed(_)));
            assert_eq!(serde_json::to_string(&description).unwrap(), text);
        }
        let text = "\"Preempted by alloc ID 5\"";
        let own: Description = serde_json::from_str(text).unwrap();
        assert_eq!(own, "Preempted by alloc ID 5");
        assert_eq!(serde_json::to_string(&own).unwrap(), text);
    }
}
