//! The name that somebody probably meant.

/// ` Did you mean "…"?` for the nearest of the known names, if one is near.
pub(crate) fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(given, known) {
        Some(name) => format!(" Did you mean {name:?}?"),
        None => String::new(),
    }
}

/// Among more names than these nobody looks for one that is near.
const MOST: usize = 200;

/// The nearest of the known names, if one is near enough to be meant.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if given.len() > 64 {
        return None;
    }
    let most = match given.chars().count() {
        0..=2 => 1,
        3..=11 => 2,
        _ => 3,
    };
    let near = known
        .into_iter()
        .take(MOST)
        .filter(|name| name.len() <= 64 && *name != given);
    let scored = near.map(|name| (distance(given, name), name));
    let close = scored.filter(|(far, name)| *far <= most && *far < name.chars().count());
    close.min_by_key(|(far, _)| *far).map(|(_, name)| name)
}

/// How many letters have to be put in, left out, exchanged or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let width = b.len() + 1;
    let mut rows: Vec<usize> = (0..width).collect();
    rows.resize(width * (a.len() + 1), 0);
    for i in 1..=a.len() {
        rows[i * width] = i;
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let at = |i: usize, j: usize| rows[i * width + j];
            let mut best = (at(i - 1, j) + 1)
                .min(at(i, j - 1) + 1)
                .min(at(i - 1, j - 1) + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(at(i - 2, j - 2) + 1);
            }
            rows[i * width + j] = best;
        }
    }
    rows[width * (a.len() + 1) - 1]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["count", "datacenters", "driver", "region", "cpu", "id"];
        for (given, meant) in [
            ("conut", Some("count")),
            ("datacentre", Some("datacenters")),
            ("drivr", Some("driver")),
            ("cpus", Some("cpu")),
            ("a", None),
            ("ram", None),
            ("whatever", None),
        ] {
            assert_eq!(nearest(given, known), meant, "{given}");
        }
    }
}
