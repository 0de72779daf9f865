//! Cron expressions: when a periodic job runs next.
//!
//! Five fields (minute, hour, day of month, month, day of week), six (a year at the end) or seven (seconds first), lists,
//! ranges, steps, names, `L`, `W` and `#`, and the usual macros. A day matches when the day of month or the day of week
//! does, if both are restricted. A local time that the clock skips is skipped; one that it shows twice runs twice.
//! Pure: the reference time is an argument.

use crate::{PeriodicConfig, UnixNanos};
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use std::str::FromStr;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    seconds: Vec<i8>,
    minutes: Vec<i8>,
    hours: Vec<i8>,
    months: Vec<i8>,
    /// `None` is every year.
    years: Option<Vec<i16>>,
    days: Days,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Days {
    /// Whether the day of month is restricted, and of week.
    by_month: bool,
    by_week: bool,
    month_days: Vec<i8>,
    last_day: bool,
    last_workday: bool,
    near_workdays: Vec<i8>,
    week_days: Vec<i8>,
    last_week_days: Vec<i8>,
    /// Week day and which of the month.
    nth_week_days: Vec<(i8, i8)>,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEK_DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const LAST_YEAR: i16 = 2099;

impl FromStr for Cron {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = match text.trim() {
            "@annually" | "@yearly" => "0 0 0 1 1 * *",
            "@monthly" => "0 0 0 1 * * *",
            "@weekly" => "0 0 0 * * 0 *",
            "@daily" | "@midnight" => "0 0 0 * * * *",
            "@hourly" => "0 0 * * * * *",
            other => other,
        };
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        match fields.len() {
            0..5 => return Err("missing field(s)".into()),
            5 => {
                fields.insert(0, "0");
                fields.push("*");
            }
            6 => fields.insert(0, "0"),
            _ => {}
        }
        let plain = |name: &str, at: usize, low: i16, high: i16, names: &[&str]| {
            numbers(fields[at], low, high, names)
                .ok_or_else(|| format!("syntax error in {name} field: '{}'", fields[at]))
        };
        let small = |list: Vec<i16>| list.into_iter().map(|n| n as i8).collect::<Vec<i8>>();
        let years = match fields[6] {
            "*" => None,
            _ => Some(plain("year", 6, 1970, LAST_YEAR, &[])?),
        };
        Ok(Self {
            seconds: small(plain("second", 0, 0, 59, &[])?),
            minutes: small(plain("minute", 1, 0, 59, &[])?),
            hours: small(plain("hour", 2, 0, 23, &[])?),
            months: small(plain("month", 4, 1, 12, &MONTHS)?),
            years,
            days: Days::parse(fields[3], fields[5])?,
        })
    }
}

/// The numbers that a field names.
fn numbers(field: &str, low: i16, high: i16, names: &[&str]) -> Option<Vec<i16>> {
    let mut all = Vec::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<i16>().ok().filter(|n| *n > 0)?)),
            None => (part, None),
        };
        let (from, to) = match range {
            "*" | "?" => (low, high),
            _ => match range.split_once('-') {
                Some((from, to)) => (number(from, low, names)?, number(to, low, names)?),
                None => {
                    let from = number(range, low, names)?;
                    (from, if step.is_some() { high } else { from })
                }
            },
        };
        if from < low || to > high || from > to {
            return None;
        }
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        all.extend((from..=to).step_by(step));
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

fn number(text: &str, low: i16, names: &[&str]) -> Option<i16> {
    let lower = text.to_ascii_lowercase();
    let named = names
        .iter()
        .position(|name| lower.len() >= 3 && lower.starts_with(name));
    match named {
        Some(at) => Some(i16::try_from(at).ok()? + low),
        None => lower.parse().ok(),
    }
}

impl Days {
    fn parse(of_month: &str, of_week: &str) -> Result<Self, String> {
        let free = |field: &str| matches!(field, "*" | "?");
        let mut days = Self {
            by_month: !free(of_month),
            by_week: !free(of_week),
            ..Self::default()
        };
        for part in of_month.split(',').filter(|part| !free(part)) {
            days.month_part(part)
                .ok_or_else(|| format!("syntax error in day-of-month field: '{of_month}'"))?;
        }
        for part in of_week.split(',').filter(|part| !free(part)) {
            days.week_part(part)
                .ok_or_else(|| format!("syntax error in day-of-week field: '{of_week}'"))?;
        }
        Ok(days)
    }

    fn month_part(&mut self, part: &str) -> Option<()> {
        let upper = part.to_ascii_uppercase();
        match upper.as_str() {
            "L" => self.last_day = true,
            "LW" | "WL" => self.last_workday = true,
            _ => match upper.strip_suffix('W') {
                Some(day) => self
                    .near_workdays
                    .push(day.parse().ok().filter(|day| (1..=31).contains(day))?),
                None => {
                    let days = numbers(part, 1, 31, &[])?;
                    self.month_days.extend(days.into_iter().map(|n| n as i8));
                }
            },
        }
        Some(())
    }

    fn week_part(&mut self, part: &str) -> Option<()> {
        let day = |text: &str| {
            number(text, 0, &WEEK_DAYS)
                .filter(|n| (0..=7).contains(n))
                .map(|n| (n % 7) as i8)
        };
        if let Some((name, nth)) = part.split_once('#') {
            let nth: i8 = nth.parse().ok().filter(|nth| (1..=5).contains(nth))?;
            self.nth_week_days.push((day(name)?, nth));
        } else if let Some(name) = part.strip_suffix(['L', 'l']) {
            self.last_week_days
                .push(if name.is_empty() { 6 } else { day(name)? });
        } else {
            let days = numbers(part, 0, 7, &WEEK_DAYS)?;
            self.week_days
                .extend(days.into_iter().map(|n| (n % 7) as i8));
        }
        Some(())
    }

    fn contains(&self, date: Date) -> bool {
        match (self.by_month, self.by_week) {
            (false, false) => true,
            (true, false) => self.in_month(date),
            (false, true) => self.in_week(date),
            (true, true) => self.in_month(date) || self.in_week(date),
        }
    }

    fn in_month(&self, date: Date) -> bool {
        let last = date.last_of_month();
        self.month_days.contains(&date.day())
            || self.last_day && date == last
            || self.last_workday && date == workday_near(last)
            || self.near_workdays.iter().any(|day| {
                let wanted = date.with().day(*day).build();
                wanted.is_ok_and(|wanted| workday_near(wanted) == date)
            })
    }

    fn in_week(&self, date: Date) -> bool {
        let day = date.weekday().to_sunday_zero_offset();
        let nth = (date.day() - 1) / 7 + 1;
        let last = date.day() + 7 > date.days_in_month();
        self.week_days.contains(&day)
            || last && self.last_week_days.contains(&day)
            || self.nth_week_days.contains(&(day, nth))
    }
}

/// The working day next to a day, in the same month.
fn workday_near(date: Date) -> Date {
    let shifted = match date.weekday() {
        Weekday::Saturday if date.day() == 1 => date.with().day(3).build(),
        Weekday::Saturday => date.yesterday(),
        Weekday::Sunday if date == date.last_of_month() => date.with().day(date.day() - 2).build(),
        Weekday::Sunday => date.tomorrow(),
        _ => Ok(date),
    };
    shifted.unwrap_or(date)
}

impl Cron {
    /// The first moment after `after`, if there is any before the year 2100.
    #[must_use]
    pub fn next_after(&self, after: UnixNanos, zone: &TimeZone) -> Option<UnixNanos> {
        let start = jiff::Timestamp::from_nanosecond(i128::from(after.0)).ok()?;
        // A day earlier, because a repeated hour of the day before may still lie ahead.
        let mut date = zone.to_datetime(start).date().yesterday().ok()?;
        while date.year() <= LAST_YEAR {
            let year = self
                .years
                .as_ref()
                .is_none_or(|years| years.contains(&date.year()));
            if !year || !self.months.contains(&date.month()) {
                date = date.last_of_month().tomorrow().ok()?;
                continue;
            }
            if self.days.contains(date)
                && let Some(found) = self.next_in_day(date, after, zone)
            {
                return Some(found);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn next_in_day(&self, date: Date, after: UnixNanos, zone: &TimeZone) -> Option<UnixNanos> {
        let mut best: Option<i64> = None;
        for hour in &self.hours {
            for minute in &self.minutes {
                for second in &self.seconds {
                    let time = Time::new(*hour, *minute, *second, 0).ok()?;
                    for moment in moments(DateTime::from_parts(date, time), zone) {
                        if moment > after.0 && best.is_none_or(|best| moment < best) {
                            best = Some(moment);
                        }
                    }
                }
            }
        }
        best.map(UnixNanos)
    }
}

/// When a clock in the zone shows this: never, once or twice.
fn moments(local: DateTime, zone: &TimeZone) -> Vec<i64> {
    let offsets = match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => vec![offset],
        AmbiguousOffset::Gap { .. } => Vec::new(),
        AmbiguousOffset::Fold { before, after } => vec![before, after],
    };
    let nanos = offsets
        .into_iter()
        .filter_map(|offset| offset.to_timestamp(local).ok())
        .filter_map(|moment| i64::try_from(moment.as_nanosecond()).ok());
    nanos.collect()
}

impl PeriodicConfig {
    /// The next launch after `after`: the earliest of all expressions; `None` when there is none or they cannot be read.
    #[must_use]
    pub fn next_after(&self, after: UnixNanos) -> Option<UnixNanos> {
        let zone = match self.time_zone.as_str() {
            "" | "UTC" | "Local" => TimeZone::UTC,
            name => TimeZone::get(name).ok()?,
        };
        let all = self.specs.iter().chain(std::iter::once(&self.spec));
        all.filter(|spec| !spec.is_empty())
            .filter_map(|spec| spec.parse::<Cron>().ok()?.next_after(after, &zone))
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(spec: &str, after: &str, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let after: jiff::Timestamp = after.parse().unwrap();
        let after = UnixNanos(after.as_nanosecond() as i64);
        let found = spec.parse::<Cron>().unwrap().next_after(after, &zone);
        found.map_or_else(String::new, |found| crate::Timestamp(found.0).to_string())
    }

    #[test]
    fn every_form_of_expression_is_understood() {
        for (spec, expected) in [
            ("*/15 * * * *", "2026-01-02T03:15:00Z"),
            ("5/15 * * * *", "2026-01-02T03:05:00Z"),
            ("0 4 1 1 *", "2027-01-01T04:00:00Z"),
            ("@daily", "2026-01-03T00:00:00Z"),
            ("0 0 * * 1-5", "2026-01-05T00:00:00Z"),
            ("0 0 13 * fri", "2026-01-09T00:00:00Z"),
            ("0 0 L * *", "2026-01-31T00:00:00Z"),
            ("0 0 LW * *", "2026-01-30T00:00:00Z"),
            ("0 0 17W * *", "2026-01-16T00:00:00Z"),
            ("0 0 * * 5#3", "2026-01-16T00:00:00Z"),
            ("0 0 * * 7L", "2026-01-25T00:00:00Z"),
            ("0 0 1 1 * 2030", "2030-01-01T00:00:00Z"),
            ("*/20 * * * * * *", "2026-01-02T03:04:20Z"),
            ("0 0 30 2 *", ""),
        ] {
            assert_eq!(
                next(spec, "2026-01-02T03:04:05Z", "UTC"),
                expected,
                "{spec}"
            );
        }
    }

    #[test]
    fn skipped_times_are_skipped_and_repeated_ones_run_twice() {
        let zone = "America/New_York";
        let spring = next("30 2 * * *", "2024-03-10T06:00:00Z", zone);
        assert_eq!(spring, "2024-03-11T06:30:00Z");
        let first = next("30 1 * * *", "2024-11-03T04:00:00Z", zone);
        assert_eq!(first, "2024-11-03T05:30:00Z");
        assert_eq!(next("30 1 * * *", &first, zone), "2024-11-03T06:30:00Z");
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            "not a cron".parse::<Cron>().unwrap_err(),
            "missing field(s)"
        );
        assert!("61 * * * *".parse::<Cron>().unwrap_err().contains("minute"));
    }
}
