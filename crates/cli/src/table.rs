//! Columns and key-value blocks.

/// A row of anything that prints.
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($cell.to_string()),*] };
}

/// A cell that has nothing to show.
pub(crate) const NONE: &str = "<none>";

/// Rows in columns two spaces apart; empty cells show as `<none>`.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    columns_with(rows, NONE)
}

/// The same with another text for empty cells.
pub(crate) fn columns_with(rows: &[Vec<String>], empty: &str) -> String {
    let text = |cell: &String| match cell.trim() {
        "" => empty.to_owned(),
        text => text.to_owned(),
    };
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(text).collect())
        .collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|at| {
            rows.iter()
                .filter_map(|row| row.get(at))
                .map(|cell| width(cell))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let lines: Vec<String> = rows.iter().map(|row| line(row, &widths)).collect();
    lines.join("\n")
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut out = String::new();
    for (at, cell) in row.iter().enumerate() {
        out.push_str(cell);
        if at + 1 < row.len() {
            let pad = widths[at].saturating_sub(width(cell)) + 2;
            out.extend(std::iter::repeat_n(' ', pad));
        }
    }
    out
}

/// `Key = value` lines with the equals signs below each other.
pub(crate) fn pairs<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let longest = pairs
        .iter()
        .map(|(key, _)| width(key.as_ref()))
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = pairs
        .iter()
        .map(|(key, value)| {
            let pad = " ".repeat(longest - width(key.as_ref()));
            let value = match value.as_ref() {
                "" => NONE,
                value => value,
            };
            format!("{}{pad} = {value}", key.as_ref())
        })
        .collect();
    lines.join("\n")
}

/// How many columns a text takes: escape sequences none, wide characters two.
pub(crate) fn width(text: &str) -> usize {
    let mut total = 0;
    let mut escaped = false;
    for c in text.chars() {
        match (escaped, c) {
            (true, 'm') => escaped = false,
            (true, _) => {}
            (false, '\x1b') => escaped = true,
            (false, c) => total += if is_wide(c) { 2 } else { 1 },
        }
    }
    total
}

fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1f64f | 0x20000..=0x3fffd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_two_spaces_apart_without_padding_at_the_end() {
        let rows = [row!["ID", "Name"], row![1, ""], row!["123", "日本", "x"]];
        assert_eq!(columns(&rows), "ID   Name\n1    <none>\n123  日本    x");
    }

    #[test]
    fn pairs_line_up() {
        assert_eq!(
            pairs(&[("A", "1"), ("Long", "")]),
            "A    = 1\nLong = <none>"
        );
    }
}
