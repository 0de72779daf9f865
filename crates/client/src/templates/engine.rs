//! One pass of the template language over what is known.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use caravan_model::Template;
use gotmpl::{MissingKey, Value};

use super::data::{self, Data, Need};
use super::functions;

/// What a template can see.
pub(super) struct Context<'a> {
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) data: &'a Data,
    pub(super) denied: &'a [String],
    /// The task's directory, for `file`.
    pub(super) files: &'a Path,
    pub(super) sandboxed: bool,
}

/// What functions share during a pass.
pub(super) struct Pass {
    pub(super) env: BTreeMap<String, String>,
    pub(super) data: Data,
    pub(super) files: std::path::PathBuf,
    pub(super) sandboxed: bool,
    missing: Mutex<Vec<Need>>,
}

impl Pass {
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

/// Renders; what comes out counts only when nothing is missing.
pub(super) fn render(
    template: &Template,
    source: &str,
    context: &Context<'_>,
) -> Result<(String, Vec<Need>), String> {
    let pass = Arc::new(Pass {
        env: context.env.clone(),
        data: context.data.clone(),
        files: context.files.to_path_buf(),
        sandboxed: context.sandboxed,
        missing: Mutex::new(Vec::new()),
    });
    let mut engine = gotmpl::Template::new("");
    if !template.left_delim.is_empty() || !template.right_delim.is_empty() {
        let or = |text: &str, otherwise: &str| {
            if text.is_empty() {
                otherwise.to_owned()
            } else {
                text.to_owned()
            }
        };
        engine = engine.delims(
            &or(&template.left_delim, "{{"),
            &or(&template.right_delim, "}}"),
        );
    }
    if template.err_missing_key {
        engine = engine.missing_key(MissingKey::Error);
    }
    engine = functions::register(engine, &pass, context.denied);
    let result = engine
        .parse(source)
        .and_then(|engine| engine.execute_to_string(&Value::Map(Arc::new(BTreeMap::new()))));
    let missing = std::mem::take(&mut *pass.missing.lock().unwrap_or_else(PoisonError::into_inner));
    match result {
        Ok(text) => Ok((text, missing)),
        // With data missing, what fails may succeed once it is there.
        Err(_) if !missing.is_empty() => Ok((String::new(), missing)),
        Err(error) => Err(error.to_string()),
    }
}
