//! Names for values whose keys are the user's.

use std::collections::BTreeMap;

/// Text by key, such as environment and meta; `null` in JSON when empty.
pub type StringMap = BTreeMap<String, String>;

/// A free-form object, such as a driver's configuration; `null` in JSON when empty.
pub type Object = serde_json::Map<String, serde_json::Value>;
