//! What the functions of a template share while it is rendered once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use gotmpl::Value;

use super::data::{self, Data, Need};
use super::functions::variables::Known;

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
    /// A name that a map does not have is an error.
    pub(super) strict: bool,
    missing: Mutex<Vec<Need>>,
    /// By address; each is kept, so that nothing else comes to lie there.
    known: Mutex<BTreeMap<usize, (Value, Known)>>,
    /// By address and name of what they are of.
    made: Mutex<BTreeMap<(usize, &'static str), Value>>,
}

impl Pass {
    pub(super) fn new(context: &Context<'_>, strict: bool) -> Self {
        Self {
            env: context.env.clone(),
            data: context.data.clone(),
            files: context.files.to_path_buf(),
            sandboxed: context.sandboxed,
            addresses: context.addresses,
            noted: Mutex::default(),
            engine: Mutex::default(),
            depth: AtomicUsize::new(0),
            strict,
            missing: Mutex::default(),
            known: Mutex::default(),
            made: Mutex::default(),
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
            self.miss(need);
        }
        found
    }

    /// Nothing is rendered before there is more of this.
    pub(super) fn miss(&self, need: Need) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if !missing.contains(&need) {
            missing.push(need);
        }
    }

    /// Notes what a value is of, and gives it back.
    pub(super) fn remember(&self, value: Value, what: Known) -> Value {
        if let Some(address) = address(&value) {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(address, (value.clone(), what));
        }
        value
    }

    /// The value called `name` of what lies at `of` as long as the pass lasts. It is made once: what is remembered stays,
    /// and a template may ask for it as often as it likes.
    pub(super) fn once<T>(
        &self,
        of: &T,
        name: &'static str,
        make: impl FnOnce() -> Value,
    ) -> Value {
        let key = (std::ptr::from_ref(of).addr(), name);
        let made = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let known = made().get(&key).cloned();
        known.unwrap_or_else(|| {
            let value = make();
            made().insert(key, value.clone());
            value
        })
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.len()
    }

    /// What this very value is of.
    pub(super) fn known(&self, value: &Value) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&address(value)?).map(|(_, what)| what.clone())
    }
}

/// Where a text or map lies.
fn address(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(Arc::as_ptr(text).cast::<u8>().addr()),
        Value::Map(map) => Some(Arc::as_ptr(map).addr()),
        _ => None,
    }
}
