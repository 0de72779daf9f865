//! Functions of times.

use super::{Call, Fault, Outcome, time_format};
use crate::duration::parse_duration;
use crate::value::Value;

/// A time of the calendar with its distance from UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) nanos: i64,
    /// Minutes east of UTC.
    pub(super) offset: i64,
    pub(super) zulu: bool,
}

pub(super) fn formatdate(call: &mut Call<'_>) -> Outcome {
    let moment = Moment::parse(&call.text(1)).map_err(|why| Fault::Argument(1, why))?;
    Ok(Value::from(time_format::format(&call.text(0), &moment)?))
}

pub(super) fn timeadd(call: &mut Call<'_>) -> Outcome {
    let moment = Moment::parse(&call.text(0)).map_err(|why| Fault::Argument(0, why))?;
    let added = parse_duration(&call.text(1)).map_err(|why| Fault::Argument(1, why))?;
    let seconds = days(moment.year, moment.month, moment.day) * 86_400
        + moment.hour * 3600
        + moment.minute * 60
        + moment.second;
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(moment.nanos) + i128::from(added);
    let seconds = total.div_euclid(1_000_000_000) as i64;
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let sum = Moment {
        year,
        month,
        day,
        hour: of_day / 3600,
        minute: of_day / 60 % 60,
        second: of_day % 60,
        nanos: total.rem_euclid(1_000_000_000) as i64,
        ..moment
    };
    Ok(Value::from(sum.rfc3339()))
}

impl Moment {
    /// Reads `2024-02-29T13:04:05.5+02:00`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refuse = |why: String| Err(format!("not a valid RFC3339 timestamp: {why}"));
        let mut rest = text;
        let mut number = |name: &str, length: usize, before: &str| -> Result<i64, String> {
            if !before.is_empty() {
                match rest.strip_prefix(before) {
                    Some(after) => rest = after,
                    None if rest.is_empty() => {
                        return Err(format!(
                            "not a valid RFC3339 timestamp: end of string before {before:?}"
                        ));
                    }
                    None => {
                        return Err(format!(
                            "not a valid RFC3339 timestamp: found {rest:?} where {before:?} is expected"
                        ));
                    }
                }
            }
            let digits = rest
                .get(..length)
                .filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
            let Some(digits) = digits else {
                return Err(format!(
                    "not a valid RFC3339 timestamp: cannot use {rest:?} as {name}"
                ));
            };
            rest = &rest[length..];
            digits.parse().map_err(|_| "not a number".to_owned())
        };
        let (year, month, day) = (
            number("year", 4, "")?,
            number("month", 2, "-")?,
            number("day", 2, "-")?,
        );
        let (hour, minute) = (number("hour", 2, "T")?, number("minute", 2, ":")?);
        let second = number("second", 2, ":")?;
        let mut nanos = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
            let digits: String = fraction[..length]
                .chars()
                .chain("000000000".chars())
                .take(9)
                .collect();
            nanos = digits.parse().unwrap_or(0);
            rest = &fraction[length..];
        }
        let zulu = rest == "Z";
        let offset = match zulu {
            true => 0,
            false => {
                let sign = match rest.get(..1) {
                    Some("+") => 1,
                    Some("-") => -1,
                    _ => return refuse("missing UTC offset (use Z for UTC itself)".to_owned()),
                };
                let parsed = rest[1..].split_once(':').and_then(|(h, m)| {
                    let hours: i64 = h.parse().ok().filter(|hours| *hours < 24)?;
                    let minutes: i64 = m.parse().ok().filter(|minutes| *minutes < 60)?;
                    (h.len() == 2 && m.len() == 2).then_some(hours * 60 + minutes)
                });
                match parsed {
                    Some(minutes) => sign * minutes,
                    None => return refuse(format!("cannot use {rest:?} as UTC offset")),
                }
            }
        };
        let valid = (1..=12).contains(&month)
            && (1..=days_in(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !valid {
            return refuse("day, hour, minute or second is out of range".to_owned());
        }
        Ok(Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanos,
            offset,
            zulu,
        })
    }

    fn rfc3339(&self) -> String {
        let fraction = match self.nanos {
            0 => String::new(),
            nanos => format!(".{}", format!("{nanos:09}").trim_end_matches('0')),
        };
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}{}",
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.zone(true, ":")
        )
    }

    /// `Z`, when allowed and true, or `+02:00`.
    pub(super) fn zone(&self, zulu_allowed: bool, separator: &str) -> String {
        if zulu_allowed && self.offset == 0 {
            return "Z".to_owned();
        }
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.abs();
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
    }

    /// From 0 for Sunday.
    pub(super) fn weekday(&self) -> usize {
        (days(self.year, self.month, self.day) + 4).rem_euclid(7) as usize
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}
