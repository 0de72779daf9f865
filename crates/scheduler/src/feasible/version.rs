//! Versions and the conditions on them: the lenient kind and strict semver (scheduler sheet §8.5).

use std::cmp::Ordering;

/// A version: numbers, then perhaps a pre-release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    segments: Vec<u64>,
    /// How many numbers were written.
    given: usize,
    pre: String,
}

impl Version {
    /// Reads a version as people write it: `1.2`, `v1.2.3-rc1`, `1.2.3.4+meta`.
    pub(crate) fn lenient(text: &str) -> Option<Self> {
        Self::read(text.trim().trim_start_matches('v'), false)
    }

    /// Reads a version by the rules of Semver 2.
    pub(crate) fn strict(text: &str) -> Option<Self> {
        let text = text.trim();
        Self::read(text.strip_prefix('v').unwrap_or(text), true)
    }

    fn read(text: &str, strict: bool) -> Option<Self> {
        let text = text.split_once('+').map_or(text, |(version, _)| version);
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (numbers, pre) = text.split_at(end);
        let pre = match pre.strip_prefix('-') {
            Some(pre) => pre,
            // `1.2.3rc1` is read, but not by the strict rules.
            None if strict && !pre.is_empty() => return None,
            None => pre.trim_start_matches('~'),
        };
        let numbers = numbers.trim_end_matches('.');
        let mut segments = Vec::new();
        for number in numbers.split('.') {
            if strict && number.len() > 1 && number.starts_with('0') {
                return None;
            }
            segments.push(number.parse().ok()?);
        }
        let given = segments.len();
        if strict && given > 3 {
            return None;
        }
        if segments.len() < 3 {
            segments.resize(3, 0);
        }
        Some(Self {
            segments,
            given,
            pre: pre.to_owned(),
        })
    }

    fn is_pre(&self) -> bool {
        !self.pre.is_empty()
    }

    fn numbers(&self, length: usize) -> Vec<u64> {
        let mut numbers = self.segments.clone();
        numbers.resize(length, 0);
        numbers
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.segments.len().max(other.segments.len());
        self.numbers(length)
            .cmp(&other.numbers(length))
            .then_with(|| match (self.is_pre(), other.is_pre()) {
                (false, false) => Ordering::Equal,
                (false, true) => Ordering::Greater,
                (true, false) => Ordering::Less,
                (true, true) => compare_pre(&self.pre, &other.pre),
            })
    }
}

fn compare_pre(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
                (Ok(a), Ok(b)) => a.cmp(&b),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    /// At least as new, with the same leading numbers.
    Pessimistic,
}

/// A comma list of conditions on a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conditions {
    all: Vec<(Relation, Version)>,
    strict: bool,
}

impl Conditions {
    /// Reads `>= 1.2, < 2`; `None` when it is no such list.
    pub(crate) fn parse(text: &str, strict: bool) -> Option<Self> {
        let mut all = Vec::new();
        for part in text.split(',') {
            let part = part.trim();
            let end = part
                .find(|c| !matches!(c, '<' | '>' | '=' | '!' | '~'))
                .unwrap_or(part.len());
            let (relation, version) = part.split_at(end);
            let relation = match relation {
                "" | "=" => Relation::Equal,
                "!=" => Relation::NotEqual,
                ">" => Relation::Greater,
                ">=" => Relation::GreaterOrEqual,
                "<" => Relation::Less,
                "<=" => Relation::LessOrEqual,
                "~>" if !strict => Relation::Pessimistic,
                _ => return None,
            };
            let version = if strict {
                Version::strict(version)
            } else {
                Version::lenient(version)
            }?;
            all.push((relation, version));
        }
        Some(Self { all, strict })
    }

    /// Whether the version written in `text` satisfies every condition.
    pub(crate) fn admit(&self, text: &str) -> bool {
        let version = if self.strict {
            Version::strict(text)
        } else {
            Version::lenient(text)
        };
        let Some(version) = version else { return false };
        self.all
            .iter()
            .all(|(relation, wanted)| self.holds(*relation, &version, wanted))
    }

    fn holds(&self, relation: Relation, version: &Version, wanted: &Version) -> bool {
        match relation {
            Relation::Equal => version == wanted || version.cmp(wanted).is_eq(),
            Relation::NotEqual => version.cmp(wanted).is_ne(),
            Relation::Greater => self.comparable(version, wanted) && version > wanted,
            Relation::GreaterOrEqual => self.comparable(version, wanted) && version >= wanted,
            Relation::Less => self.comparable(version, wanted) && version < wanted,
            Relation::LessOrEqual => self.comparable(version, wanted) && version <= wanted,
            Relation::Pessimistic => {
                let fixed = wanted.given.saturating_sub(1);
                self.comparable(version, wanted)
                    && version.is_pre() == wanted.is_pre()
                    && version >= wanted
                    && version.numbers(fixed.max(1))[..fixed]
                        == wanted.numbers(fixed.max(1))[..fixed]
            }
        }
    }

    /// A pre-release only compares with pre-releases of the same numbers, unless the rules are strict.
    fn comparable(&self, version: &Version, wanted: &Version) -> bool {
        if self.strict {
            return true;
        }
        match (version.is_pre(), wanted.is_pre()) {
            (true, false) => false,
            (true, true) => {
                let length = version.segments.len().max(wanted.segments.len());
                version.numbers(length) == wanted.numbers(length)
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_conditions() {
        let table = "
            1.2.3     = 1.2.3      : yes yes
            1.2       = 1.2.0      : yes yes
            v1.2.3    >= 1.2       : yes yes
            1.2.3.4   > 1.2.3      : yes no
            1.02.3    >= 1.2       : yes no
            1.2.3rc1  != 1.2.3     : yes no
            1.2.3-rc1 < 1.2.3      : no  yes
            1.2.3-rc1 >= 1.2.0     : no  yes
            1.2.3-rc2 > 1.2.3-rc1  : yes yes
            1.2.4-rc2 > 1.2.3-rc1  : no  yes
            1.2.3     > 1.2.3-rc1  : yes yes
            1.2.3-a   > 1.2.3-1    : yes yes
            1.2.3-1   < 1.2.3-a    : yes yes
            1.2.3-10  > 1.2.3-9    : yes yes
            1.2.3-a.1 > 1.2.3-a    : yes yes
            1.2.3-a   < 1.2.3-a.1  : yes yes
            1.2.3+b   = 1.2.3      : yes yes
            1.2.9     ~> 1.2.3     : yes no
            1.3.0     ~> 1.2.3     : no  no
            1.3.0     ~> 1.2       : yes no
            1.2.3     ~> 1.2.3-rc1 : no  no
            1.2.3-rc2 ~> 1.2.3-rc1 : yes no
            x         = 1          : no  no
        ";
        for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (rule, expected) = line.split_once(" : ").expect("a rule and verdicts");
            let (version, condition) = rule.split_once(' ').expect("a version and a condition");
            let verdict = |strict| {
                let conditions = Conditions::parse(condition.trim(), strict);
                conditions.is_some_and(|conditions| conditions.admit(version))
            };
            let word = |holds: bool| if holds { "yes" } else { "no" };
            let found = [word(verdict(false)), word(verdict(true))];
            let expected: Vec<&str> = expected.split_whitespace().collect();
            assert_eq!(found[..], expected[..], "{line}");
        }
    }
}
