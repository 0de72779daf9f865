//! Flattens values to `path: text` (plan sheet §3).

use serde_json::{Map, Number, Value};
use std::collections::BTreeMap;

/// Flattened fields by their path.
pub(crate) type Fields = BTreeMap<String, String>;

/// Everything in a free-form map, however deep: `port_map[0][db]`.
pub(crate) fn full(object: &Map<String, Value>) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in object {
        walk(name.clone(), value, &mut fields);
    }
    fields
}

fn walk(path: String, value: &Value, fields: &mut Fields) {
    match value {
        Value::Null => {
            fields.insert(path, "nil".to_owned());
        }
        Value::Bool(truth) => {
            fields.insert(path, truth.to_string());
        }
        Value::Number(number) => {
            fields.insert(path, number_text(number));
        }
        Value::String(text) => {
            fields.insert(path, text.clone());
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(format!("{path}[{at}]"), item, fields);
            }
        }
        Value::Object(entries) => {
            for (key, entry) in entries {
                walk(format!("{path}[{key}]"), entry, fields);
            }
        }
    }
}

/// A free-form number: shortest digits, scientific from 1e6 and below 1e-4.
pub(crate) fn number_text(number: &Number) -> String {
    let Some(value) = number.as_f64() else {
        return number.to_string();
    };
    if value == 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_form_numbers_as_the_reference_writes_them() {
        for (value, text) in [
            (6379.0, "6379"),
            (0.5, "0.5"),
            (100_000.0, "100000"),
            (1_000_000.0, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.00001, "1e-05"),
            (0.0, "0"),
        ] {
            assert_eq!(number_text(&Number::from_f64(value).unwrap()), text);
        }
    }

    #[test]
    fn nested_values_have_bracketed_paths() {
        let value = serde_json::json!({"port_map": [{"db": 6379}], "args": ["a"], "nothing": null, "none": []});
        let fields = full(value.as_object().unwrap());
        let expected = [
            ("args[0]", "a"),
            ("nothing", "nil"),
            ("port_map[0][db]", "6379"),
        ];
        assert_eq!(
            fields
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect::<Vec<_>>(),
            expected
        );
    }
}
