//! Cron expressions: what they mean and when they fire next.
//!
//! Five fields are minute, hour, day of month, month, day of week; a sixth is the year; with seven the first is
//! the second. `*`, `?`, lists, ranges, steps (`5/15` runs from 5 to the end), names, `L`, `LW`, `15W`, `5L`,
//! `5#3`, and `@yearly @annually @monthly @weekly @daily @hourly`. A day matches when either day field does,
//! when both are given. Times that a change of clocks skips are skipped, those that it repeats fire twice.

mod days;
mod field;
mod next;
#[cfg(test)]
mod tests;

use caravan_model::UnixNanos;
use days::Days;
use field::{Field, Spec};

/// Why a cron expression or time zone is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Fewer than five fields.
    #[error(
        "missing field(s) in cron expression {0:?}: at least minute, hour, day of month, month and day of week"
    )]
    MissingFields(String),
    /// A field is not understood.
    #[error("syntax error in {field} field: {text:?}")]
    Syntax {
        /// Which field.
        field: &'static str,
        /// The part of it.
        text: String,
    },
    /// Not a name of the time zone database.
    #[error("unknown time zone {0}")]
    TimeZone(String),
}

/// An expression, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: Days,
    months: u64,
    years: std::collections::BTreeSet<i16>,
}

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is not understood.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let lower = text.trim().to_ascii_lowercase();
        let expression = expand(&lower);
        let mut fields: Vec<&str> = expression.split_whitespace().collect();
        match fields.len() {
            0..=4 => return Err(CronError::MissingFields(text.to_owned())),
            5 => {
                fields.insert(0, "0");
                fields.push("*");
            }
            6 => fields.insert(0, "0"),
            _ => {}
        }
        let years = field::parse(&field::YEAR, fields[6])?;
        Ok(Self {
            seconds: bits(&field::parse(&field::SECOND, fields[0])?),
            minutes: bits(&field::parse(&field::MINUTE, fields[1])?),
            hours: bits(&field::parse(&field::HOUR, fields[2])?),
            days: Days::parse(fields[3], fields[5])?,
            months: bits(&field::parse(&field::MONTH, fields[4])?),
            years: years
                .iter()
                .filter_map(|year| i16::try_from(*year).ok())
                .collect(),
        })
    }

    /// When it fires next, strictly after a time; never when no year up to 2099 has such a time.
    #[must_use]
    pub fn next(&self, zone: &Zone, after: UnixNanos) -> Option<UnixNanos> {
        next::next(self, zone, after)
    }
}

/// A time zone of the database that comes with the program, so that every server decides alike.
#[derive(Debug, Clone)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// Finds a zone by its IANA name. Nothing and `Local` are UTC: servers do not ask their machines.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn find(name: &str) -> Result<Self, CronError> {
        if matches!(name, "" | "UTC" | "Local") {
            return Ok(Self(jiff::tz::TimeZone::UTC));
        }
        let found = jiff::tz::TimeZoneDatabase::bundled().get(name);
        found
            .map(Self)
            .map_err(|_| CronError::TimeZone(name.to_owned()))
    }
}

/// When an expression fires next in a zone; never when either is not understood.
#[must_use]
pub fn next(expression: &str, zone: &str, after: UnixNanos) -> Option<UnixNanos> {
    Cron::parse(expression)
        .ok()?
        .next(&Zone::find(zone).ok()?, after)
}

fn expand(text: &str) -> &str {
    match text {
        "@yearly" | "@annually" => "0 0 0 1 1 * *",
        "@monthly" => "0 0 0 1 * * *",
        "@weekly" => "0 0 0 * * 0 *",
        "@daily" => "0 0 0 * * * *",
        "@hourly" => "0 0 * * * * *",
        other => other,
    }
}

fn bits(values: &[u16]) -> u64 {
    values.iter().fold(0, |set, value| set | 1 << value)
}

fn syntax(spec: &Spec, text: &str) -> CronError {
    CronError::Syntax {
        field: spec.name,
        text: text.to_owned(),
    }
}

impl Field {
    /// The values of a field that may not hold anything but values.
    fn values(self, spec: &Spec, text: &str) -> Result<Vec<u16>, CronError> {
        match self {
            Self::Every => Ok((spec.low..=spec.high).collect()),
            Self::Values(values) => Ok(values),
            Self::Special => Err(syntax(spec, text)),
        }
    }
}
