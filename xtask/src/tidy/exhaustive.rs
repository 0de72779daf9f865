//! A function marked `// exhaustive` treats every field, so it destructures without `..`: a new field
//! does not compile until it is handled.

use std::sync::LazyLock;

use regex::Regex;

use super::{RustFile, Violation, violation};

/// `..` as a rest pattern or a struct update: after `{` or `,`, before `}` or a value. Ranges have
/// something else in front.
static REST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:[{,(]|^)\s*\.\.\s*(?:[})A-Za-z_]|$)").ok());

pub(crate) fn check(file: &RustFile) -> Vec<Violation> {
    let marks = file.text.lines().enumerate().filter(|(_, line)| {
        line.trim() == "// exhaustive" || line.trim().starts_with("// exhaustive:")
    });
    let code: Vec<&str> = file.code.lines().collect();
    let mut found = Vec::new();
    for (mark, _) in marks {
        for index in body(&code, mark) {
            if REST
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(code[index]))
            {
                found.push(violation(
                    &file.path,
                    index + 1,
                    "`..` in an exhaustive function: name every field",
                ));
            }
        }
    }
    found
}

/// The lines of the first braces after the mark, up to their end. A mark inside a function counts for
/// the block that follows it, which is the rest of the destructuring.
fn body(code: &[&str], mark: usize) -> std::ops::Range<usize> {
    let mut depth = 0i32;
    let mut opened = false;
    for (index, line) in code.iter().enumerate().skip(mark) {
        for c in line.chars() {
            match c {
                '{' => {
                    depth += 1;
                    opened = true;
                }
                '}' => depth -= 1,
                _ => {}
            }
            if opened && depth <= 0 {
                return mark..index + 1;
            }
        }
    }
    mark..code.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::code_only;

    fn lines(text: &str) -> Vec<usize> {
        let file = RustFile {
            path: "crates/model/src/x.rs".into(),
            text: text.into(),
            code: code_only(text),
        };
        check(&file).iter().map(|one| one.line).collect()
    }

    #[test]
    fn rest_patterns_are_found_and_ranges_are_not() {
        assert_eq!(
            lines("// exhaustive\nfn f(x: &X) {\n    let X { a, .. } = x;\n}\n"),
            [3]
        );
        assert_eq!(
            lines(
                "// exhaustive\nfn f() -> X {\n    X {\n        a: 1,\n        ..X::default()\n    }\n}\n"
            ),
            [5]
        );
        assert_eq!(
            lines(
                "// exhaustive\nfn f(x: &X) {\n    let X { a, b } = x;\n    for i in 0..a.len() { g(&b[1..]); }\n}\nfn g() { let Y { .. } = y; }\n"
            ),
            Vec::<usize>::new()
        );
        assert_eq!(
            lines("fn f(x: &X) { let X { a, .. } = x; }\n"),
            Vec::<usize>::new()
        );
    }
}
