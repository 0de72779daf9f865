//! How the checks of one allocation stand.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::alloc::health::CheckState;

/// The last result of a check, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckResult {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) check: String,
    /// The allocation's name.
    pub(crate) group: String,
    pub(crate) mode: &'static str,
    pub(crate) output: String,
    pub(crate) service: String,
    pub(crate) task: String,
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) status_code: u16,
    /// Seconds.
    pub(crate) timestamp: i64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the shape serde asks for"
)]
fn is_zero(code: &u16) -> bool {
    *code == 0
}

pub(super) const SUCCESS: &str = "success";
pub(super) const FAILURE: &str = "failure";
pub(super) const PENDING: &str = "pending";

/// The results of one allocation, by check id.
#[derive(Default)]
pub(crate) struct Results {
    all: Mutex<BTreeMap<String, CheckResult>>,
}

impl Results {
    pub(crate) fn all(&self) -> BTreeMap<String, CheckResult> {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Stores a result; says whether the check now stands differently.
    pub(crate) fn put(&self, result: CheckResult) -> bool {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let status = result.status;
        all.insert(result.id.clone(), result)
            .is_none_or(|old| old.status != status)
    }

    /// Drops the results of a task; of the group when it is empty.
    pub(super) fn forget(&self, task: &str) {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, result| result.task != task);
    }

    /// How those checks stand that decide on health.
    pub(crate) fn for_health(&self) -> Vec<CheckState> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = all.values().filter(|result| result.mode == "healthiness");
        counted
            .map(|result| CheckState {
                service: result.service.clone(),
                passing: result.status == SUCCESS,
            })
            .collect()
    }
}
