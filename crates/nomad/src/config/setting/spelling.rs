//! Which known name a misspelt one was to be.

/// The known name that `written` is most likely a misspelling of.
pub fn closest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let limit = (written.len() / 3).clamp(1, 3);
    known
        .iter()
        .map(|name| (distance(&written.to_ascii_lowercase(), name), *name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Edits (insert, delete, replace) that turn one text into the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
