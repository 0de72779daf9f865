//! `-t`: answers through Go templates.

use crate::{lent, shape};
use gotmpl::{MissingKey, Template, TemplateError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Renders `source` over `value`; `type_name` is what an unknown field is said to be missing from.
pub(crate) fn render(source: &str, value: &Value, type_name: &str) -> Result<String, String> {
    let data = convert("", value);
    let execute = |missing_key: MissingKey| {
        let template = Template::new("").missing_key(missing_key);
        lent::with_functions(template)
            .parse(source)?
            .execute_to_string(&data)
    };
    let text = match execute(MissingKey::Error) {
        Err(TemplateError::MissingKey { key }) if of_a_map(source, &key) => {
            execute(MissingKey::Invalid)
        }
        other => other,
    };
    text.map_err(|error| match error {
        TemplateError::MissingKey { key } => missing(source, &key, type_name),
        other => other.to_string(),
    })
}

/// Whether the template looks `key` up in a map, where anything may be missing.
fn of_a_map(source: &str, key: &str) -> bool {
    let field = format!(".{key}");
    source.match_indices(&field).any(|(at, _)| {
        let before = &source[..at];
        let name = before.rfind(|c: char| !c.is_alphanumeric());
        shape::is_map(&before[name.map_or(0, |at| at + 1)..])
    })
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

/// The value of the member `name`.
fn convert(name: &str, value: &Value) -> gotmpl::Value {
    match value {
        Value::Null => match shape::blank(name) {
            Value::Null => gotmpl::Value::Nil,
            blank => convert(name, &blank),
        },
        Value::Bool(on) => gotmpl::Value::Bool(*on),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(n), _) => gotmpl::Value::Int(n),
            (None, Some(n)) => gotmpl::Value::Uint(n),
            (None, None) => gotmpl::Value::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => gotmpl::Value::String(Arc::from(text.as_str())),
        Value::Array(items) => {
            gotmpl::Value::List(items.iter().map(|item| convert("", item)).collect())
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (Arc::from(key.as_str()), convert(key, value)));
            gotmpl::Value::Map(Arc::new(members.collect::<BTreeMap<_, _>>()))
        }
    }
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
    fn what_a_map_lacks_has_no_value() {
        let node = json!({"Attributes": {"os.name": "debian"}, "Meta": null, "Events": null});
        let text = render(
            "{{.Attributes.nope}} {{.Meta.rack}} {{.Meta}} {{len .Events}}",
            &node,
            "*api.Node",
        );
        assert_eq!(text.unwrap(), "<no value> <no value> map[] 0");
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
