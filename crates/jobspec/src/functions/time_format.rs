//! The date formats of `formatdate`.

use super::time::Moment;

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
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Repeated letters stand for parts of the time, text in single quotes for itself.
pub(super) fn format(format: &str, moment: &Moment) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = format;
    while let Some(letter) = rest.chars().next() {
        if letter == '\'' {
            rest = quoted(&rest[1..], &mut out)?;
            continue;
        }
        let length = rest.chars().take_while(|other| *other == letter).count();
        let token = &rest[..length * letter.len_utf8()];
        rest = &rest[token.len()..];
        match letter.is_ascii_alphabetic() {
            true => out += &part(token, moment)?,
            false => out += token,
        }
    }
    Ok(out)
}

/// Text up to the closing quote; two quotes are one.
fn quoted<'a>(text: &'a str, out: &mut String) -> Result<&'a str, String> {
    if let Some(rest) = text.strip_prefix('\'') {
        out.push('\'');
        return Ok(rest);
    }
    let mut rest = text;
    loop {
        let Some(end) = rest.find('\'') else {
            return Err("unterminated literal '".to_owned());
        };
        out.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(more) => {
                out.push('\'');
                rest = more;
            }
            None => return Ok(rest),
        }
    }
}

fn part(token: &str, moment: &Moment) -> Result<String, String> {
    let hour12 = match moment.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if moment.hour < 12 { "AM" } else { "PM" };
    let month = MONTHS[(moment.month - 1) as usize];
    let day = DAYS[moment.weekday()];
    Ok(match token {
        "YYYY" => format!("{:04}", moment.year),
        "YY" => format!("{:02}", moment.year.rem_euclid(100)),
        "MMMM" => month.to_owned(),
        "MMM" => month[..3].to_owned(),
        "MM" => format!("{:02}", moment.month),
        "M" => moment.month.to_string(),
        "DD" => format!("{:02}", moment.day),
        "D" => moment.day.to_string(),
        "EEEE" => day.to_owned(),
        "EEE" => day[..3].to_owned(),
        "hh" => format!("{:02}", moment.hour),
        "h" => moment.hour.to_string(),
        "HH" => format!("{hour12:02}"),
        "H" => hour12.to_string(),
        "AA" => half.to_owned(),
        "aa" => half.to_lowercase(),
        "mm" => format!("{:02}", moment.minute),
        "m" => moment.minute.to_string(),
        "ss" => format!("{:02}", moment.second),
        "s" => moment.second.to_string(),
        "Z" => moment.zone(true, ":"),
        "ZZZ" if moment.offset == 0 => "UTC".to_owned(),
        "ZZZ" | "ZZZZ" => moment.zone(false, ""),
        "ZZZZZ" => moment.zone(false, ":"),
        other => return Err(unknown(other)),
    })
}

fn unknown(token: &str) -> String {
    let hint = match token.as_bytes().first() {
        Some(b'Y') => "must be YY or YYYY",
        Some(b'M') => "must be M, MM, MMM, or MMMM",
        Some(b'D') => "must be D or DD",
        Some(b'E') => "must be EEE or EEEE",
        Some(b'h' | b'H') => "must be h, hh, H or HH",
        Some(b'A' | b'a') => "must be AA or aa",
        Some(b'm') => "must be m or mm",
        Some(b's') => "must be s or ss",
        Some(b'Z') => "must be Z, ZZZ, ZZZZ, or ZZZZZ",
        _ => "literal text must be in single quotes",
    };
    format!("invalid format verb {token:?}: {hint}")
}
