//! Patterns of paths: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any number of folders.

/// A pattern of paths.
pub(super) struct Glob(Vec<String>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Self(alternatives(pattern))
    }

    /// Whether the whole path matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        let path: Vec<&str> = path.split('/').collect();
        self.0.iter().any(|pattern| {
            let pattern: Vec<&str> = pattern.split('/').collect();
            parts(&pattern, &path)
        })
    }
}

/// The pattern once for each of its alternatives; no more than a few.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut todo = vec![pattern.to_owned()];
    while let Some(pattern) = todo.pop() {
        let close = pattern.find('}');
        let open = close.and_then(|close| pattern[..close].rfind('{'));
        match open.zip(close) {
            Some((open, close)) if todo.len() + done.len() < 256 => {
                for choice in pattern[open + 1..close].split(',') {
                    todo.push(format!(
                        "{}{choice}{}",
                        &pattern[..open],
                        &pattern[close + 1..]
                    ));
                }
            }
            _ => done.push(pattern),
        }
    }
    done
}

fn parts(pattern: &[&str], path: &[&str]) -> bool {
    // reachable[j]: the pattern so far matches the first j parts.
    let mut reachable = vec![false; path.len() + 1];
    reachable[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        for at in 0..=path.len() {
            if *part == "**" {
                next[at] = reachable[at] || at > 0 && next[at - 1];
            } else if at > 0 && reachable[at - 1] {
                next[at] = one(part, path[at - 1]);
            }
        }
        reachable = next;
    }
    reachable[path.len()]
}

fn one(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match step(&pattern, p, name[n]) {
            Some(next) => {
                p = next;
                n += 1;
            }
            None if pattern.get(p) == Some(&'*') => {
                star = Some((p, n));
                p += 1;
            }
            None => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

/// The place in the pattern after one letter, when it takes that letter.
fn step(pattern: &[char], at: usize, letter: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => Some(at + 1),
        '*' => None,
        '\\' => (pattern.get(at + 1) == Some(&letter)).then_some(at + 2),
        '[' => {
            let close = at + 2 + pattern.get(at + 2..)?.iter().position(|c| *c == ']')?;
            let mut class = &pattern[at + 1..close];
            let negated = matches!(class.first(), Some('!' | '^'));
            class = &class[usize::from(negated)..];
            let mut found = false;
            let mut i = 0;
            while i < class.len() {
                match (class.get(i + 1), class.get(i + 2)) {
                    (Some('-'), Some(last)) => {
                        found |= (class[i]..=*last).contains(&letter);
                        i += 3;
                    }
                    _ => {
                        found |= class[i] == letter;
                        i += 1;
                    }
                }
            }
            (found != negated).then_some(close + 1)
        }
        same => (*same == letter).then_some(at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn patterns() {
        for (pattern, path, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "in/a.txt", false),
            ("**/*.txt", "a.txt", true),
            ("**/*.txt", "in/deep/a.txt", true),
            ("**", "in/a", true),
            ("{a,b}/?.[ch]", "b/x.h", true),
            ("{a,b}/?.[!ch]", "b/x.h", false),
            ("a*b*c", "aXbYbZc", true),
        ] {
            assert_eq!(
                Glob::new(pattern).matches(path),
                expected,
                "{pattern} {path}"
            );
        }
    }
}
