//! `-t`: answers through Go templates.

mod mistakes;

use crate::{format, lent, shape};
use caravan_model::Duration;
use gotmpl::{MissingKey, Template, TemplateError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the engine prints for nothing at all: what a map lacks, and what a pointer does not point to.
const NO_VALUE: &str = "<no value>";

/// Renders `source` over `value`; `type_name` is what an unknown field is said to be missing from.
pub(crate) fn render(source: &str, value: &Value, type_name: &str) -> Result<String, String> {
    if let Some(mistake) = lent::wrong_blocks(source) {
        return Err(mistake);
    }
    let data = convert("", value);
    let execute = |missing_key: MissingKey| {
        let template = Template::new("").missing_key(missing_key);
        lent::with_functions(template)
            .parse(source)?
            .execute_to_string(&data)
    };
    let text = match execute(MissingKey::Error) {
        // Nothing was missing from a map, so that these are pointers, which Go prints in another way.
        Ok(text) => Ok(text.replace(NO_VALUE, "<nil>")),
        Err(TemplateError::MissingKey { key }) if of_a_map(source, &key) => {
            execute(MissingKey::Invalid)
        }
        other => other,
    };
    text.map_err(|error| mistakes::words(source, &error, type_name))
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

/// The value of the member `name`.
fn convert(name: &str, value: &Value) -> gotmpl::Value {
    match value {
        Value::Null if shape::is_time(name) => text("0001-01-01 00:00:00 +0000 UTC"),
        Value::Null => match shape::blank(name) {
            Value::Null => gotmpl::Value::Nil,
            blank => convert(name, &blank),
        },
        Value::Bool(on) => gotmpl::Value::Bool(*on),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(n), _) if shape::is_duration(name) => text(&Duration(n).to_string()),
            (Some(n), _) => gotmpl::Value::Int(n),
            (None, Some(n)) => gotmpl::Value::Uint(n),
            (None, None) => gotmpl::Value::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(moment) if shape::is_time(name) => match format::nanos(value) {
            0 => text(moment),
            nanos => text(&format::go_time(nanos)),
        },
        Value::String(words) => text(words),
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

fn text(words: &str) -> gotmpl::Value {
    gotmpl::Value::String(Arc::from(words))
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
    fn durations_and_times_are_printed_as_go_does() {
        let job = json!({
            "KillTimeout": 5_000_000_000_i64, "ShutdownDelay": null, "Priority": 50,
            "StartedAt": "2026-01-02T15:04:05.5Z", "FinishedAt": null,
        });
        let source =
            "{{.KillTimeout}} {{.ShutdownDelay}} {{.Priority}} {{.StartedAt}} {{.FinishedAt}}";
        assert_eq!(
            render(source, &job, "*api.Job").unwrap(),
            "5s <nil> 50 2026-01-02 15:04:05.5 +0000 UTC 0001-01-01 00:00:00 +0000 UTC"
        );
    }

    #[test]
    fn what_points_to_nothing_is_nil() {
        let job = json!({"Periodic": null, "Datacenters": null, "Payload": null});
        let source = "{{.Periodic}} {{.Datacenters}} {{.Payload}}{{if .Periodic}} x{{end}}";
        assert_eq!(render(source, &job, "*api.Job").unwrap(), "<nil> [] []");
    }
}
