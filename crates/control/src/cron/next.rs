//! The search for the next time.
//!
//! Between two changes of a zone's clocks the wall clock and time run alike. So the search goes from change to
//! change: in each stretch the first matching wall-clock time is looked for, and counts when it is reached before
//! the stretch ends. Skipped hours belong to no stretch and repeated ones to two, which is what cron promises.

use super::{Cron, Zone};
use caravan_model::UnixNanos;
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};

/// The last year that is searched.
const LAST_YEAR: i16 = 2099;
/// More than what any change of clocks moves.
const MARGIN: SignedDuration = SignedDuration::from_hours(48);

pub(super) fn next(cron: &Cron, zone: &Zone, after: UnixNanos) -> Option<UnixNanos> {
    // The first whole second after it.
    let mut from = Timestamp::from_second(after.seconds() + 1).ok()?;
    let mut first_stretch = true;
    loop {
        let offset = zone.0.to_offset(from);
        let end = zone
            .0
            .following(from)
            .next()
            .map(|change| change.timestamp());
        let found = search(cron, offset.to_datetime(from));
        let time = found.and_then(|wall| offset.to_timestamp(wall).ok());
        match (time, end) {
            (Some(time), Some(end)) if time >= end => {
                // Only the first stretch may hold matches before its beginning, which its end may repeat.
                let near = time.checked_sub(MARGIN).ok().filter(|_| !first_stretch);
                from = near.map_or(end, |near| near.max(end));
            }
            (Some(time), _) => return time.as_second().checked_mul(1_000_000_000).map(UnixNanos),
            (None, Some(end)) if first_stretch => from = end,
            (None, _) => return None,
        }
        first_stretch = false;
    }
}

/// The first wall-clock time that matches, not before `from`.
fn search(cron: &Cron, from: DateTime) -> Option<DateTime> {
    for year in cron.years.range(from.year()..=LAST_YEAR) {
        let first_month = if *year == from.year() {
            from.month()
        } else {
            1
        };
        for month in (first_month..=12).filter(|month| cron.months & 1 << month != 0) {
            if let Some(found) = search_month(cron, *year, month, from) {
                return Some(found);
            }
        }
    }
    None
}

fn search_month(cron: &Cron, year: i16, month: i8, from: DateTime) -> Option<DateTime> {
    let first = Date::new(year, month, 1).ok()?;
    let days = cron.days.of(first);
    for day in (1..=first.days_in_month()).filter(|day| days & 1 << day != 0) {
        let date = Date::new(year, month, day).ok()?;
        let not_before = match date.cmp(&from.date()) {
            std::cmp::Ordering::Less => continue,
            std::cmp::Ordering::Equal => from.time(),
            std::cmp::Ordering::Greater => Time::midnight(),
        };
        if let Some(time) = search_day(cron, not_before) {
            return Some(date.to_datetime(time));
        }
    }
    None
}

/// The first matching time of a day, not before a time.
fn search_day(cron: &Cron, from: Time) -> Option<Time> {
    for hour in at_or_after(cron.hours, from.hour(), 23) {
        let same_hour = hour == from.hour();
        let minute = if same_hour { from.minute() } else { 0 };
        for minute in at_or_after(cron.minutes, minute, 59) {
            let same_minute = same_hour && minute == from.minute();
            let second = if same_minute { from.second() } else { 0 };
            if let Some(second) = at_or_after(cron.seconds, second, 59).next() {
                return Time::new(hour, minute, second, 0).ok();
            }
        }
    }
    None
}

fn at_or_after(set: u64, low: i8, high: i8) -> impl Iterator<Item = i8> {
    (low..=high).filter(move |value| set & 1 << value != 0)
}
