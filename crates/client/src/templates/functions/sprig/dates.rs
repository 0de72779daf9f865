//! Dates. A time is a text as Go prints one, or a number of seconds since 1970; zones are this machine's unless named.

use gotmpl::{TemplateError, Value};
use jiff::ZonedDateTime as Zoned;
use jiff::tz::TimeZone;

use super::{Function, fail, layout, string, text, value, whole};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("sprig_now", |_, _| Ok(written(&now()))),
    ("sprig_ago", |_, args| {
        let then = time(args, 0)?;
        let seconds = now().timestamp().as_second() - then.timestamp().as_second();
        Ok(string(duration(seconds.saturating_mul(1_000_000_000))))
    }),
    ("sprig_date", |_, args| {
        Ok(string(layout::format(&time(args, 1)?, &text(args, 0)?)))
    }),
    ("sprig_dateInZone", |_, args| {
        let there = time(args, 1)?.with_time_zone(zone(&text(args, 2)?));
        Ok(string(layout::format(&there, &text(args, 0)?)))
    }),
    ("sprig_htmlDate", |_, args| {
        Ok(string(layout::format(&time(args, 0)?, "2006-01-02")))
    }),
    ("sprig_htmlDateInZone", |_, args| {
        let there = time(args, 0)?.with_time_zone(zone(&text(args, 1)?));
        Ok(string(layout::format(&there, "2006-01-02")))
    }),
    ("sprig_dateModify", |_, args| {
        let (by, from) = (text(args, 0)?, time(args, 1)?);
        // What is no duration changes nothing.
        let changed = nanos(&by).and_then(|nanos| layout::later(&from, nanos));
        Ok(written(&changed.unwrap_or(from)))
    }),
    ("sprig_mustDateModify", |_, args| {
        let (by, from) = (text(args, 0)?, time(args, 1)?);
        let changed = nanos(&by).and_then(|nanos| layout::later(&from, nanos));
        changed
            .map(|time| written(&time))
            .ok_or_else(|| fail(format!("invalid duration {by:?}")))
    }),
    ("sprig_toDate", |_, args| {
        let (form, of) = (text(args, 0)?, text(args, 1)?);
        let read = layout::parse(&of, &form, TimeZone::system());
        Ok(read.map_or_else(
            || string("0001-01-01 00:00:00 +0000 UTC"),
            |time| written(&time),
        ))
    }),
    ("sprig_mustToDate", |_, args| {
        let (form, of) = (text(args, 0)?, text(args, 1)?);
        let read = layout::parse(&of, &form, TimeZone::system());
        read.map(|time| written(&time))
            .ok_or_else(|| fail(format!("{of:?} is not written like {form:?}")))
    }),
    ("sprig_unixEpoch", |_, args| {
        Ok(string(time(args, 0)?.timestamp().as_second().to_string()))
    }),
    ("sprig_duration", |_, args| {
        Ok(string(duration(
            whole(value(args, 0)?).saturating_mul(1_000_000_000),
        )))
    }),
    ("sprig_durationRound", |_, args| {
        let of = text(args, 0)?;
        let nanos = nanos(&of).or_else(|| of.parse().ok()).unwrap_or(0);
        Ok(string(rounded(nanos.unsigned_abs() / 1_000_000_000)))
    }),
];

fn now() -> Zoned {
    let seconds = crate::clock::now().seconds();
    layout::at(seconds, TimeZone::system()).unwrap_or_default()
}

fn written(time: &Zoned) -> Value {
    string(layout::format(time, layout::DEFAULT))
}

/// What is no time is now, as with Sprig.
fn time(args: &[Value], at: usize) -> Result<Zoned, TemplateError> {
    let tz = TimeZone::system();
    let read = match value(args, at)? {
        Value::String(text) => layout::parse(text, layout::DEFAULT, tz.clone())
            .or_else(|| layout::parse(text, "2006-01-02T15:04:05.999999999Z07:00", tz)),
        other => layout::at(whole(other), tz),
    };
    Ok(read.unwrap_or_else(now))
}

/// An unknown zone is UTC.
fn zone(name: &str) -> TimeZone {
    match name {
        "" | "UTC" => TimeZone::UTC,
        "Local" => TimeZone::system(),
        name => TimeZone::get(name).unwrap_or(TimeZone::UTC),
    }
}

fn nanos(text: &str) -> Option<i64> {
    let read: Option<caravan_model::Duration> = text.parse().ok();
    read.map(|duration| duration.0)
}

fn duration(nanos: i64) -> String {
    caravan_model::Duration(nanos).to_string()
}

/// In the largest unit that it fills.
fn rounded(seconds: u64) -> String {
    const UNITS: [(u64, &str); 5] = [
        (31_536_000, "y"),
        (2_592_000, "mo"),
        (86_400, "d"),
        (3600, "h"),
        (60, "m"),
    ];
    match UNITS.iter().find(|(size, _)| seconds > *size) {
        Some((size, unit)) => format!("{}{unit}", seconds / size),
        None => format!("{seconds}s"),
    }
}

/// Names of the same.
pub(super) const ALIASES: &[(&str, &str)] = &[
    ("sprig_date_in_zone", "sprig_dateInZone"),
    ("sprig_date_modify", "sprig_dateModify"),
    ("sprig_must_date_modify", "sprig_mustDateModify"),
];
