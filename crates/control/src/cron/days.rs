//! The two day fields: which days of a month match.

use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, Field, part, value};
use super::{CronError, syntax};
use jiff::civil::{Date, Weekday};

/// What the day fields ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Days {
    /// None when every day of the month will do.
    of_month: Option<OfMonth>,
    /// None when every day of the week will do.
    of_week: Option<OfWeek>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct OfMonth {
    /// Bit 1 is the first.
    days: u64,
    /// `15W`: bit 15; the weekday nearest to it.
    near: u64,
    last: bool,
    /// `LW`.
    last_weekday: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct OfWeek {
    /// Bit 0 is Sunday.
    days: u64,
    /// `5L`: the last of the month.
    last: u64,
    /// `5#3`: bit 5 of entry 2; the third of the month.
    nth: [u64; 5],
}

impl Days {
    pub(super) fn parse(of_month: &str, of_week: &str) -> Result<Self, CronError> {
        Ok(Self {
            of_month: parse_of_month(of_month)?,
            of_week: parse_of_week(of_week)?,
        })
    }

    /// The days of the month of `first` that match, bit 1 for the first.
    pub(super) fn of(&self, first: Date) -> u64 {
        match (&self.of_month, &self.of_week) {
            (None, None) => !0,
            (Some(month), None) => month.of(first),
            (None, Some(week)) => week.of(first),
            (Some(month), Some(week)) => month.of(first) | week.of(first),
        }
    }
}

fn parse_of_month(text: &str) -> Result<Option<OfMonth>, CronError> {
    let mut wanted = OfMonth::default();
    for item in text.split(',') {
        match part(&DAY_OF_MONTH, item)? {
            Field::Every => return Ok(None),
            Field::Values(values) => wanted.days |= super::bits(&values),
            Field::Special => match (
                item,
                item.strip_suffix('w')
                    .and_then(|day| value(&DAY_OF_MONTH, day)),
            ) {
                ("l", _) => wanted.last = true,
                ("lw" | "wl", _) => wanted.last_weekday = true,
                (_, Some(day)) => wanted.near |= 1 << day,
                _ => return Err(syntax(&DAY_OF_MONTH, item)),
            },
        }
    }
    Ok(Some(wanted))
}

fn parse_of_week(text: &str) -> Result<Option<OfWeek>, CronError> {
    let mut wanted = OfWeek::default();
    for item in text.split(',') {
        match part(&DAY_OF_WEEK, item)? {
            Field::Every => return Ok(None),
            Field::Values(values) => values.iter().for_each(|day| wanted.days |= 1 << (day % 7)),
            Field::Special => {
                let error = || syntax(&DAY_OF_WEEK, item);
                let weekday = |text: &str| {
                    value(&DAY_OF_WEEK, text)
                        .map(|day| day % 7)
                        .ok_or_else(error)
                };
                if let Some((day, nth)) = item.split_once('#') {
                    let nth: usize = nth.parse().map_err(|_| error())?;
                    let entry = nth.checked_sub(1).and_then(|nth| wanted.nth.get_mut(nth));
                    *entry.ok_or_else(error)? |= 1 << weekday(day)?;
                } else {
                    wanted.last |= 1 << weekday(item.strip_suffix('l').ok_or_else(error)?)?;
                }
            }
        }
    }
    Ok(Some(wanted))
}

/// Bit 0 is Sunday.
fn weekday_bit(day: i8, first: Weekday) -> u64 {
    1 << ((i64::from(first.to_sunday_zero_offset()) + i64::from(day) - 1) % 7)
}

const WEEKEND: u64 = 1 | 1 << 6;

impl OfMonth {
    fn of(&self, first: Date) -> u64 {
        let length = first.days_in_month();
        let mut days = self.days;
        if self.last {
            days |= 1 << length;
        }
        if self.last_weekday {
            days |= 1 << nearest_weekday(length, first);
        }
        for day in (1..=length).filter(|day| self.near & 1 << day != 0) {
            days |= 1 << nearest_weekday(day, first);
        }
        days
    }
}

/// The weekday nearest to a day, within its month.
fn nearest_weekday(day: i8, first: Date) -> i8 {
    let works = |day: i8| weekday_bit(day, first.weekday()) & WEEKEND == 0;
    let within = |day: &i8| (1..=first.days_in_month()).contains(day);
    [0, -1, 1, -2, 2]
        .iter()
        .map(|step| day + step)
        .filter(within)
        .find(|day| works(*day))
        .unwrap_or(day)
}

impl OfWeek {
    fn of(&self, first: Date) -> u64 {
        let length = first.days_in_month();
        let matches = |day: i8| {
            let bit = weekday_bit(day, first.weekday());
            let nth = usize::try_from((day - 1) / 7).unwrap_or_default();
            self.days & bit != 0
                || self.nth[nth] & bit != 0
                || (day + 7 > length && self.last & bit != 0)
        };
        (1..=length)
            .filter(|day| matches(*day))
            .fold(0, |days, day| days | 1 << day)
    }
}
