//! Files stay small. Those that were too long when the law came are listed with their length; the list
//! only ever shrinks.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::{RustFile, Violation, violation};
use crate::workspace;

/// Longer than this is more than one thing. Tests may be longer.
const CEILING: usize = 800;
const LIST: &str = "xtask/long-files.txt";

pub(crate) fn check(files: &[RustFile]) -> Result<Vec<Violation>> {
    let listed = parse(&workspace::read(Path::new(LIST))?);
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !file.is_test()) {
        let lines = file.text.lines().count();
        let path = file.path.display().to_string();
        match listed.get(&path) {
            None if lines > CEILING => {
                found.push(violation(
                    &file.path,
                    CEILING,
                    format!(
                        "{lines} lines; the ceiling is {CEILING}: split it into the things it is"
                    ),
                ));
            }
            Some((_, allowed)) if lines > *allowed => {
                found.push(violation(
                    &file.path,
                    *allowed,
                    format!("{lines} lines; it may have {allowed}, and only ever fewer"),
                ));
            }
            Some((line, allowed)) if lines < *allowed => {
                let advice = if lines > CEILING {
                    format!("write {lines} in its place")
                } else {
                    "remove the line".into()
                };
                found.push(violation(
                    Path::new(LIST),
                    *line,
                    format!("{path} has become shorter: {advice}"),
                ));
            }
            _ => {}
        }
    }
    for (path, (line, _)) in &listed {
        if !files
            .iter()
            .any(|file| file.path.display().to_string() == *path)
        {
            found.push(violation(
                Path::new(LIST),
                *line,
                format!("{path} does not exist: remove the line"),
            ));
        }
    }
    Ok(found)
}

/// `path lines` a line; `#` starts a comment.
fn parse(text: &str) -> BTreeMap<String, (usize, usize)> {
    let entries = text.lines().enumerate().filter_map(|(index, line)| {
        let (path, lines) = line.trim().split_once(' ')?;
        (!path.starts_with('#')).then_some(())?;
        Some((path.to_owned(), (index + 1, lines.trim().parse().ok()?)))
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read() {
        assert_eq!(
            parse("# why\ncrates/a.rs 900\n"),
            BTreeMap::from([("crates/a.rs".to_owned(), (2, 900))])
        );
    }
}
