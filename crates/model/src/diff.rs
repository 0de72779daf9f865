//! The difference between two versions of a job, as shown by plans and histories.

use crate::shape;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a difference is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DiffType {
    /// Nothing differs.
    #[default]
    None,
    /// Only in the new version.
    Added,
    /// Only in the old version.
    Deleted,
    /// In both, and different.
    Edited,
}

impl DiffType {
    /// The text in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Added => "Added",
            Self::Deleted => "Deleted",
            Self::Edited => "Edited",
        }
    }
}

/// Differences of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct JobDiff {
    pub r#type: DiffType,
    #[serde(rename = "ID")]
    pub id: String,
    #[serde(with = "shape::nullable")]
    pub fields: Vec<FieldDiff>,
    #[serde(with = "shape::nullable")]
    pub objects: Vec<ObjectDiff>,
    #[serde(with = "shape::nullable")]
    pub task_groups: Vec<TaskGroupDiff>,
}

/// Differences of a task group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskGroupDiff {
    pub r#type: DiffType,
    pub name: String,
    #[serde(with = "shape::nullable")]
    pub fields: Vec<FieldDiff>,
    #[serde(with = "shape::nullable")]
    pub objects: Vec<ObjectDiff>,
    #[serde(with = "shape::nullable")]
    pub tasks: Vec<TaskDiff>,
    /// What the scheduler would do, such as `create` or `in-place update`, and how often; none when nobody asked it.
    pub updates: Option<BTreeMap<String, u64>>,
}

/// Differences of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct TaskDiff {
    pub r#type: DiffType,
    pub name: String,
    #[serde(with = "shape::nullable")]
    pub fields: Vec<FieldDiff>,
    #[serde(with = "shape::nullable")]
    pub objects: Vec<ObjectDiff>,
    /// Such as `forces create/destroy update`.
    #[serde(with = "shape::nullable")]
    pub annotations: Vec<String>,
}

/// Differences of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ObjectDiff {
    pub r#type: DiffType,
    pub name: String,
    #[serde(with = "shape::nullable")]
    pub fields: Vec<FieldDiff>,
    #[serde(with = "shape::nullable")]
    pub objects: Vec<ObjectDiff>,
}

/// Difference of one value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct FieldDiff {
    pub r#type: DiffType,
    pub name: String,
    pub old: String,
    pub new: String,
    #[serde(with = "shape::nullable")]
    pub annotations: Vec<String>,
}
