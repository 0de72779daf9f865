//! Regular expressions.

use gotmpl::{TemplateError, Value};
use regex::NoExpand;

use super::{Answer, Function, list, pattern, string, text, value, whole};
use crate::templates::pass::Pass;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("sprig_regexMatch", matches),
    ("sprig_regexFind", find),
    ("sprig_regexFindAll", find_all),
    ("sprig_regexReplaceAll", replace),
    ("sprig_regexReplaceAllLiteral", replace_literally),
    ("sprig_regexSplit", split),
    ("sprig_mustRegexSplit", split),
    ("sprig_regexQuoteMeta", |_, args| {
        Ok(string(regex::escape(&text(args, 0)?)))
    }),
];

/// How many are wanted; a negative number means all.
fn most(args: &[Value], at: usize) -> Result<usize, TemplateError> {
    Ok(usize::try_from(whole(value(args, at)?)).unwrap_or(usize::MAX))
}

fn matches(_: &Pass, args: &[Value]) -> Answer {
    Ok(Value::Bool(pattern(args)?.is_match(&text(args, 1)?)))
}

fn find(_: &Pass, args: &[Value]) -> Answer {
    let of = text(args, 1)?;
    Ok(string(
        pattern(args)?.find(&of).map_or("", |found| found.as_str()),
    ))
}

fn find_all(_: &Pass, args: &[Value]) -> Answer {
    let (of, most) = (text(args, 1)?, most(args, 2)?);
    let pattern = pattern(args)?;
    Ok(list(
        pattern
            .find_iter(&of)
            .take(most)
            .map(|found| string(found.as_str())),
    ))
}

fn replace(_: &Pass, args: &[Value]) -> Answer {
    let (of, by) = (text(args, 1)?, text(args, 2)?);
    Ok(string(pattern(args)?.replace_all(&of, by.as_str())))
}

fn replace_literally(_: &Pass, args: &[Value]) -> Answer {
    let (of, by) = (text(args, 1)?, text(args, 2)?);
    Ok(string(pattern(args)?.replace_all(&of, NoExpand(&by))))
}

fn split(_: &Pass, args: &[Value]) -> Answer {
    let (of, most) = (text(args, 1)?, most(args, 2)?);
    Ok(list(pattern(args)?.splitn(&of, most).map(string)))
}
