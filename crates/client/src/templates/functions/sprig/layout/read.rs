//! How the elements of a layout are read, one after the other.

use jiff::ZonedDateTime as Zoned;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::parts::Part;
use super::{DAYS, MONTHS};

/// What was read so far; the beginning of the year 1 where nothing says otherwise.
pub(super) struct Found {
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
    pub(super) fn take<'a>(&mut self, part: Part, rest: &'a str) -> Option<&'a str> {
        match part {
            Part::Text(c) => rest.strip_prefix(c),
            Part::LongDay => Some(name(&DAYS, false, rest)?.1),
            Part::Weekday => Some(name(&DAYS, true, rest)?.1),
            Part::LongMonth | Part::Month => {
                let (month, rest) = name(&MONTHS, part == Part::Month, rest)?;
                self.month = month;
                Some(rest)
            }
            Part::NumMonth(_) => two_digits(rest, &mut self.month),
            Part::Day(_) => two_digits(rest, &mut self.day),
            Part::Hour | Part::Hour12(_) => two_digits(rest, &mut self.hour),
            Part::Minute(_) => two_digits(rest, &mut self.minute),
            Part::Second(_) => two_digits(rest, &mut self.second),
            Part::DayOfYear => Some(number(rest, 3)?.1),
            Part::Year => {
                let (year, rest) = number(rest, 4)?;
                self.year = year;
                Some(rest)
            }
            Part::ShortYear => {
                let (year, rest) = number(rest, 2)?;
                self.year = if year < 69 { 2000 + year } else { 1900 + year };
                Some(rest)
            }
            Part::Half(_) => {
                self.afternoon = Some(rest.get(..2)?.eq_ignore_ascii_case("pm"));
                rest.get(2..)
            }
            Part::ZoneName => Some(self.zone_name(rest)),
            Part::Zone { .. } => self.zone(rest),
            Part::Fraction(..) => self.fraction(rest),
        }
    }

    fn fraction<'a>(&mut self, rest: &'a str) -> Option<&'a str> {
        let Some(fraction) = rest.strip_prefix('.') else {
            return Some(rest);
        };
        let (digits, rest) = digits(fraction, 9);
        self.nanos = format!("{digits:0<9}").parse().ok()?;
        Some(rest)
    }

    fn zone_name<'a>(&mut self, rest: &'a str) -> &'a str {
        let length = rest.bytes().take_while(u8::is_ascii_uppercase).count();
        let (name, rest) = rest.split_at(length);
        if name == "UTC" || name == "GMT" {
            self.offset.get_or_insert(0);
        }
        rest
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

    pub(super) fn time(self, tz: TimeZone) -> Option<Zoned> {
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

/// The digits that the text begins with, so many at the most, and what is behind them.
fn digits(text: &str, most: usize) -> (&str, &str) {
    let length = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    text.split_at(length)
}

fn number(text: &str, most: usize) -> Option<(i16, &str)> {
    let (digits, rest) = digits(text.trim_start_matches(' '), most);
    Some((digits.parse().ok()?, rest))
}

fn two_digits<'a>(text: &'a str, into: &mut i8) -> Option<&'a str> {
    let (number, rest) = number(text, 2)?;
    *into = i8::try_from(number).ok()?;
    Some(rest)
}

/// Which of the names the text begins with, counted from 1, and what is behind it; of short ones three letters.
fn name<'a>(names: &[&str], short: bool, text: &'a str) -> Option<(i8, &'a str)> {
    names.iter().zip(1_i8..).find_map(|(name, number)| {
        let name = if short { name.get(..3)? } else { name };
        Some((number, text.strip_prefix(name)?))
    })
}
