//! What is wrong with a template, in the words and with the places of Go.

use crate::lent;
use gotmpl::TemplateError;

/// The message of a failed template.
pub(super) fn words(source: &str, error: &TemplateError, type_name: &str) -> String {
    if let Some(words) = lent::words_of_parsing(source, error) {
        return words;
    }
    match error {
        TemplateError::MissingKey { key } => no_field(source, key, type_name, type_name),
        TemplateError::IndexOutOfRange { index } => out_of_range(source, *index),
        TemplateError::Exec(message) => match message.strip_prefix("can't evaluate field ") {
            Some(rest) => {
                let (key, kind) = rest.split_once(" in type ").unwrap_or((rest, type_name));
                no_field(source, key, kind, type_name)
            }
            None => message.clone(),
        },
        other => other.to_string(),
    }
}

/// A field that a type does not have; `kind` is the root's type or, of other values, what is known of theirs.
fn no_field(source: &str, key: &str, kind: &str, root: &str) -> String {
    let (at, chain) = chain(source, key);
    let (line, column) = place(source, at);
    let direct = chain.matches('.').count() == 1;
    let type_name = match (direct, kind) {
        (true, "list") => root,
        (true, kind) => kind.strip_prefix("[]").unwrap_or(kind),
        (false, kind) => kind,
    };
    format!(
        "template: :{line}:{column}: executing \"\" at <{chain}>: can't evaluate field {key} in type {type_name}"
    )
}

/// Where Go sees the first use of a field, and the chain of fields that it ends: a chain is at its second field.
fn chain<'a>(source: &'a str, key: &str) -> (usize, &'a str) {
    let field = format!(".{key}");
    let whole = |at: &usize| {
        let after = source[at + field.len()..].chars().next();
        !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    let found = source.match_indices(&field).map(|(at, _)| at).find(whole);
    let Some(at) = found else {
        return (0, source);
    };
    let end = at + field.len();
    let starts = |c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '$'));
    let start = source[..at].rfind(starts).map_or(0, |before| {
        before + source[before..].chars().next().map_or(1, char::len_utf8)
    });
    let text = &source[start..end];
    let second = text.get(1..).and_then(|rest| rest.find('.'));
    (second.map_or(start, |second| start + 1 + second), text)
}

/// An `index` into a list that is shorter.
fn out_of_range(source: &str, index: i64) -> String {
    let why = match index {
        0 => "reflect: slice index out of range".to_owned(),
        index => format!("index out of range: {index}"),
    };
    let Some(at) = source.find("index ") else {
        return why;
    };
    let call = &source[at..];
    let end = call.find([')', '|', '}']).unwrap_or(call.len());
    let (line, column) = place(source, at);
    format!(
        "template: :{line}:{column}: executing \"\" at <{}>: error calling index: {why}",
        call[..end].trim()
    )
}

/// Line, from 1, and column, from 0, of a byte of the template.
fn place(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..at];
    let line = before.matches('\n').count() + 1;
    (
        line,
        before.len() - before.rfind('\n').map_or(0, |newline| newline + 1),
    )
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use serde_json::json;

    fn mistake(source: &str) -> String {
        let value = json!({"ID": "a", "Groups": [], "Job": {"ID": "web"}});
        render(source, &value, "*api.Allocation").unwrap_err()
    }

    #[test]
    fn an_unknown_field_is_named_with_its_place() {
        let error = |place: &str, chain: &str| {
            format!(
                "template: :{place}: executing \"\" at <{chain}>: can't evaluate field Nope in type *api.Allocation"
            )
        };
        assert_eq!(mistake("{{.Nope}}"), error("1:2", ".Nope"));
        assert_eq!(mistake("a\n{{.Job.Nope}}"), error("2:6", ".Job.Nope"));
    }

    #[test]
    fn a_list_and_its_elements_have_types_of_their_own() {
        let value = json!([{"ID": "a"}]);
        let mistake = |source: &str| render(source, &value, "[]*api.Allocation").unwrap_err();
        assert!(mistake("{{.Nope}}").ends_with("in type []*api.Allocation"));
        let each = mistake("{{range .}}{{.Nope}}{{end}}");
        assert!(each.ends_with("in type *api.Allocation"), "{each}");
    }

    #[test]
    fn an_index_beyond_a_list_is_named_with_its_place() {
        let error = "template: :1:3: executing \"\" at <index .Groups 0>: error calling index: reflect: slice index out of range";
        assert_eq!(mistake("{{(index .Groups 0).Name}}"), error);
    }
}
