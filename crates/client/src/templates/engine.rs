//! One pass of the template language over what is known.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use caravan_model::Template;
use gotmpl::MissingKey;

use super::data::{Data, Need};
use super::pass::{Context, Pass};
use super::{blocks, functions, methods, words};

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
    functions::with_sprig(engine, &Arc::new(Pass::new(&nothing, false)))
}

/// Renders; what comes out counts only when nothing is missing.
pub(super) fn render(
    template: &Template,
    source: &str,
    context: &Context<'_>,
) -> Result<(String, Vec<Need>), String> {
    let pass = Arc::new(Pass::new(context, template.err_missing_key));
    let delims = (
        or(&template.left_delim, "{{"),
        or(&template.right_delim, "}}"),
    );
    if let Some(mistake) = blocks::mistake(source, delims) {
        return Err(format!("parse: {mistake}"));
    }
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
    let missing = pass.missing();
    match result {
        Ok(text) => Ok((text, missing)),
        // With data missing, what fails may succeed once it is there.
        Err(_) if !missing.is_empty() => Ok((String::new(), missing)),
        Err(error) => Err(words::of_parsing(source, &error).map_or_else(
            || format!("execute: {error}"),
            |words| format!("parse: {words}"),
        )),
    }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}
