//! `KEY=VALUE` lines as environment.

use std::collections::BTreeMap;

/// Reads the lines of a rendered template.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut vars = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((key, value)) = line.split_once('=') else {
            return Err(format!(
                "error parsing line {}: {line:?} is not KEY=VALUE",
                number + 1
            ));
        };
        let key = key.trim();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(format!(
                "error parsing line {}: invalid name {key:?}",
                number + 1
            ));
        }
        vars.insert(key.to_owned(), value_of(value.trim()));
    }
    Ok(vars)
}

fn value_of(text: &str) -> String {
    if let Some(inner) = text
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''))
    {
        return inner.to_owned();
    }
    if text.len() >= 2 && text.starts_with('"') && text.ends_with('"') {
        if let Ok(inner) = serde_json::from_str::<String>(text) {
            return inner;
        }
        return text[1..text.len() - 1].to_owned();
    }
    // A comment after the value.
    text.split(" #")
        .next()
        .unwrap_or(text)
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let vars =
            parse("# c\nA=1\nexport B = two # x\nC='a b # c'\nD=\"x\\ny\"\nE={\"a\":1}\n").unwrap();
        let expected = [
            ("A", "1"),
            ("B", "two"),
            ("C", "a b # c"),
            ("D", "x\ny"),
            ("E", "{\"a\":1}"),
        ];
        for (key, value) in expected {
            assert_eq!(vars[key], value);
        }
        assert!(parse("nonsense").is_err());
    }
}
