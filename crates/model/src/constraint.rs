//! Constraints, affinities and spreads: what a placement must, should and should evenly satisfy.

use crate::shape;
use serde::{Deserialize, Serialize};

/// Operands of constraints and affinities; any other text is refused by validation, not by decoding.
pub mod operand {
    /// Equal as text. `==` and `is` mean the same.
    pub const EQUAL: &str = "=";
    /// Not equal as text. `not` means the same.
    pub const NOT_EQUAL: &str = "!=";
    /// Greater, as numbers when both are numbers, else as text.
    pub const GREATER: &str = ">";
    /// Greater or equal.
    pub const GREATER_OR_EQUAL: &str = ">=";
    /// Less.
    pub const LESS: &str = "<";
    /// Less or equal.
    pub const LESS_OR_EQUAL: &str = "<=";
    /// No two allocations of the job (or group) on one node.
    pub const DISTINCT_HOSTS: &str = "distinct_hosts";
    /// At most `RTarget` (default 1) allocations per value of `LTarget`.
    pub const DISTINCT_PROPERTY: &str = "distinct_property";
    /// `LTarget` matches the regular expression `RTarget`.
    pub const REGEXP: &str = "regexp";
    /// `LTarget` is a version within the lenient version constraint `RTarget`.
    pub const VERSION: &str = "version";
    /// As `version`, with the strict semantic-versioning rules.
    pub const SEMVER: &str = "semver";
    /// Every member of the comma-separated `RTarget` is in the comma-separated `LTarget`.
    pub const SET_CONTAINS: &str = "set_contains";
    /// Same as `set_contains`.
    pub const SET_CONTAINS_ALL: &str = "set_contains_all";
    /// Some member of `RTarget` is in `LTarget`.
    pub const SET_CONTAINS_ANY: &str = "set_contains_any";
    /// `LTarget` resolves on the node.
    pub const IS_SET: &str = "is_set";
    /// `LTarget` does not resolve on the node.
    pub const IS_NOT_SET: &str = "is_not_set";
}

/// Something a node must satisfy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Constraint {
    /// What is looked at, such as `${attr.kernel.name}`.
    pub l_target: String,
    /// What it is compared with.
    pub r_target: String,
    /// One of [`operand`].
    pub operand: String,
}

/// Something a node should (or, with a negative weight, should not) satisfy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Affinity {
    /// What is looked at.
    pub l_target: String,
    /// What it is compared with.
    pub r_target: String,
    /// One of [`operand`].
    pub operand: String,
    /// −100 to 100, not zero.
    pub weight: i64,
}

/// How allocations are spread over the values of an attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Spread {
    /// Such as `${node.datacenter}`.
    pub attribute: String,
    /// 0 to 100: the importance among several spreads.
    pub weight: i64,
    /// The wanted shares; empty means even.
    #[serde(with = "shape::nullable")]
    pub spread_target: Vec<SpreadTarget>,
}

/// The share of allocations that one value should get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct SpreadTarget {
    /// The attribute's value.
    pub value: String,
    /// 0 to 100.
    pub percent: u64,
}
