//! What fires when, in plain text.

use super::*;

fn time(text: &str) -> UnixNanos {
    let timestamp: jiff::Timestamp = text.parse().expect("a time");
    UnixNanos(timestamp.as_second() * 1_000_000_000)
}

fn show(time: Option<UnixNanos>) -> String {
    time.map_or("never".to_owned(), |time| {
        caravan_model::Timestamp::from(time).to_string()
    })
}

/// Checks each expected time against the one before.
#[track_caller]
fn check(expression: &str, zone: &str, after: &str, expected: &[&str]) {
    let cron = Cron::parse(expression).expect("an expression");
    let zone = Zone::find(zone).expect("a zone");
    let mut last = time(after);
    for expected in expected {
        let found = cron.next(&zone, last);
        assert_eq!(
            show(found),
            *expected,
            "{expression} after {}",
            show(Some(last))
        );
        last = found.unwrap_or(last);
    }
}

#[test]
fn five_fields() {
    check(
        "*/15 * * * *",
        "",
        "2024-01-01T00:07:30Z",
        &["2024-01-01T00:15:00Z", "2024-01-01T00:30:00Z"],
    );
    check(
        "0 22 * * 1-5",
        "",
        "2024-01-05T22:00:00Z",
        &["2024-01-08T22:00:00Z"],
    );
    check(
        "5/15 * * * *",
        "",
        "2024-01-01T00:50:00Z",
        &["2024-01-01T01:05:00Z", "2024-01-01T01:20:00Z"],
    );
    check(
        "0 0 1,15 * ?",
        "",
        "2024-01-01T00:00:00Z",
        &["2024-01-15T00:00:00Z", "2024-02-01T00:00:00Z"],
    );
    check(
        "10-30/10 8 * * *",
        "",
        "2024-01-01T08:20:00Z",
        &["2024-01-01T08:30:00Z", "2024-01-02T08:10:00Z"],
    );
}

#[test]
fn six_fields_end_with_the_year_and_seven_begin_with_the_second() {
    check(
        "0 0 1 1 * 2030",
        "",
        "2024-05-01T00:00:00Z",
        &["2030-01-01T00:00:00Z", "never"],
    );
    check(
        "0 0 1 1 * 2030/2",
        "",
        "2031-05-01T00:00:00Z",
        &["2032-01-01T00:00:00Z"],
    );
    check(
        "*/20 * * * * * *",
        "",
        "2024-01-01T00:00:20Z",
        &["2024-01-01T00:00:40Z", "2024-01-01T00:01:00Z"],
    );
    check(
        "0 0 1 1 * 2098-2099",
        "",
        "2099-05-01T00:00:00Z",
        &["never"],
    );
}

#[test]
fn descriptors() {
    for (text, expected) in [
        ("@yearly", "2025-01-01T00:00:00Z"),
        ("@annually", "2025-01-01T00:00:00Z"),
        ("@monthly", "2024-06-01T00:00:00Z"),
        ("@weekly", "2024-05-19T00:00:00Z"),
        ("@daily", "2024-05-16T00:00:00Z"),
        ("@hourly", "2024-05-15T13:00:00Z"),
    ] {
        check(text, "", "2024-05-15T12:30:00Z", &[expected]);
    }
}

#[test]
fn names_in_any_case_and_length() {
    check(
        "0 0 * JAN-mar Mon,friday",
        "",
        "2024-03-26T00:00:00Z",
        &["2024-03-29T00:00:00Z", "2025-01-03T00:00:00Z"],
    );
    check(
        "0 0 * december sun",
        "",
        "2024-03-26T00:00:00Z",
        &["2024-12-01T00:00:00Z"],
    );
}

#[test]
fn sunday_is_both_0_and_7() {
    for text in ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun"] {
        check(text, "", "2024-05-15T00:00:00Z", &["2024-05-19T00:00:00Z"]);
    }
    check(
        "0 0 * * 5-7",
        "",
        "2024-05-16T00:00:00Z",
        &[
            "2024-05-17T00:00:00Z",
            "2024-05-18T00:00:00Z",
            "2024-05-19T00:00:00Z",
            "2024-05-24T00:00:00Z",
        ],
    );
}

#[test]
fn either_day_field_will_do_when_both_are_given() {
    check(
        "0 0 13 * 5",
        "",
        "2024-05-11T00:00:00Z",
        &["2024-05-13T00:00:00Z", "2024-05-17T00:00:00Z"],
    );
    check(
        "0 0 13 * *",
        "",
        "2024-05-14T00:00:00Z",
        &["2024-06-13T00:00:00Z"],
    );
    check(
        "0 0 ? * 5",
        "",
        "2024-05-11T00:00:00Z",
        &["2024-05-17T00:00:00Z"],
    );
}

#[test]
fn last_days_and_nearest_weekdays() {
    check(
        "0 0 L * *",
        "",
        "2024-02-01T00:00:00Z",
        &["2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z"],
    );
    // 31 March 2024 is a Sunday.
    check(
        "0 0 LW * *",
        "",
        "2024-03-01T00:00:00Z",
        &["2024-03-29T00:00:00Z", "2024-04-30T00:00:00Z"],
    );
    // 15 June 2024 is a Saturday, 15 September a Sunday.
    check(
        "0 0 15W 6,9 *",
        "",
        "2024-06-01T00:00:00Z",
        &["2024-06-14T00:00:00Z", "2024-09-16T00:00:00Z"],
    );
    // 1 June 2024 is a Saturday: the month is not left.
    check(
        "0 0 1W 6 *",
        "",
        "2024-05-25T00:00:00Z",
        &["2024-06-03T00:00:00Z"],
    );
    check(
        "0 0 31W * *",
        "",
        "2024-03-30T00:00:00Z",
        &["2024-05-31T00:00:00Z"],
    );
    check(
        "0 0 * * 5L",
        "",
        "2024-05-01T00:00:00Z",
        &["2024-05-31T00:00:00Z", "2024-06-28T00:00:00Z"],
    );
    check(
        "0 0 * * 5#3",
        "",
        "2024-05-01T00:00:00Z",
        &["2024-05-17T00:00:00Z", "2024-06-21T00:00:00Z"],
    );
    check(
        "0 0 * * wed#5",
        "",
        "2024-05-01T00:00:00Z",
        &["2024-05-29T00:00:00Z", "2024-07-31T00:00:00Z"],
    );
}

#[test]
fn rare_and_impossible_days() {
    check(
        "0 0 29 2 *",
        "",
        "2024-03-01T00:00:00Z",
        &["2028-02-29T00:00:00Z"],
    );
    check("0 0 30 2 *", "", "2024-01-01T00:00:00Z", &["never"]);
    check(
        "0 0 30 2 *",
        "America/New_York",
        "2024-01-01T00:00:00Z",
        &["never"],
    );
    check(
        "0 0 29 2 * 2096",
        "Europe/Berlin",
        "2024-01-01T00:00:00Z",
        &["2096-02-28T23:00:00Z"],
    );
}

#[test]
fn a_skipped_hour_is_skipped() {
    // New York goes from 2:00 to 3:00 on 10 March 2024.
    check(
        "30 2 * * *",
        "America/New_York",
        "2024-03-09T12:00:00Z",
        &["2024-03-11T06:30:00Z"],
    );
    check(
        "0 * * * *",
        "America/New_York",
        "2024-03-10T06:00:00Z",
        &["2024-03-10T07:00:00Z", "2024-03-10T08:00:00Z"],
    );
    check(
        "30 2 10 3 *",
        "America/New_York",
        "2024-03-01T12:00:00Z",
        &["2025-03-10T06:30:00Z"],
    );
}

#[test]
fn a_repeated_hour_fires_twice() {
    // New York goes from 2:00 back to 1:00 on 3 November 2024.
    check(
        "30 1 * * *",
        "America/New_York",
        "2024-11-02T12:00:00Z",
        &[
            "2024-11-03T05:30:00Z",
            "2024-11-03T06:30:00Z",
            "2024-11-04T06:30:00Z",
        ],
    );
    check(
        "30 1 3 11 *",
        "America/New_York",
        "2024-11-03T05:45:00Z",
        &["2024-11-03T06:30:00Z", "2025-11-03T06:30:00Z"],
    );
    check(
        "30 1 3 11 * 2024",
        "America/New_York",
        "2024-11-03T05:45:00Z",
        &["2024-11-03T06:30:00Z", "never"],
    );
}

#[test]
fn zones() {
    check(
        "0 8 * * *",
        "Europe/Berlin",
        "2024-01-10T12:00:00Z",
        &["2024-01-11T07:00:00Z"],
    );
    check(
        "0 8 * * *",
        "Asia/Kolkata",
        "2024-01-10T12:00:00Z",
        &["2024-01-11T02:30:00Z"],
    );
    check(
        "0 8 * * *",
        "Local",
        "2024-01-10T12:00:00Z",
        &["2024-01-11T08:00:00Z"],
    );
    assert_eq!(
        Zone::find("Europe/Nowhere")
            .map(|_| ())
            .unwrap_err()
            .to_string(),
        "unknown time zone Europe/Nowhere"
    );
    assert_eq!(next("* * * * *", "Europe/Nowhere", UnixNanos(0)), None);
}

#[test]
fn a_range_may_be_of_one() {
    check(
        "0 5-5 * * *",
        "UTC",
        "2024-01-10T12:00:00Z",
        &["2024-01-11T05:00:00Z"],
    );
}

#[test]
fn what_is_not_understood() {
    for text in [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "*/70 * * * *",
        "5-2 * * * *",
        "a * * * *",
        "1-b * * * *",
        "L * * * *",
        "* * * * L",
        "* * * * 5#6",
        "* * * * 5#0",
        "* * W * *",
        "* * 32W * *",
        "* * * jam *",
        "* * * * * 1969",
        "+5 * * * *",
        "@never",
        ", * * * *",
        "5/ * * * *",
    ] {
        assert!(Cron::parse(text).is_err(), "{text}");
    }
    assert_eq!(
        Cron::parse("0 24 * * *").unwrap_err().to_string(),
        "syntax error in hour field: \"24\""
    );
}
