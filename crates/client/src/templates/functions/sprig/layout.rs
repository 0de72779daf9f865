//! Times as Go's layouts write them: `2006-01-02 15:04:05` stands for how that very moment would be written.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ZonedDateTime as Zoned};

mod parts;
mod read;
mod write;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// How Go prints a time that nobody gave a layout for.
pub(super) const DEFAULT: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

pub(super) fn format(time: &Zoned, layout: &str) -> String {
    parts::parts(layout)
        .into_iter()
        .map(|part| write::part(time, part))
        .collect()
}

/// Reads a time that is written like the layout; without a zone in it the time is one of `tz`.
pub(super) fn parse(text: &str, layout: &str, tz: TimeZone) -> Option<Zoned> {
    let mut found = read::Found::default();
    let mut rest = text;
    for part in parts::parts(layout) {
        rest = found.take(part, rest)?;
    }
    if !rest.is_empty() {
        return None;
    }
    found.time(tz)
}

/// A moment some nanoseconds later.
pub(super) fn later(time: &Zoned, nanos: i64) -> Option<Zoned> {
    time.checked_add(SignedDuration::from_nanos(nanos)).ok()
}

/// The moment so many seconds after 1970.
pub(super) fn at(seconds: i64, tz: TimeZone) -> Option<Zoned> {
    Some(Timestamp::from_second(seconds).ok()?.to_zoned_datetime(tz))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_written_and_read() {
        let time = at(1_700_000_000, TimeZone::UTC).expect("a time");
        for (layout, text) in [
            ("2006-01-02T15:04:05Z07:00", "2023-11-14T22:13:20Z"),
            ("Mon Jan _2 15:04:05 2006", "Tue Nov 14 22:13:20 2023"),
            (
                "Monday, 02-Jan-06 15:04:05 MST",
                "Tuesday, 14-Nov-23 22:13:20 UTC",
            ),
            ("3:04PM", "10:13PM"),
            ("02 Jan 06 15:04 -0700", "14 Nov 23 22:13 +0000"),
            ("Monthly 1/2", "Monthly 11/14"),
            ("15:04:05.000", "22:13:20.000"),
            (DEFAULT, "2023-11-14 22:13:20 +0000 UTC"),
        ] {
            assert_eq!(format(&time, layout), text, "{layout}");
        }
        for layout in [
            "2006-01-02T15:04:05Z07:00",
            "Mon Jan _2 15:04:05 2006",
            DEFAULT,
            "Jan 2, 2006 at 3:04:05pm (MST)",
        ] {
            let read = parse(&format(&time, layout), layout, TimeZone::UTC).expect(layout);
            assert_eq!(read.timestamp(), time.timestamp(), "{layout}");
        }
        let east = parse(
            "2023-11-15T00:13:20.5+02:00",
            "2006-01-02T15:04:05.999Z07:00",
            TimeZone::UTC,
        )
        .expect("read");
        assert_eq!(east.timestamp().as_second(), 1_700_000_000);
        assert_eq!(format(&east, DEFAULT), "2023-11-15 00:13:20.5 +0200 +02");
        for wrong in ["2023-13-01", "yesterday", "2023-01-02x", ""] {
            assert!(
                parse(wrong, "2006-01-02", TimeZone::UTC).is_none(),
                "{wrong}"
            );
        }
    }
}
