//! Times as Go's layouts write them: `2006-01-02 15:04:05` stands for how that very moment would be written.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime as Zoned};

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

/// The elements of layouts; of those that begin alike the longer comes first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    LongMonth,
    Month,
    LongDay,
    Weekday,
    ZoneName,
    Year,
    ShortYear,
    NumMonth(bool),
    Day(Pad),
    DayOfYear,
    Hour,
    Hour12(bool),
    Minute(bool),
    Second(bool),
    Half(bool),
    /// Digits are named by the text; whether `Z` stands for none, and whether there is a colon.
    Zone {
        z: bool,
        colon: bool,
        minutes: bool,
    },
    /// So many digits, and whether zeros at the end are left out.
    Fraction(usize, bool),
    Text(char),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pad {
    None,
    Zero,
    Space,
}

const NAMED: [(&str, Part); 34] = [
    ("January", Part::LongMonth),
    ("Jan", Part::Month),
    ("Monday", Part::LongDay),
    ("Mon", Part::Weekday),
    ("MST", Part::ZoneName),
    ("2006", Part::Year),
    ("002", Part::DayOfYear),
    ("01", Part::NumMonth(true)),
    ("02", Part::Day(Pad::Zero)),
    ("03", Part::Hour12(true)),
    ("04", Part::Minute(true)),
    ("05", Part::Second(true)),
    ("06", Part::ShortYear),
    ("_2", Part::Day(Pad::Space)),
    ("15", Part::Hour),
    ("1", Part::NumMonth(false)),
    ("2", Part::Day(Pad::None)),
    ("3", Part::Hour12(false)),
    ("4", Part::Minute(false)),
    ("5", Part::Second(false)),
    ("PM", Part::Half(true)),
    ("pm", Part::Half(false)),
    (
        "Z07:00",
        Part::Zone {
            z: true,
            colon: true,
            minutes: true,
        },
    ),
    (
        "Z0700",
        Part::Zone {
            z: true,
            colon: false,
            minutes: true,
        },
    ),
    (
        "Z07",
        Part::Zone {
            z: true,
            colon: false,
            minutes: false,
        },
    ),
    (
        "-07:00",
        Part::Zone {
            z: false,
            colon: true,
            minutes: true,
        },
    ),
    (
        "-0700",
        Part::Zone {
            z: false,
            colon: false,
            minutes: true,
        },
    ),
    (
        "-07",
        Part::Zone {
            z: false,
            colon: false,
            minutes: false,
        },
    ),
    (".000000000", Part::Fraction(9, false)),
    (".000000", Part::Fraction(6, false)),
    (".000", Part::Fraction(3, false)),
    (".999999999", Part::Fraction(9, true)),
    (".999999", Part::Fraction(6, true)),
    (".999", Part::Fraction(3, true)),
];

fn parts(layout: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        let found = NAMED.iter().find(|(name, part)| {
            let after = rest.strip_prefix(name).map(|after| after.chars().next());
            let word = matches!(part, Part::Month | Part::Weekday);
            // `Monthly` is a word, not a day.
            after.is_some_and(|next| !(word && next.is_some_and(|c| c.is_ascii_lowercase())))
        });
        let (length, part) = found.map_or((first.len_utf8(), Part::Text(first)), |(name, part)| {
            (name.len(), *part)
        });
        parts.push(part);
        rest = rest.get(length..).unwrap_or_default();
    }
    parts
}

/// How Go prints a time that nobody gave a layout for.
pub(super) const DEFAULT: &str = "2006-01-02 15:04:05.999999999 -0700 MST";

pub(super) fn format(time: &Zoned, layout: &str) -> String {
    parts(layout)
        .into_iter()
        .map(|part| one(time, part))
        .collect()
}

fn one(time: &Zoned, part: Part) -> String {
    let month = usize::from(time.month().unsigned_abs()).saturating_sub(1);
    let day = usize::from(time.weekday().to_monday_zero_offset().unsigned_abs());
    let name = |names: &[&str], at: usize| names.get(at).copied().unwrap_or_default().to_owned();
    let short = |name: String| name.chars().take(3).collect();
    let padded = |number: i8, pad: bool| {
        if pad {
            format!("{number:02}")
        } else {
            number.to_string()
        }
    };
    let twelve = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    match part {
        Part::LongMonth => name(&MONTHS, month),
        Part::Month => short(name(&MONTHS, month)),
        Part::LongDay => name(&DAYS, day),
        Part::Weekday => short(name(&DAYS, day)),
        Part::ZoneName => match time
            .time_zone()
            .to_offset_info(time.timestamp())
            .abbreviation()
        {
            "Etc/UTC" => "UTC".into(),
            abbreviation => abbreviation.to_owned(),
        },
        Part::Year => format!("{:04}", time.year()),
        Part::ShortYear => format!("{:02}", time.year().rem_euclid(100)),
        Part::NumMonth(pad) => padded(time.month(), pad),
        Part::Day(Pad::Zero) => padded(time.day(), true),
        Part::Day(Pad::Space) => format!("{:2}", time.day()),
        Part::Day(Pad::None) => time.day().to_string(),
        Part::DayOfYear => format!("{:03}", time.day_of_year()),
        Part::Hour => padded(time.hour(), true),
        Part::Hour12(pad) => padded(twelve, pad),
        Part::Minute(pad) => padded(time.minute(), pad),
        Part::Second(pad) => padded(time.second(), pad),
        Part::Half(upper) => match (time.hour() >= 12, upper) {
            (true, true) => "PM".into(),
            (true, false) => "pm".into(),
            (false, true) => "AM".into(),
            (false, false) => "am".into(),
        },
        Part::Zone { z, colon, minutes } => zone(time.offset(), z, colon, minutes),
        Part::Fraction(digits, trim) => {
            let all = format!("{:09}", time.subsec_nanosecond());
            let some = all.get(..digits).unwrap_or(&all);
            match (trim, some.trim_end_matches('0')) {
                (true, "") => String::new(),
                (true, some) => format!(".{some}"),
                (false, _) => format!(".{some}"),
            }
        }
        Part::Text(c) => c.to_string(),
    }
}

fn zone(offset: Offset, z: bool, colon: bool, minutes: bool) -> String {
    let seconds = offset.seconds();
    if z && seconds == 0 {
        return "Z".into();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.unsigned_abs() / 60;
    let (hours, rest) = (all / 60, all % 60);
    match (minutes, colon) {
        (false, _) => format!("{sign}{hours:02}"),
        (true, true) => format!("{sign}{hours:02}:{rest:02}"),
        (true, false) => format!("{sign}{hours:02}{rest:02}"),
    }
}

/// Reads a time that is written like the layout; without a zone in it the time is one of `tz`.
pub(super) fn parse(text: &str, layout: &str, tz: TimeZone) -> Option<Zoned> {
    let mut found = Found::default();
    let mut rest = text;
    for part in parts(layout) {
        rest = found.take(part, rest)?;
    }
    if !rest.is_empty() {
        return None;
    }
    found.time(tz)
}

struct Found {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    afternoon: Option<bool>,
    offset: Option<i32>,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            year: 1,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            nanos: 0,
            afternoon: None,
            offset: None,
        }
    }
}

impl Found {
    /// What is left of the text behind this element.
    fn take<'a>(&mut self, part: Part, rest: &'a str) -> Option<&'a str> {
        let number = |most: usize, rest: &'a str| -> Option<(i64, &'a str)> {
            let rest = rest.trim_start_matches(' ');
            let length = rest
                .bytes()
                .take(most)
                .take_while(u8::is_ascii_digit)
                .count();
            let (digits, rest) = rest.split_at(length);
            Some((digits.parse().ok()?, rest))
        };
        let small = |most: usize| {
            number(most, rest).and_then(|(n, rest)| Some((i8::try_from(n).ok()?, rest)))
        };
        let named = |names: &[&str], short: bool| {
            names.iter().zip(1_i8..).find_map(|(name, n)| {
                let name = if short { name.get(..3)? } else { name };
                Some((n, rest.strip_prefix(name)?))
            })
        };
        let rest = match part {
            Part::Text(c) => return rest.strip_prefix(c),
            Part::LongDay => named(&DAYS, false)?.1,
            Part::Weekday => named(&DAYS, true)?.1,
            Part::LongMonth | Part::Month => {
                let (month, rest) = named(&MONTHS, part == Part::Month)?;
                self.month = month;
                rest
            }
            Part::NumMonth(_) => {
                let (month, rest) = small(2)?;
                self.month = month;
                rest
            }
            Part::Year | Part::ShortYear => {
                let (year, rest) = number(if part == Part::Year { 4 } else { 2 }, rest)?;
                let year = match (part, year) {
                    (Part::ShortYear, 69..) => 1900 + year,
                    (Part::ShortYear, _) => 2000 + year,
                    _ => year,
                };
                self.year = i16::try_from(year).ok()?;
                rest
            }
            Part::Day(_) => {
                let (day, rest) = small(2)?;
                self.day = day;
                rest
            }
            Part::Hour | Part::Hour12(_) => {
                let (hour, rest) = small(2)?;
                self.hour = hour;
                rest
            }
            Part::Minute(_) => {
                let (minute, rest) = small(2)?;
                self.minute = minute;
                rest
            }
            Part::Second(_) => {
                let (second, rest) = small(2)?;
                self.second = second;
                rest
            }
            Part::DayOfYear => number(3, rest)?.1,
            Part::Half(_) => {
                let half = rest.get(..2)?;
                self.afternoon = Some(half.eq_ignore_ascii_case("pm"));
                rest.get(2..)?
            }
            Part::ZoneName => {
                let length = rest.bytes().take_while(u8::is_ascii_uppercase).count();
                let (name, rest) = rest.split_at(length);
                if name == "UTC" || name == "GMT" {
                    self.offset.get_or_insert(0);
                }
                rest
            }
            Part::Zone { .. } => self.zone(rest)?,
            Part::Fraction(..) => {
                let Some(digits) = rest.strip_prefix('.') else {
                    return Some(rest);
                };
                let length = digits
                    .bytes()
                    .take(9)
                    .take_while(u8::is_ascii_digit)
                    .count();
                let (digits, rest) = digits.split_at(length);
                self.nanos = format!("{digits:0<9}").parse().ok()?;
                rest
            }
        };
        Some(rest)
    }

    fn zone<'a>(&mut self, rest: &'a str) -> Option<&'a str> {
        if let Some(rest) = rest.strip_prefix('Z') {
            self.offset = Some(0);
            return Some(rest);
        }
        let (sign, rest) = match rest.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, rest.strip_prefix('+')?),
        };
        let hours: i32 = rest.get(..2)?.parse().ok()?;
        let rest = rest.get(2..)?;
        let after = rest.strip_prefix(':').unwrap_or(rest);
        let minutes: Option<i32> = after.get(..2).and_then(|digits| digits.parse().ok());
        self.offset = Some(sign * (hours * 3600 + minutes.unwrap_or(0) * 60));
        Some(if minutes.is_some() {
            after.get(2..)?
        } else {
            rest
        })
    }

    fn time(self, tz: TimeZone) -> Option<Zoned> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let civil = DateTime::new(
            self.year,
            self.month,
            self.day,
            hour,
            self.minute,
            self.second,
            self.nanos,
        )
        .ok()?;
        let tz = match self.offset {
            Some(0) => TimeZone::UTC,
            Some(seconds) => TimeZone::fixed(Offset::from_seconds(seconds).ok()?),
            None => tz,
        };
        civil.to_zoned_datetime(tz).ok()
    }
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
