//! Flags as Go programs read them: `-flag value`, `-flag=value`, one dash or two; the first positional ends them.

use caravan_model::Duration;
use caravan_sdk::parse_bool;
use std::collections::BTreeMap;

/// What a flag's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `-b`, `-b=false`; never takes the next word.
    Bool,
    /// Any text.
    Text,
    /// Any text, several times.
    List,
    /// A whole number.
    Int,
    /// A whole number that is not negative.
    Uint,
    /// A length of time.
    Time,
}

/// One flag of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Its value when it is not given.
    pub(crate) default: &'static str,
    /// What stands for the value in the help.
    pub(crate) value: &'static str,
    pub(crate) help: &'static str,
}

/// A switch.
pub(crate) const fn switch(name: &'static str, help: &'static str) -> Flag {
    flag(name, Kind::Bool, "", help)
}

/// A switch that is on unless turned off.
pub(crate) const fn switch_on(name: &'static str, help: &'static str) -> Flag {
    let mut flag = flag(name, Kind::Bool, "", help);
    flag.default = "true";
    flag
}

/// A text.
pub(crate) const fn text(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    flag(name, Kind::Text, value, help)
}

/// A text with a default.
pub(crate) const fn text_or(
    name: &'static str,
    default: &'static str,
    value: &'static str,
    help: &'static str,
) -> Flag {
    let mut flag = flag(name, Kind::Text, value, help);
    flag.default = default;
    flag
}

/// A text that may be given several times.
pub(crate) const fn list(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    flag(name, Kind::List, value, help)
}

/// A number.
pub(crate) const fn int(name: &'static str, default: &'static str, help: &'static str) -> Flag {
    let mut flag = flag(name, Kind::Int, "int", help);
    flag.default = default;
    flag
}

/// A number that is not negative.
pub(crate) const fn uint(name: &'static str, help: &'static str) -> Flag {
    flag(name, Kind::Uint, "int", help)
}

/// A length of time.
pub(crate) const fn time(name: &'static str, default: &'static str, help: &'static str) -> Flag {
    let mut flag = flag(name, Kind::Time, "duration", help);
    flag.default = default;
    flag
}

const fn flag(name: &'static str, kind: Kind, value: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        kind,
        default: "",
        value,
        help,
    }
}

/// What was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    values: BTreeMap<&'static str, Vec<String>>,
    defaults: BTreeMap<&'static str, &'static str>,
    /// The positionals.
    pub(crate) args: Vec<String>,
}

impl Given {
    /// Whether the flag was written at all.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The last value, or the default.
    pub(crate) fn text(&self, name: &str) -> &str {
        let given = self.values.get(name).and_then(|all| all.last());
        let default = || self.defaults.get(name).copied().unwrap_or_default();
        given.map_or_else(default, String::as_str)
    }

    /// Whether a switch is on.
    pub(crate) fn on(&self, name: &str) -> bool {
        parse_bool(self.text(name)).unwrap_or_default()
    }

    /// All values.
    pub(crate) fn list(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// A number; checked when it was read.
    pub(crate) fn int(&self, name: &str) -> i64 {
        parse_int(self.text(name)).unwrap_or_default()
    }

    /// A length of time; checked when it was read.
    pub(crate) fn time(&self, name: &str) -> Duration {
        self.text(name).parse().unwrap_or_default()
    }

    /// The positional at a place, or nothing.
    pub(crate) fn arg(&self, at: usize) -> &str {
        self.args.get(at).map_or("", String::as_str)
    }
}

/// Reads `args` with the flags of these tables.
pub(crate) fn parse(tables: &[&[Flag]], args: &[String]) -> Result<Given, String> {
    let mut given = Given::default();
    for flag in tables.iter().flat_map(|table| table.iter()) {
        given.defaults.insert(flag.name, flag.default);
    }
    let mut rest = args.iter();
    while let Some(word) = rest.next() {
        if word == "--" {
            given.args.extend(rest.by_ref().cloned());
            break;
        }
        if word.len() < 2 || !word.starts_with('-') {
            given.args.push(word.clone());
            given.args.extend(rest.by_ref().cloned());
            break;
        }
        let body = word
            .strip_prefix("--")
            .or(word.strip_prefix('-'))
            .unwrap_or(word);
        if body.is_empty() || body.starts_with('-') || body.starts_with('=') {
            return Err(format!("bad flag syntax: {word}"));
        }
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let found = tables
            .iter()
            .flat_map(|table| table.iter())
            .find(|flag| flag.name == name);
        let Some(flag) = found else {
            return Err(format!("flag provided but not defined: -{name}"));
        };
        let value = match (flag.kind, value) {
            (Kind::Bool, value) => value.unwrap_or_else(|| "true".to_owned()),
            (_, Some(value)) => value,
            (_, None) => match rest.next() {
                Some(value) => value.clone(),
                None => return Err(format!("flag needs an argument: -{name}")),
            },
        };
        check(flag, &value)?;
        given.values.entry(flag.name).or_default().push(value);
    }
    Ok(given)
}

fn check(flag: &Flag, value: &str) -> Result<(), String> {
    let name = flag.name;
    let good = match flag.kind {
        Kind::Text | Kind::List => true,
        Kind::Bool if parse_bool(value).is_none() => {
            return Err(format!(
                "invalid boolean value \"{value}\" for -{name}: parse error"
            ));
        }
        Kind::Bool => true,
        Kind::Int => parse_int(value).is_some(),
        Kind::Uint => parse_int(value).is_some_and(|n| n >= 0),
        Kind::Time => value.parse::<Duration>().is_ok(),
    };
    match good {
        true => Ok(()),
        false => Err(format!(
            "invalid value \"{value}\" for flag -{name}: parse error"
        )),
    }
}

fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let number = if let Some(hex) = lower.strip_prefix("0x") {
        i64::from_str_radix(hex, 16)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        i64::from_str_radix(octal, 8)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        i64::from_str_radix(binary, 2)
    } else {
        lower.parse()
    };
    number.ok().map(|n: i64| if negative { -n } else { n })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Flag] = &[
        switch("detach", ""),
        switch_on("diff", ""),
        list("var", "", ""),
        int("n", "-1", ""),
        time("wait", "2s", ""),
    ];

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn values_follow_an_equals_sign_or_a_space_and_positionals_end_the_flags() {
        let given = parse(
            &[TABLE],
            &words("-detach --var a=1 -var=b=2 -n 0x10 -diff=false x -detach=false -var c"),
        )
        .unwrap();
        assert!(given.on("detach") && !given.on("diff"));
        assert_eq!(given.list("var"), ["a=1", "b=2"]);
        assert_eq!(given.int("n"), 16);
        assert_eq!(given.args, ["x", "-detach=false", "-var", "c"]);
        assert_eq!(given.time("wait").to_string(), "2s");
        assert_eq!(
            parse(&[TABLE], &words("-detach false")).unwrap().args,
            ["false"]
        );
    }

    #[test]
    fn mistakes_are_named_as_scripts_know_them() {
        for (line, text) in [
            ("-nope", "flag provided but not defined: -nope"),
            ("-n", "flag needs an argument: -n"),
            ("-n x", "invalid value \"x\" for flag -n: parse error"),
            (
                "-detach=maybe",
                "invalid boolean value \"maybe\" for -detach: parse error",
            ),
        ] {
            assert_eq!(parse(&[TABLE], &words(line)).unwrap_err(), text);
        }
    }
}
