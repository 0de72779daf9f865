//! `-t`: answers through Go templates.

use gotmpl::{MissingKey, Template, TemplateError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Renders `source` over `value`; `type_name` is what an unknown field is said to be missing from.
pub(crate) fn render(source: &str, value: &Value, type_name: &str) -> Result<String, String> {
    let data = convert(value);
    let template = Template::new("").missing_key(MissingKey::Error);
    let parsed = crate::template::functions(template)
        .parse(source)
        .map_err(|error| error.to_string())?;
    match parsed.execute_to_string(&data) {
        Ok(text) => Ok(text),
        Err(TemplateError::MissingKey { key }) => Err(missing(source, &key, type_name)),
        Err(error) => Err(error.to_string()),
    }
}

/// Go's words for a field that a type does not have.
fn missing(source: &str, key: &str, type_name: &str) -> String {
    let field = format!(".{key}");
    let at = source.find(&field).unwrap_or(0);
    let before = &source[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1);
    format!(
        "template: :{line}:{column}: executing \"\" at <{field}>: can't evaluate field {key} in type {type_name}"
    )
}

fn convert(value: &Value) -> gotmpl::Value {
    match value {
        Value::Null => gotmpl::Value::Nil,
        Value::Bool(on) => gotmpl::Value::Bool(*on),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(n), _) => gotmpl::Value::Int(n),
            (None, Some(n)) => gotmpl::Value::Uint(n),
            (None, None) => gotmpl::Value::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => gotmpl::Value::String(Arc::from(text.as_str())),
        Value::Array(items) => gotmpl::Value::List(items.iter().map(convert).collect()),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (Arc::from(key.as_str()), convert(value)));
            gotmpl::Value::Map(Arc::new(members.collect::<BTreeMap<_, _>>()))
        }
    }
}

/// The text functions that scripts use most, under the names that they have in the reference.
fn functions(template: Template) -> Template {
    let text = |args: &[gotmpl::Value], at: usize| {
        args.get(at).map(ToString::to_string).unwrap_or_default()
    };
    let string = |text: String| gotmpl::Value::String(Arc::from(text.as_str()));
    template
        .func("sprig_upper", move |args: &[gotmpl::Value]| {
            Ok(string(text(args, 0).to_uppercase()))
        })
        .func("sprig_lower", move |args: &[gotmpl::Value]| {
            Ok(string(text(args, 0).to_lowercase()))
        })
        .func("sprig_trim", move |args: &[gotmpl::Value]| {
            Ok(string(text(args, 0).trim().to_owned()))
        })
        .func("sprig_quote", move |args: &[gotmpl::Value]| {
            Ok(string(crate::format::quoted(&text(args, 0))))
        })
        .func("sprig_replace", move |args: &[gotmpl::Value]| {
            Ok(string(
                text(args, 2).replace(&text(args, 0), &text(args, 1)),
            ))
        })
        .func("sprig_contains", move |args: &[gotmpl::Value]| {
            Ok(gotmpl::Value::Bool(text(args, 1).contains(&text(args, 0))))
        })
        .func("sprig_hasPrefix", move |args: &[gotmpl::Value]| {
            Ok(gotmpl::Value::Bool(
                text(args, 1).starts_with(&text(args, 0)),
            ))
        })
        .func("sprig_hasSuffix", move |args: &[gotmpl::Value]| {
            Ok(gotmpl::Value::Bool(text(args, 1).ends_with(&text(args, 0))))
        })
        .func("sprig_join", move |args: &[gotmpl::Value]| {
            let items: Vec<String> = match args.get(1) {
                Some(gotmpl::Value::List(items)) => items.iter().map(ToString::to_string).collect(),
                _ => Vec::new(),
            };
            Ok(string(items.join(&text(args, 0))))
        })
        .func("sprig_trunc", move |args: &[gotmpl::Value]| {
            let count = text(args, 0).parse::<usize>().unwrap_or(usize::MAX);
            Ok(string(text(args, 1).chars().take(count).collect()))
        })
        .func("sprig_default", move |args: &[gotmpl::Value]| {
            let given = args.get(1).cloned().unwrap_or(gotmpl::Value::Nil);
            Ok(match given.is_truthy() {
                true => given,
                false => args.first().cloned().unwrap_or(gotmpl::Value::Nil),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_see_the_members_of_answers() {
        let value = json!([{"Name": "a", "Version": 1, "Tags": ["x"]}]);
        let text = render(
            "{{range .}}{{.Name}} {{if eq .Version 1}}one{{end}} {{len .Tags}}{{end}}",
            &value,
            "",
        );
        assert_eq!(text.unwrap(), "a one 1");
    }

    #[test]
    fn an_unknown_field_is_named_with_its_place() {
        let error = render("{{.Nope}}", &json!({}), "*api.Allocation").unwrap_err();
        assert_eq!(
            error,
            "template: :1:2: executing \"\" at <.Nope>: can't evaluate field Nope in type *api.Allocation"
        );
    }
}
