//! One pass of the template language over what is known.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use caravan_model::Template;
use gotmpl::{MissingKey, Value};

use super::data::{self, Data, Need};
use super::{functions, methods};

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
    fn of(context: &Context<'_>) -> Self {
        Self {
            env: context.env.clone(),
            data: context.data.clone(),
            files: context.files.to_path_buf(),
            sandboxed: context.sandboxed,
            addresses: context.addresses,
            noted: Mutex::default(),
            engine: Mutex::default(),
            depth: AtomicUsize::new(0),
            missing: Mutex::new(Vec::new()),
        }
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

/// Gives Sprig's functions to an engine that renders no template of a task.
pub(super) fn with_sprig(engine: gotmpl::Template) -> gotmpl::Template {
    let (env, data) = (std::env::vars().collect(), Data::default());
    let nothing = Context {
        env: &env,
        data: &data,
        denied: &[],
        files: Path::new(""),
        sandboxed: true,
        addresses: |_| Err("no addresses are expanded here".to_owned()),
    };
    functions::with_sprig(engine, &Arc::new(Pass::of(&nothing)))
}

/// Renders; what comes out counts only when nothing is missing.
pub(super) fn render(
    template: &Template,
    source: &str,
    context: &Context<'_>,
) -> Result<(String, Vec<Need>), String> {
    let pass = Arc::new(Pass::of(context));
    let delims = (
        or(&template.left_delim, "{{"),
        or(&template.right_delim, "}}"),
    );
    let mut engine = gotmpl::Template::new("").delims(delims.0, delims.1);
    if template.err_missing_key {
        engine = engine.missing_key(MissingKey::Error);
    }
    engine = functions::register(engine, &pass, context.denied);
    let result = methods::parse(engine, source, delims).and_then(|engine| {
        let engine = Arc::new(engine);
        *pass.engine.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&engine));
        methods::execute(&engine)
    });
    // Its functions hold the pass.
    *pass.engine.lock().unwrap_or_else(PoisonError::into_inner) = None;
    let missing = std::mem::take(&mut *pass.missing.lock().unwrap_or_else(PoisonError::into_inner));
    match result {
        Ok(text) => Ok((text, missing)),
        // With data missing, what fails may succeed once it is there.
        Err(_) if !missing.is_empty() => Ok((String::new(), missing)),
        Err(error) => Err(error.to_string()),
    }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}
