//! Choosing between values, what they are, and JSON.

use gotmpl::Value;

use super::{Function, fail, from_json, string, text, to_json, value};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("sprig_default", |_, args| {
        let given = args.get(1).filter(|given| given.is_truthy());
        Ok(given.or(args.first()).cloned().unwrap_or(Value::Nil))
    }),
    ("sprig_empty", |_, args| {
        Ok(Value::Bool(!args.first().is_some_and(Value::is_truthy)))
    }),
    ("sprig_coalesce", |_, args| {
        Ok(args
            .iter()
            .find(|value| value.is_truthy())
            .cloned()
            .unwrap_or(Value::Nil))
    }),
    ("sprig_all", |_, args| {
        Ok(Value::Bool(args.iter().all(Value::is_truthy)))
    }),
    ("sprig_any", |_, args| {
        Ok(Value::Bool(args.iter().any(Value::is_truthy)))
    }),
    ("sprig_ternary", |_, args| {
        let holds = value(args, 2)?.is_truthy();
        value(args, usize::from(!holds)).cloned()
    }),
    ("sprig_fail", |_, args| Err(fail(text(args, 0)?))),
    ("sprig_deepEqual", |_, args| {
        Ok(Value::Bool(value(args, 0)? == value(args, 1)?))
    }),
    ("sprig_deepCopy", |_, args| value(args, 0).cloned()),
    ("sprig_kindOf", |_, args| Ok(string(kind(value(args, 0)?)))),
    ("sprig_kindIs", |_, args| {
        Ok(Value::Bool(kind(value(args, 1)?) == text(args, 0)?))
    }),
    ("sprig_typeOf", |_, args| {
        Ok(string(type_of(value(args, 0)?)))
    }),
    ("sprig_typeIs", |_, args| {
        Ok(Value::Bool(type_of(value(args, 1)?) == text(args, 0)?))
    }),
    ("sprig_typeIsLike", |_, args| {
        let name = text(args, 0)?;
        Ok(Value::Bool(
            type_of(value(args, 1)?) == name.trim_start_matches('*'),
        ))
    }),
    ("sprig_fromJson", |_, args| {
        let read = serde_json::from_str(&text(args, 0)?);
        read.map(|value| from_json(&value))
            .map_err(|error| fail(error.to_string()))
    }),
    ("sprig_toJson", |_, args| {
        json(args, false).map(|text| string(super::super::escaped(&text)))
    }),
    ("sprig_toPrettyJson", |_, args| {
        json(args, true).map(|text| string(super::super::escaped(&text)))
    }),
    ("sprig_toRawJson", |_, args| json(args, false).map(string)),
    ("sprig_env", |_, _| Err(fail("function is disabled"))),
    ("sprig_expandenv", |_, _| Err(fail("function is disabled"))),
];

fn json(args: &[Value], pretty: bool) -> Result<String, gotmpl::TemplateError> {
    let value = to_json(value(args, 0)?);
    let text = match pretty {
        true => serde_json::to_string_pretty(&value),
        false => serde_json::to_string(&value),
    };
    text.map_err(|error| fail(error.to_string()))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Uint(_) => "uint",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        _ => "func",
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
        other => kind(other),
    }
}
