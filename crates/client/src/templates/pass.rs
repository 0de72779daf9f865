//! What the functions of a template share while it is rendered once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use gotmpl::Value;

use super::data::{self, Data, Need};

/// What a template can see.
pub(super) struct Context<'a> {
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) data: &'a Data,
    pub(super) denied: &'a [String],
    /// The task's directory, for `file`.
    pub(super) files: &'a Path,
    pub(super) sandboxed: bool,
    /// Expands templates of addresses.
    pub(super) addresses: Addresses,
}

/// Makes an address of a template of one.
type Addresses = fn(&str) -> Result<String, String>;

/// What functions share during a pass.
pub(super) struct Pass {
    pub(super) env: BTreeMap<String, String>,
    pub(super) data: Data,
    pub(super) files: std::path::PathBuf,
    pub(super) sandboxed: bool,
    pub(super) addresses: Addresses,
    /// What the template wrote on its scratchpad.
    pub(super) noted: Mutex<BTreeMap<String, Value>>,
    /// While it is rendered: the template, for those that it defines.
    pub(super) engine: Mutex<Option<Arc<gotmpl::Template>>>,
    /// How many of these are being executed.
    pub(super) depth: AtomicUsize,
    missing: Mutex<Vec<Need>>,
}

impl Pass {
    pub(super) fn new(context: &Context<'_>) -> Self {
        Self {
            env: context.env.clone(),
            data: context.data.clone(),
            files: context.files.to_path_buf(),
            sandboxed: context.sandboxed,
            addresses: context.addresses,
            noted: Mutex::default(),
            engine: Mutex::default(),
            depth: AtomicUsize::new(0),
            missing: Mutex::default(),
        }
    }

    /// What was asked for and is not known.
    pub(super) fn missing(&self) -> Vec<Need> {
        std::mem::take(&mut *self.missing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known about `need`; else it is noted as missing.
    pub(super) fn ask(&self, need: Need) -> Option<&data::Value> {
        let found = self.data.get(&need);
        let absent = match found {
            None => true,
            Some(data::Value::Absent) => !need.is_optional(),
            Some(_) => false,
        };
        if absent {
            let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
            if !missing.contains(&need) {
                missing.push(need);
            }
        }
        found
    }
}
