//! Names in rules, in which `*` stands for any text, and which of several fits a name best.

/// Whether `pattern` covers `name`.
pub(crate) fn covers(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// The more of these a pattern has, the fewer characters of a name are left to its stars.
fn own_characters(pattern: &str) -> usize {
    pattern.chars().filter(|c| *c != '*').count()
}

/// The rule for `name`: the exact one, else the pattern that leaves the fewest characters to its stars (the first
/// in order when two are as close).
pub(crate) fn best<'a, T>(
    rules: impl Iterator<Item = (&'a str, &'a T)> + Clone,
    name: &str,
) -> Option<&'a T> {
    if let Some((_, rule)) = rules.clone().find(|(pattern, _)| *pattern == name) {
        return Some(rule);
    }
    closest(rules, name)
}

/// The pattern that covers `name` most closely; exact names count as patterns.
pub(crate) fn closest<'a, T>(
    rules: impl Iterator<Item = (&'a str, &'a T)>,
    name: &str,
) -> Option<&'a T> {
    rules
        .filter(|(pattern, _)| covers(pattern, name))
        .max_by(|(a, _), (b, _)| own_characters(a).cmp(&own_characters(b)).then(b.cmp(a)))
        .map(|(_, rule)| rule)
}
