//! How one element of a layout is written.

use jiff::ZonedDateTime as Zoned;
use jiff::tz::Offset;

use super::parts::{Pad, Part};
use super::{DAYS, MONTHS};

pub(super) fn part(time: &Zoned, part: Part) -> String {
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
