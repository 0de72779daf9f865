//! Whether the blocks of a template begin and end: the engine takes an `{{end}}` too many or too few for the end of
//! the text, and prints the half of it.

/// Keywords that begin a block.
const OPENERS: [&str; 5] = ["if", "range", "with", "define", "block"];

/// What is wrong with the blocks of a template whose actions stand between `delims`, in the words of Go.
pub(super) fn mistake(source: &str, delims: (&str, &str)) -> Option<String> {
    let (left, right) = delims;
    let mut open: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(found) = source[at..].find(left) {
        let start = at + found;
        let begin = start + left.len();
        let action = action(&source[begin..], right)?;
        at = begin + action.len() + right.len();
        let line = source[..start].matches('\n').count() + 1;
        let text = action.strip_prefix("- ").unwrap_or(action).trim_start();
        let text = text.strip_suffix(" -").unwrap_or(text).trim_end();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        let wrong = match word {
            "if" | "range" | "with" if rest.trim().is_empty() => {
                Some(format!("missing value for {word}"))
            }
            "end" if open.pop().is_none() => Some("unexpected {{end}}".to_owned()),
            "else" if !matches!(open.last(), Some(&("if" | "range" | "with"))) => {
                Some("unexpected {{else}}".to_owned())
            }
            "break" | "continue" if !open.contains(&"range") => {
                Some(format!("{{{{{word}}}}} outside {{{{range}}}}"))
            }
            _ => None,
        };
        if let Some(wrong) = wrong {
            return Some(format!("template: :{line}: {wrong}"));
        }
        if OPENERS.contains(&word) {
            open.push(word);
        }
    }
    let line = source.matches('\n').count() + 1;
    (!open.is_empty()).then(|| format!("template: :{line}: unexpected EOF"))
}

/// An action up to its closing delimiter, which may stand in its texts and comments, too; nothing where it does not
/// close.
fn action<'a>(text: &'a str, right: &str) -> Option<&'a str> {
    let inner = text.strip_prefix("- ").unwrap_or(text).trim_start();
    let mut at = text.len() - inner.len();
    if inner.starts_with("/*") {
        at += inner.find("*/")? + 2;
    }
    let mut quote = None;
    let mut escaped = false;
    for (offset, c) in text[at..].char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(mark) if c == '\\' && mark != '`' => escaped = true,
            Some(mark) if c == mark => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '`' | '\'') => quote = Some(c),
            None if text[at + offset..].starts_with(right) => return Some(&text[..at + offset]),
            None => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::mistake;

    const BRACES: (&str, &str) = ("{{", "}}");

    #[test]
    fn blocks_have_to_begin_and_end() {
        for (source, wrong) in [
            ("a{{end}}b", ":1: unexpected {{end}}"),
            ("{{if .A}}x{{end}}\n{{- end -}}", ":2: unexpected {{end}}"),
            ("{{range .A}}\nx", ":2: unexpected EOF"),
            ("{{else}}", ":1: unexpected {{else}}"),
            ("{{if}}x{{end}}", ":1: missing value for if"),
            ("{{break}}", ":1: {{break}} outside {{range}}"),
        ] {
            assert_eq!(mistake(source, BRACES), Some(format!("template: {wrong}")));
        }
    }

    #[test]
    fn braces_in_texts_and_comments_are_none() {
        for source in [
            "plain",
            "{{range $i, $e := .A}}{{if $i}},{{else if eq $e 1}}{{break}}{{end}}{{end}}",
            "{{/* {{if}} */}}{{- /* }} */ -}}",
            "{{\"}}{{end}}\"}}{{`\\`}}{{'\\''}}",
            "{{define \"x\"}}{{.}}{{end}}{{block \"y\" .}}{{end}}",
            "{{.end}}{{with .A}}{{$end := 1}}{{end}}",
            "{{.unclosed",
        ] {
            assert_eq!(mistake(source, BRACES), None, "{source}");
        }
        assert_eq!(mistake("[[if .A]]{{end}}[[end]]", ("[[", "]]")), None);
    }
}
