//! Times and durations in the shapes of the public JSON: no clock is read here.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A length of time in nanoseconds; an integer in JSON, `1m30s` in job files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Duration(pub i64);

/// A text that should have been a duration such as `1h30m` and was not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time: invalid duration {text:?}")]
pub struct InvalidDuration {
    /// What was given.
    pub text: String,
}

const UNITS: [(&str, i64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// This many seconds.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }

    /// This many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The length in nanoseconds.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// The length in seconds, with its fraction.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// As the standard library's type; negative lengths become zero.
    #[must_use]
    pub const fn to_std(self) -> std::time::Duration {
        if self.0 <= 0 {
            std::time::Duration::ZERO
        } else {
            std::time::Duration::from_nanos(self.0.unsigned_abs())
        }
    }

    /// Whether it is no time at all.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl From<std::time::Duration> for Duration {
    fn from(value: std::time::Duration) -> Self {
        Self(i64::try_from(value.as_nanos()).unwrap_or(i64::MAX))
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    /// Reads the text form: signed sequence of decimal numbers, each with a unit; `0` needs none.
    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        parse_duration(text)
            .map(Self)
            .ok_or_else(|| InvalidDuration {
                text: text.to_owned(),
            })
    }
}

fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number_len = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_len);
        let unit_len = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let scale = UNITS.iter().find(|(name, _)| *name == unit)?.1;
        total += scaled(number, scale)?;
        if total > i128::from(i64::MAX) {
            return None;
        }
        rest = tail;
    }
    let total = if negative { -total } else { total };
    i64::try_from(total).ok()
}

fn scaled(number: &str, scale: i64) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    if whole > i128::from(i64::MAX) {
        return None;
    }
    let mut total = whole * i128::from(scale);
    let mut place = i128::from(scale);
    for digit in fraction.bytes() {
        place /= 10;
        total += i128::from(digit - b'0') * place;
    }
    Some(total)
}

impl fmt::Display for Duration {
    /// The reference's text form: `1h0m0s`, `1.5s`, `250ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&go_text(self.0))
    }
}

fn go_text(nanos: i64) -> String {
    if nanos == 0 {
        return "0s".to_owned();
    }
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let digits = unit.ilog10() as usize;
        let text = format!("{}.{:0digits$}", value / unit, value % unit);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if n < 1_000 {
        return format!("{sign}{n}ns");
    }
    if n < 1_000_000 {
        return format!("{sign}{}µs", fraction(n, 1_000));
    }
    if n < 1_000_000_000 {
        return format!("{sign}{}ms", fraction(n, 1_000_000));
    }
    let seconds = fraction(n % 60_000_000_000, 1_000_000_000);
    let minutes = n / 60_000_000_000;
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, m) => format!("{sign}{m}m{seconds}s"),
        (h, m) => format!("{sign}{h}h{m}m{seconds}s"),
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Duration {
    /// Integer nanoseconds; text (`"30s"`) is taken too, and null is zero.
    ///
    /// It is read as a named type, so that a format can be stricter about durations than about numbers.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct("Duration", DurationVisitor)
    }
}

impl Duration {
    /// Reads a duration where text is as welcome as a number, whatever the format says of durations.
    ///
    /// # Errors
    /// Text that is not a duration.
    pub fn deserialize_lenient<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor)
    }
}

struct DurationVisitor;

impl<'de> serde::de::Visitor<'de> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nanoseconds, or a duration such as \"30s\"")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Duration, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Duration, E> {
        Ok(Duration(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Duration, E> {
        i64::try_from(value).map(Duration).map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Duration, E> {
        Ok(Duration(value as i64))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
        if text.is_empty() {
            Ok(Duration::ZERO)
        } else {
            text.parse().map_err(E::custom)
        }
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Duration, E> {
        Ok(Duration::ZERO)
    }
}

/// A point in time as integer nanoseconds since 1970 (UTC); zero means "never".
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixNanos(pub i64);

/// A point in time that is RFC 3339 text in JSON, with zero as `null`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp(pub i64);

macro_rules! instant {
    ($($name:ident),*) => {$(
        impl $name {
            /// The time that stands for "never".
            pub const ZERO: Self = Self(0);

            /// Whether it stands for "never".
            #[must_use]
            pub fn is_zero(&self) -> bool {
                self.0 == 0
            }

            /// The whole seconds since 1970.
            #[must_use]
            pub fn seconds(self) -> i64 {
                self.0.div_euclid(1_000_000_000)
            }

            /// How long after `earlier` this is; negative when before it.
            #[must_use]
            pub fn since(self, earlier: Self) -> Duration {
                Duration(self.0.saturating_sub(earlier.0))
            }
        }

        impl std::ops::Add<Duration> for $name {
            type Output = Self;
            fn add(self, length: Duration) -> Self {
                Self(self.0.saturating_add(length.0))
            }
        }

        impl std::ops::Sub<Duration> for $name {
            type Output = Self;
            fn sub(self, length: Duration) -> Self {
                Self(self.0.saturating_sub(length.0))
            }
        }
    )*};
}

instant!(UnixNanos, Timestamp);

impl From<UnixNanos> for Timestamp {
    fn from(time: UnixNanos) -> Self {
        Self(time.0)
    }
}

impl From<Timestamp> for UnixNanos {
    fn from(time: Timestamp) -> Self {
        Self(time.0)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, fraction without trailing zeros: `2026-11-21T09:30:26.482508991Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => f.write_str("0001-01-01T00:00:00Z"),
        }
    }
}

/// The text that stands for "never" where null is not written.
pub const ZERO_TIME_TEXT: &str = "0001-01-01T00:00:00Z";

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (serializer.is_human_readable(), self.0) {
            (true, 0) => serializer.serialize_none(),
            (true, _) => serializer.collect_str(self),
            (false, nanos) => serializer.serialize_i64(nanos),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time or null")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                if text.is_empty() || text == ZERO_TIME_TEXT {
                    return Ok(Timestamp::ZERO);
                }
                let time: jiff::Timestamp = text.parse().map_err(E::custom)?;
                i64::try_from(time.as_nanosecond())
                    .map(Timestamp)
                    .map_err(E::custom)
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Timestamp, E> {
                Ok(Timestamp(value))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Timestamp, E> {
                i64::try_from(value).map(Timestamp).map_err(E::custom)
            }
            fn visit_unit<E: serde::de::Error>(self) -> Result<Timestamp, E> {
                Ok(Timestamp::ZERO)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_the_reference_does() {
        for (text, nanos, printed) in [
            ("30s", 30_000_000_000, "30s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("250ms", 250_000_000, "250ms"),
            ("-2m", -120_000_000_000, "-2m0s"),
            ("0", 0, "0s"),
            ("1us", 1_000, "1µs"),
            ("24h", 86_400_000_000_000, "24h0m0s"),
        ] {
            let parsed: Duration = text.parse().unwrap();
            assert_eq!(parsed.0, nanos, "{text}");
            assert_eq!(parsed.to_string(), printed);
        }
        for bad in ["", "s", "3", "3x", "1.2.3s", "99999999999h", "-"] {
            assert!(bad.parse::<Duration>().is_err(), "{bad}");
        }
    }

    #[test]
    fn timestamps_are_rfc3339_with_null_for_never() {
        let text = "\"2026-11-21T09:30:26.482508991Z\"";
        let time: Timestamp = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&time).unwrap(), text);
        assert_eq!(serde_json::to_string(&Timestamp::ZERO).unwrap(), "null");
        assert!(
            serde_json::from_str::<Timestamp>("\"0001-01-01T00:00:00Z\"")
                .unwrap()
                .is_zero()
        );
        let bytes = caravan_codec::msgpack::pack(&time).unwrap();
        assert_eq!(
            caravan_codec::msgpack::unpack::<Timestamp>(&bytes).unwrap(),
            time
        );
    }
}
