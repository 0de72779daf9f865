//! `scratch.Set`, `scratch.Get`…: what a template notes for itself while it is rendered.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use gotmpl::Value;

use super::super::pass::Pass;
use super::{Answer, Function, fail, list, string, text};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("scratch", |_, _| {
        Err(fail("scratch is used by its methods, as in scratch.Get"))
    }),
    ("scratch.Key", |pass, args| {
        let name = text(args, 0)?;
        Ok(Value::Bool(noted(pass, |all| all.contains_key(&name))))
    }),
    ("scratch.Get", |pass, args| {
        let name = text(args, 0)?;
        Ok(noted(pass, |all| {
            all.get(&name).cloned().unwrap_or(Value::Nil)
        }))
    }),
    ("scratch.Set", |pass, args| set(pass, args, true)),
    ("scratch.SetX", |pass, args| set(pass, args, false)),
    ("scratch.MapSet", |pass, args| map_set(pass, args, true)),
    ("scratch.MapSetX", |pass, args| map_set(pass, args, false)),
    ("scratch.MapValues", |pass, args| {
        let name = text(args, 0)?;
        match noted(pass, |all| all.get(&name).cloned()) {
            None => Ok(list([])),
            Some(Value::Map(members)) => Ok(list(members.values().cloned())),
            Some(_) => Err(fail(format!("{name:?} of the scratchpad is no map"))),
        }
    }),
];

fn noted<T>(pass: &Pass, look: impl FnOnce(&mut BTreeMap<String, Value>) -> T) -> T {
    look(&mut pass.noted.lock().unwrap_or_else(PoisonError::into_inner))
}

fn value(args: &[Value], at: usize) -> Result<Value, gotmpl::TemplateError> {
    let found = args.get(at).cloned();
    found.ok_or_else(|| fail(format!("missing argument {}", at + 1)))
}

/// Gives no text, so that it leaves nothing in what is rendered.
fn set(pass: &Pass, args: &[Value], over: bool) -> Answer {
    let (name, value) = (text(args, 0)?, value(args, 1)?);
    noted(pass, |all| {
        if over || !all.contains_key(&name) {
            all.insert(name, value);
        }
    });
    Ok(string(""))
}

fn map_set(pass: &Pass, args: &[Value], over: bool) -> Answer {
    let (name, key, value) = (text(args, 0)?, text(args, 1)?, value(args, 2)?);
    noted(pass, |all| {
        let empty = || Value::Map(Arc::new(BTreeMap::new()));
        let Value::Map(members) = all.entry(name.clone()).or_insert_with(empty) else {
            return Err(fail(format!("{name:?} of the scratchpad is no map")));
        };
        let key: Arc<str> = Arc::from(key.as_str());
        if over || !members.contains_key(&key) {
            Arc::make_mut(members).insert(key, value);
        }
        Ok(string(""))
    })
}
