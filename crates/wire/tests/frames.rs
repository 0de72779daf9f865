//! Frames as other releases see them: committed bytes, added and dropped fields, damage.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use caravan_wire::{Format, HEADER_LEN, WireError, pack, unpack};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

const RECORD: Format = Format {
    name: "test record",
    kind: 0x0107,
    version: 2,
    limit: 1024,
};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Old {
    name: String,
    count: u32,
}

/// A later release: `count` is gone, `tags` and `weight` are new.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct New {
    name: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
}

/// `Old { name: "web", count: 3 }` as the first release wrote it.
const FIXTURE: &[u8] = &[
    0x01, 0x07, 0x00, 0x02, 0x00, 0x00, 0x00, 0x11, 0x90, 0x5c, 0x82, 0xb7, // header
    0x82, 0xa4, b'n', b'a', b'm', b'e', 0xa3, b'w', b'e', b'b', // name
    0xa5, b'c', b'o', b'u', b'n', b't', 0x03, // count
];

fn old() -> Old {
    Old {
        name: "web".into(),
        count: 3,
    }
}

#[test]
fn the_bytes_of_a_frame_do_not_change() {
    assert_eq!(RECORD.encode(&old()).unwrap(), FIXTURE);
    assert_eq!(RECORD.decode::<Old>(FIXTURE).unwrap(), old());
}

#[test]
fn a_new_release_reads_old_records() {
    let new: New = RECORD.decode(FIXTURE).unwrap();
    assert_eq!(
        new,
        New {
            name: "web".into(),
            tags: vec![],
            weight: None
        }
    );
}

#[test]
fn an_old_release_skips_fields_that_it_does_not_know() {
    #[derive(Serialize)]
    struct Newest<'a> {
        nested: Vec<(u8, Option<&'a str>)>,
        name: &'a str,
        count: u32,
        weight: f64,
    }
    let bytes = RECORD
        .encode(&Newest {
            nested: vec![(1, Some("x"))],
            name: "web",
            count: 3,
            weight: 0.5,
        })
        .unwrap();
    assert_eq!(RECORD.decode::<Old>(&bytes).unwrap(), old());
}

#[test]
fn a_dropped_field_without_default_is_named() {
    let bytes = RECORD
        .encode(&New {
            name: "web".into(),
            tags: vec![],
            weight: None,
        })
        .unwrap();
    let error = RECORD.decode::<Old>(&bytes).unwrap_err().to_string();
    assert!(
        error.contains("test record") && error.contains("count"),
        "{error}"
    );
}

#[test]
fn every_flipped_bit_is_refused() {
    for at in 0..FIXTURE.len() * 8 {
        let mut bytes = FIXTURE.to_vec();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(RECORD.decode::<Old>(&bytes).is_err(), "bit {at}");
    }
}

#[test]
fn every_truncation_is_refused() {
    for length in 0..FIXTURE.len() {
        assert!(
            matches!(
                RECORD.decode::<Old>(&FIXTURE[..length]),
                Err(WireError::Truncated { .. })
            ),
            "{length} bytes"
        );
    }
}

#[test]
fn a_longer_frame_is_refused() {
    let mut bytes = FIXTURE.to_vec();
    bytes.push(0);
    assert!(matches!(
        RECORD.decode::<Old>(&bytes),
        Err(WireError::TrailingBytes { .. })
    ));
}

#[test]
fn another_type_and_a_newer_layout_are_named() {
    let other = Format {
        kind: 0x0108,
        ..RECORD
    };
    assert!(matches!(
        other.decode::<Old>(FIXTURE),
        Err(WireError::WrongType {
            found: 0x0107,
            expected: 0x0108,
            ..
        })
    ));
    let older = Format {
        version: 1,
        ..RECORD
    };
    let error = older.decode::<Old>(FIXTURE).unwrap_err().to_string();
    assert!(error.contains("upgrade this agent"), "{error}");
}

#[test]
fn sizes_are_bounded_both_ways() {
    let small = Format {
        limit: 16,
        ..RECORD
    };
    assert!(matches!(
        small.encode(&old()),
        Err(WireError::TooLarge { limit: 16, .. })
    ));
    assert!(matches!(
        small.decode::<Old>(FIXTURE),
        Err(WireError::TooLarge {
            size: 17,
            limit: 16,
            ..
        })
    ));
    assert!(matches!(
        small.wrap(&[0; 17]),
        Err(WireError::TooLarge { size: 17, .. })
    ));
    // A length that lies must be refused before anything of that size is awaited.
    let mut lying = FIXTURE.to_vec();
    lying[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    assert!(matches!(
        RECORD.header(&lying),
        Err(WireError::TooLarge { .. })
    ));
}

#[test]
fn frames_follow_each_other() {
    let mut bytes = RECORD.wrap(b"one").unwrap();
    bytes.extend(RECORD.wrap(b"").unwrap());
    let (first, rest) = RECORD.split(&bytes).unwrap();
    let (second, rest) = RECORD.split(rest).unwrap();
    assert_eq!((first, second, rest.len()), (&b"one"[..], &b""[..], 0));
    assert_eq!(RECORD.header(&bytes).unwrap().length + HEADER_LEN, 15);
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(name in ".*", tags in prop::collection::vec(".*", 0..4), weight in prop::option::of(-1e9f64..1e9)) {
        let value = New { name, tags, weight };
        let bytes = pack("value", &value).unwrap();
        prop_assert_eq!(unpack::<New>("value", &bytes).unwrap(), value);
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = RECORD.decode::<New>(&bytes);
        let _ = unpack::<New>("value", &bytes);
    }
}
