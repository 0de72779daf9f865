//! Words and names: their case, their lines, paths.

use super::{Function, count, list, string, text, value, whole};
use gotmpl::Value;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("sprig_initials", |_, args| {
        let text = text(args, 0)?;
        let firsts = text
            .split_whitespace()
            .filter_map(|word| word.chars().next());
        Ok(string(firsts.collect::<String>()))
    }),
    ("sprig_wrap", |_, args| {
        let (width, of) = (count(args, 0)?, text(args, 1)?);
        Ok(string(wrapped(&of, width, "\n", false)))
    }),
    ("sprig_wrapWith", |_, args| {
        let (width, by, of) = (count(args, 0)?, text(args, 1)?, text(args, 2)?);
        Ok(string(wrapped(&of, width, &by, true)))
    }),
    ("sprig_snakecase", |_, args| {
        Ok(string(words(&text(args, 0)?).join("_")))
    }),
    ("sprig_kebabcase", |_, args| {
        Ok(string(words(&text(args, 0)?).join("-")))
    }),
    ("sprig_camelcase", |_, args| {
        let text = text(args, 0)?;
        let parts = text.split(['_', '-', ' ']).map(|word| {
            let mut chars = word.chars();
            let first = chars.next().into_iter().flat_map(char::to_uppercase);
            first.chain(chars).collect::<String>()
        });
        Ok(string(parts.collect::<String>()))
    }),
    ("sprig_swapcase", |_, args| {
        let swapped = text(args, 0)?
            .chars()
            .flat_map(|c| -> Vec<char> {
                match c.is_uppercase() {
                    true => c.to_lowercase().collect(),
                    false => c.to_uppercase().collect(),
                }
            })
            .collect::<String>();
        Ok(string(swapped))
    }),
    ("sprig_base", |_, args| {
        let path = text(args, 0)?;
        let trimmed = path.trim_end_matches('/');
        Ok(string(match (path.as_str(), trimmed) {
            ("", _) => ".",
            (_, "") => "/",
            (_, trimmed) => trimmed.rsplit('/').next().unwrap_or(trimmed),
        }))
    }),
    ("sprig_dir", |_, args| {
        let path = text(args, 0)?;
        let parent = path
            .rfind('/')
            .map_or("", |at| path.get(..=at).unwrap_or_default());
        Ok(string(clean(parent)))
    }),
    ("sprig_clean", |_, args| Ok(string(clean(&text(args, 0)?)))),
    ("sprig_ext", |_, args| {
        let path = text(args, 0)?;
        let name = path.rsplit('/').next().unwrap_or_default();
        Ok(string(
            name.rfind('.')
                .and_then(|at| name.get(at..))
                .unwrap_or_default(),
        ))
    }),
    ("sprig_isAbs", |_, args| {
        Ok(Value::Bool(text(args, 0)?.starts_with('/')))
    }),
    ("sprig_seq", |_, args| {
        let numbers: Vec<i64> = args.iter().map(whole).collect();
        let (from, step, to) = match *numbers {
            [to] => (1, if to < 1 { -1 } else { 1 }, to),
            [from, to] => (from, if to < from { -1 } else { 1 }, to),
            [from, step, to] => (from, step, to),
            _ => return Ok(string("")),
        };
        let end = if step < 0 {
            to.saturating_sub(1)
        } else {
            to.saturating_add(1)
        };
        let all = super::numbers::steps(from, end, step)?;
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        Ok(string(all.join(" ")))
    }),
    ("sprig_uuidv4", |_, _| {
        Ok(string(uuid::Uuid::new_v4().to_string()))
    }),
    ("sprig_randAlphaNum", |_, args| {
        random(args, |c| c.is_ascii_alphanumeric())
    }),
    ("sprig_randAlpha", |_, args| {
        random(args, |c| c.is_ascii_alphabetic())
    }),
    ("sprig_randNumeric", |_, args| {
        random(args, |c| c.is_ascii_digit())
    }),
    ("sprig_randAscii", |_, args| {
        random(args, |c| c == ' ' || c.is_ascii_graphic())
    }),
    ("sprig_chunk", |_, args| {
        let size = usize::try_from(whole(value(args, 0)?)).unwrap_or(0).max(1);
        let all = super::parts(args.get(1));
        Ok(list(
            all.chunks(size).map(|chunk| list(chunk.iter().cloned())),
        ))
    }),
];

/// The words of a name, in lower case: `HTTPServer-name` has three.
fn words(of: &str) -> Vec<String> {
    let chars: Vec<char> = of.chars().collect();
    let mut words = vec![String::new()];
    for (at, c) in chars.iter().copied().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied();
        let after = chars.get(at + 1).copied();
        let starts = c.is_uppercase()
            && (before.is_some_and(|c| c.is_lowercase() || c.is_numeric())
                || (before.is_some_and(char::is_uppercase)
                    && after.is_some_and(char::is_lowercase)));
        let between = matches!(c, '_' | '-' | ' ');
        if starts || between {
            words.push(String::new());
        }
        if let (false, Some(word)) = (between, words.last_mut()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Breaks lines at spaces; words that are longer than a line only where they may be broken.
fn wrapped(of: &str, width: usize, by: &str, break_words: bool) -> String {
    let chars: Vec<char> = of.chars().collect();
    let width = width.max(1);
    let mut out = String::new();
    let mut at = 0;
    while chars.len() - at > width {
        let rest = chars.get(at..).unwrap_or_default();
        if rest.first() == Some(&' ') {
            at += 1;
            continue;
        }
        let fits = rest.get(..=width).unwrap_or(rest);
        let space = fits.iter().rposition(|c| *c == ' ');
        let later = || {
            rest.iter()
                .skip(width)
                .position(|c| *c == ' ')
                .map(|found| found + width)
        };
        let (end, skip) = match (space, break_words) {
            (Some(space), _) => (space, 1),
            (None, true) => (width, 0),
            (None, false) => match later() {
                Some(space) => (space, 1),
                None => break,
            },
        };
        out.extend(rest.iter().take(end));
        out.push_str(by);
        at += end + skip;
    }
    out.extend(chars.iter().skip(at));
    out
}

/// The shortest path that means the same.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => {
                kept.pop();
            }
            ".." if rooted => {}
            other => kept.push(other),
        }
    }
    let joined = kept.join("/");
    match (rooted, joined.as_str()) {
        (true, _) => format!("/{joined}"),
        (false, "") => ".".to_owned(),
        (false, _) => joined,
    }
}

fn random(args: &[Value], wanted: fn(char) -> bool) -> super::Answer {
    let length = count(args, 0)?;
    let mut out = String::with_capacity(length);
    let mut bytes = [0_u8; 256];
    while out.len() < length {
        aws_lc_rs::rand::fill(&mut bytes).map_err(|error| super::fail(error.to_string()))?;
        // Half of the bytes are no ASCII: leaving them out keeps every character as likely.
        let chars = bytes
            .iter()
            .map(|byte| char::from(*byte))
            .filter(|c| wanted(*c));
        out.extend(chars.take(length - out.len()));
    }
    Ok(string(out))
}
