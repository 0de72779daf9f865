//! Durations, sizes, port and core ranges as people write them.

use std::collections::BTreeSet;
use std::time::Duration;

/// A Go duration: `1h30m`, `250ms`, `1.5s`, `0`. Negative ones are refused: no setting has a use for one.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let bad =
        || format!("{text:?} is not a duration; write one such as \"30s\", \"5m\" or \"1h30m\"");
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(bad());
    }
    if rest.starts_with('-') {
        return Err(format!("{text:?} is negative"));
    }
    let mut nanos = 0f64;
    let mut exact = 0u128;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(bad)?;
        let (amount, tail) = rest.split_at(digits);
        let end = tail
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let scale: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(bad()),
        };
        match amount.parse::<u64>() {
            Ok(whole) => exact += u128::from(whole) * scale,
            Err(_) => nanos += amount.parse::<f64>().map_err(|_| bad())? * scale as f64,
        }
        rest = tail;
    }
    let total = exact + nanos.round() as u128;
    u64::try_from(total)
        .ok()
        .filter(|total| *total <= i64::MAX as u64)
        .map(Duration::from_nanos)
        .ok_or_else(bad)
}

/// The text of a duration as Go prints it: `1h0m0s`, `1.5s`, `250ms`, `0s`.
pub fn duration_text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".into();
    }
    if nanos < 1_000_000_000 {
        return match nanos {
            1_000_000.. => format!("{}ms", nanos as f64 / 1e6),
            1_000.. => format!("{}µs", nanos as f64 / 1e3),
            _ => format!("{nanos}ns"),
        };
    }
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = (seconds % 60) as f64 + f64::from(duration.subsec_nanos()) / 1e9;
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// A number of bytes, written as `100GB`, `64MiB`, `1M` or a plain number. Units are powers of 1,000
/// with `B`, of 1,024 with `iB`; a bare letter counts as the latter's decimal name does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub u64);

pub fn parse_bytes(text: &str) -> Result<Bytes, String> {
    let bad = || format!("{text:?} is not a size; write one such as \"100GB\" or \"64MiB\"");
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (amount, unit) = trimmed.split_at(digits);
    let scale: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(bad()),
    };
    if let Ok(whole) = amount.parse::<u64>() {
        return whole.checked_mul(scale).map(Bytes).ok_or_else(bad);
    }
    amount
        .parse::<f64>()
        .map(|amount| Bytes((amount * scale as f64) as u64))
        .map_err(|_| bad())
}

/// `0-3,7` as the numbers it names; used for ports and for CPU cores.
pub fn parse_ranges(text: &str) -> Result<BTreeSet<u16>, String> {
    let mut numbers = BTreeSet::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let number = |text: &str| {
            text.trim()
                .parse::<u16>()
                .map_err(|_| format!("{part:?} is not a number or a range of numbers up to 65535"))
        };
        match part.split_once('-') {
            None => drop(numbers.insert(number(part)?)),
            Some((low, high)) => {
                let (low, high) = (number(low)?, number(high)?);
                if low > high {
                    return Err(format!("the range {part:?} runs backwards"));
                }
                numbers.extend(low..=high);
            }
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanos) in [
            ("30s", 30_000_000_000u64),
            ("1h30m", 5_400_000_000_000),
            ("1.5s", 1_500_000_000),
            ("250ms", 250_000_000),
            ("0", 0),
            ("7us", 7_000),
            ("87600h", 315_360_000_000_000_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_nanos(nanos)),
                "{text}"
            );
        }
        for text in ["", "30", "s", "1x", "-1s", "1s2", "9999999999h", "1..2s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        for text in ["1h0m0s", "5m0s", "1.5s", "250ms", "0s", "24h0m0s", "1m30s"] {
            assert_eq!(duration_text(parse_duration(text).expect("valid")), text);
        }
    }

    #[test]
    fn sizes_and_ranges() {
        assert_eq!(parse_bytes("100GB"), Ok(Bytes(100_000_000_000)));
        assert_eq!(parse_bytes("64MiB"), Ok(Bytes(64 << 20)));
        assert_eq!(parse_bytes("1M"), Ok(Bytes(1_000_000)));
        assert!(parse_bytes("lots").is_err());
        assert_eq!(parse_ranges("1-3, 7"), Ok(BTreeSet::from([1, 2, 3, 7])));
        assert_eq!(parse_ranges(""), Ok(BTreeSet::new()));
        for text in ["3-1", "x", "70000", "1--2"] {
            assert!(parse_ranges(text).is_err(), "{text}");
        }
    }
}
