//! One field of an expression: lists of values, ranges and steps.

use super::{CronError, syntax};

/// What a field may hold.
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) low: u16,
    pub(super) high: u16,
    /// Names of the values, from `low` on.
    names: &'static [&'static str],
}

pub(super) const SECOND: Spec = Spec {
    name: "second",
    low: 0,
    high: 59,
    names: &[],
};
pub(super) const MINUTE: Spec = Spec {
    name: "minute",
    low: 0,
    high: 59,
    names: &[],
};
pub(super) const HOUR: Spec = Spec {
    name: "hour",
    low: 0,
    high: 23,
    names: &[],
};
pub(super) const DAY_OF_MONTH: Spec = Spec {
    name: "day-of-month",
    low: 1,
    high: 31,
    names: &[],
};
pub(super) const MONTH: Spec = Spec {
    name: "month",
    low: 1,
    high: 12,
    names: &[
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ],
};
/// Sunday is 0 and 7.
pub(super) const DAY_OF_WEEK: Spec = Spec {
    name: "day-of-week",
    low: 0,
    high: 7,
    names: &[
        "sunday",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
    ],
};
pub(super) const YEAR: Spec = Spec {
    name: "year",
    low: 1970,
    high: 2099,
    names: &[],
};

/// One part of a field's list.
pub(super) enum Field {
    /// `*` or `?`.
    Every,
    Values(Vec<u16>),
    /// Not values: what only day fields know.
    Special,
}

/// The values of a field that knows only values.
pub(super) fn parse(spec: &Spec, text: &str) -> Result<Vec<u16>, CronError> {
    let mut values = Vec::new();
    for part in text.split(',') {
        values.extend(self::part(spec, part)?.values(spec, part)?);
    }
    Ok(values)
}

/// Reads one part of a list.
pub(super) fn part(spec: &Spec, text: &str) -> Result<Field, CronError> {
    if matches!(text, "*" | "?") {
        return Ok(Field::Every);
    }
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (text, None),
    };
    let (first, last) = match (range, range.split_once('-')) {
        ("*", _) => (spec.low, spec.high),
        (_, Some((first, last))) => match (value(spec, first), value(spec, last)) {
            (Some(first), Some(last)) if first <= last => (first, last),
            _ => return Err(syntax(spec, text)),
        },
        (one, None) => match value(spec, one) {
            Some(first) if step.is_some() => (first, spec.high),
            Some(only) => (only, only),
            None => return Ok(Field::Special),
        },
    };
    let step = match step.map(str::parse::<u16>) {
        None => 1,
        Some(Ok(step)) if step > 0 && step <= spec.high => step,
        Some(_) => return Err(syntax(spec, text)),
    };
    Ok(Field::Values(
        (first..=last).step_by(usize::from(step)).collect(),
    ))
}

/// A value as number or name.
pub(super) fn value(spec: &Spec, text: &str) -> Option<u16> {
    if let Ok(number) = text.parse::<u16>() {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        return (plain && (spec.low..=spec.high).contains(&number)).then_some(number);
    }
    let place = spec
        .names
        .iter()
        .position(|name| *name == text || name[..3] == *text)?;
    u16::try_from(place).ok().map(|place| place + spec.low)
}
