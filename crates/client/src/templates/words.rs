//! What does not parse in a template, in the words and with the places of Go.

use gotmpl::TemplateError;

/// What keeps a template from being parsed; nothing where that succeeded.
pub(super) fn of_parsing(source: &str, error: &TemplateError) -> Option<String> {
    let (line, message) = match error {
        TemplateError::Lex { line, message, .. } | TemplateError::Parse { line, message, .. } => {
            (*line, go_words(message).to_owned())
        }
        TemplateError::UndefinedFunction(name) => (
            line_of(source, name),
            format!("function {name:?} not defined"),
        ),
        TemplateError::UndefinedVariable(name) => (
            line_of(source, name),
            format!("undefined variable {name:?}"),
        ),
        _ => return None,
    };
    Some(format!("template: :{line}: {message}"))
}

fn line_of(source: &str, name: &str) -> usize {
    let at = source.find(name).unwrap_or(0);
    source[..at].matches('\n').count() + 1
}

fn go_words(message: &str) -> &str {
    match message {
        "empty command" => "missing value for command",
        "unterminated string" => "unterminated quoted string",
        "unterminated raw string" => "unterminated raw quoted string",
        "unterminated character literal" => "unterminated character constant",
        "unexpected character: '}'" => "bad character U+007D '}'",
        _ if message.starts_with("expected RightParen") => "unclosed left paren",
        _ if message.starts_with("expected closing delimiter, got RightParen") => {
            "unexpected right paren"
        }
        message => message,
    }
}

#[cfg(test)]
mod tests {
    use super::of_parsing;

    #[test]
    fn what_does_not_parse_is_said_as_go_does() {
        for (source, words) in [
            ("{{.ID", ":1: unclosed action"),
            ("{{.ID}", ":1: bad character U+007D '}'"),
            ("{{}}", ":1: missing value for command"),
            ("{{(.ID}}", ":1: unclosed left paren"),
            ("{{\"a}}", ":1: unterminated quoted string"),
            ("a\n{{nope .ID}}", ":2: function \"nope\" not defined"),
        ] {
            let parsed = gotmpl::Template::new("").parse(source);
            let error = parsed
                .and_then(|parsed| parsed.execute_to_string(&gotmpl::Value::Nil))
                .expect_err(source);
            assert_eq!(
                of_parsing(source, &error),
                Some(format!("template: {words}"))
            );
        }
    }
}
