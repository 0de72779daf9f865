//! What layouts are made of: the texts that stand for an element of a time, and what is between them.

/// The elements of layouts; of those that begin alike the longer comes first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
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
pub(super) enum Pad {
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

pub(super) fn parts(layout: &str) -> Vec<Part> {
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
