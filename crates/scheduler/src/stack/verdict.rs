//! What is thought of one node for one group.

use super::score::NodeScore;

/// What is thought of one node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Its class cannot take the group; why is kept with the class.
    ClassFiltered,
    /// The node cannot take the group.
    Filtered(String),
    /// The node could, but something is used up.
    Exhausted(String),
    /// The node can.
    Fits(NodeScore),
}
