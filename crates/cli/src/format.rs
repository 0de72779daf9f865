//! Times, sizes and ids as people read them.

use caravan_model::Duration;
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// Now, in nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    })
}

/// Nanoseconds since 1970 of a number or a text in an answer; 0 for never.
pub(crate) fn nanos(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number.as_i64().unwrap_or_default(),
        Value::String(text) if text.starts_with("0001-01-01") => 0,
        Value::String(text) => text.parse::<jiff::Timestamp>().map_or(0, |time| {
            i64::try_from(time.as_nanosecond()).unwrap_or_default()
        }),
        _ => 0,
    }
}

/// A moment in the local time zone; nothing for never.
pub(crate) fn time(nanos: i64) -> String {
    time_in(nanos, &jiff::tz::TimeZone::system())
}

/// The same in a time zone of this name; a name that is none stands for UTC.
pub(crate) fn time_of_zone(nanos: i64, name: &str) -> String {
    let zone = jiff::tz::TimeZone::get(name).unwrap_or(jiff::tz::TimeZone::UTC);
    time_in(nanos, &zone)
}

fn time_in(nanos: i64, zone: &jiff::tz::TimeZone) -> String {
    if nanos == 0 {
        return String::new();
    }
    let Ok(moment) = jiff::Timestamp::from_nanosecond(i128::from(nanos)) else {
        return String::new();
    };
    let local = zone
        .to_datetime(moment)
        .strftime("%Y-%m-%dT%H:%M:%S")
        .to_string();
    let offset = zone.to_offset(moment).seconds();
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    match offset {
        0 => format!("{local}Z"),
        _ => format!("{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60),
    }
}

/// A moment, or `N/A`.
pub(crate) fn time_or_na(nanos: i64) -> String {
    match nanos {
        0 => "N/A".to_owned(),
        _ => time(nanos),
    }
}

/// A moment as Go prints it when nobody formats it.
pub(crate) fn go_time(nanos: i64) -> String {
    let Ok(moment) = jiff::Timestamp::from_nanosecond(i128::from(nanos)) else {
        return String::new();
    };
    let utc = jiff::tz::TimeZone::UTC.to_datetime(moment);
    format!("{} +0000 UTC", utc.strftime("%Y-%m-%d %H:%M:%S%.f"))
}

/// How far a moment is from now: `5m ago`, `1h2s from now`; nothing for never.
pub(crate) fn ago(nanos: i64) -> String {
    ago_at(nanos, now())
}

/// See [`ago`].
pub(crate) fn ago_at(nanos: i64, now: i64) -> String {
    if nanos == 0 {
        return String::new();
    }
    let second = |n: i64| n.saturating_add(500_000_000).div_euclid(1_000_000_000);
    let mut left = second(now) - second(nanos);
    let suffix = if left < 0 { "from now" } else { "ago" };
    left = left.abs();
    const UNITS: [(&str, i64); 6] = [
        ("y", 360 * 86_400),
        ("mo", 30 * 86_400),
        ("d", 86_400),
        ("h", 3_600),
        ("m", 60),
        ("s", 1),
    ];
    let mut parts = Vec::new();
    for (unit, length) in UNITS {
        let count = left / length;
        left %= length;
        if count > 0 && parts.len() < 2 {
            parts.push(format!("{count}{unit}"));
        }
    }
    match parts.is_empty() {
        true => "0s ago".to_owned(),
        false => format!("{} {suffix}", parts.concat()),
    }
}

/// Until a moment, in Go's notation, to the second.
pub(crate) fn until(nanos: i64) -> String {
    let seconds = (nanos - now()) as f64 / 1e9;
    Duration((seconds.round() as i64).saturating_mul(1_000_000_000)).to_string()
}

/// Bytes: `300 MiB`, `6.3 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    if bytes < 10 {
        return format!("{bytes} B");
    }
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let power = ((bytes as f64).ln() / 1024f64.ln()).floor() as usize;
    let power = power.min(UNITS.len() - 1);
    let value = (bytes as f64 / 1024f64.powi(power as i32) * 10.0 + 0.5).floor() / 10.0;
    match value < 10.0 {
        true => format!("{value:.1} {}", UNITS[power]),
        false => format!("{value:.0} {}", UNITS[power]),
    }
}

/// MiB as bytes.
pub(crate) fn mib(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default() << 20
}

/// The first 8 characters unless everything is wanted.
pub(crate) fn id(id: &str, verbose: bool) -> String {
    match verbose {
        true => id.to_owned(),
        false => id.chars().take(8).collect(),
    }
}

/// A text as Go's `%q` writes it.
pub(crate) fn quoted(text: &str) -> String {
    caravan_codec::quote::quote(text)
}

/// Lines of at most `width` characters, broken between words.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// `1 allocation`, `2 allocations`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

/// What a part of an address reads as: `%2F` is a slash, `+` a space.
pub(crate) fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let code = match byte {
            b'%' => {
                let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                std::str::from_utf8(&digits)
                    .ok()
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            b'+' => Some(b' '),
            other => Some(other),
        };
        out.extend(code);
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_times_have_two_units_that_are_not_zero() {
        const S: i64 = 1_000_000_000;
        let now = 100_000_000 * S;
        for (back, text) in [
            (0, "0s ago"),
            (300, "5m ago"),
            (3602, "1h2s ago"),
            (4 * 86_400 + 36_000 + 5, "4d10h ago"),
            (312 * 86_400, "10mo12d ago"),
            (-150, "2m30s from now"),
        ] {
            assert_eq!(ago_at(now - back * S, now), text);
        }
        assert_eq!(ago_at(0, now), "");
    }

    #[test]
    fn moments_of_a_time_zone() {
        let moment = 1_800_000_000_000_000_000;
        for (zone, text) in [
            ("UTC", "2027-01-15T08:00:00Z"),
            ("America/New_York", "2027-01-15T03:00:00-05:00"),
            ("Asia/Kathmandu", "2027-01-15T13:45:00+05:45"),
            ("Nowhere", "2027-01-15T08:00:00Z"),
        ] {
            assert_eq!(time_of_zone(moment, zone), text);
        }
    }

    #[test]
    fn sizes_have_a_decimal_below_ten() {
        for (bytes, text) in [
            (0, "0 B"),
            (14, "14 B"),
            (6_606_028, "6.3 MiB"),
            (256 << 20, "256 MiB"),
            (4096 << 20, "4.0 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn go_prints_times_with_their_fraction() {
        assert_eq!(
            go_time(1_767_366_245_123_000_000),
            "2026-01-02 15:04:05.123 +0000 UTC"
        );
    }
}
