//! Values there and back, against what other crates write; bytes that are no value.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::json;
use crate::msgpack::{pack, pack_into, unpack, unpack_first};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Row {
    flag: bool,
    small: u8,
    large: u64,
    below: i64,
    ratio: f64,
    name: String,
    letter: Option<char>,
    #[serde(with = "serde_bytes")]
    raw: Vec<u8>,
    counts: Vec<i32>,
    pair: (u16, Option<String>),
    inner: Option<Box<Row>>,
    by_name: BTreeMap<String, Kind>,
    shared: Arc<Kind>,
    nothing: (),
    mark: Mark,
    wrapped: Wrapped,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Mark;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Wrapped(u32);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Kind {
    #[default]
    Plain,
    Holds(String),
    Both(i8, f32),
    Fields {
        one: u32,
        more: Vec<Kind>,
    },
}

fn kind() -> impl Strategy<Value = Kind> {
    let leaf = prop_oneof![
        Just(Kind::Plain),
        ".{0,40}".prop_map(Kind::Holds),
        (any::<i8>(), -1e6f32..1e6).prop_map(|(a, b)| Kind::Both(a, b)),
    ];
    leaf.prop_recursive(3, 20, 20, |inner| {
        (any::<u32>(), prop::collection::vec(inner, 0..20))
            .prop_map(|(one, more)| Kind::Fields { one, more })
    })
}

prop_compose! {
    fn flat()(
        flag: bool, small: u8, large: u64, below: i64, ratio in -1e9f64..1e9, name in ".{0,300}",
        letter: Option<char>, raw in prop::collection::vec(any::<u8>(), 0..300),
        counts in prop::collection::vec(any::<i32>(), 0..40),
        pair in (any::<u16>(), prop::option::of(".{0,4}")),
        rest in (prop::collection::btree_map(".{0,5}", kind(), 0..4), kind(), any::<u32>()),
    ) -> Row {
        let (by_name, shared, wrapped) = rest;
        Row {
            flag, small, large, below, ratio, name, letter, raw, counts, pair, by_name,
            inner: None, shared: Arc::new(shared), nothing: (), mark: Mark, wrapped: Wrapped(wrapped),
        }
    }
}

fn row() -> impl Strategy<Value = Row> {
    (flat(), prop::option::of(flat())).prop_map(|(outer, inner)| Row {
        inner: inner.map(Box::new),
        ..outer
    })
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(row in row()) {
        let bytes = pack(&row).unwrap();
        prop_assert_eq!(&unpack::<Row>(&bytes).unwrap(), &row);
        prop_assert_eq!(rmp_serde::from_slice::<Row>(&bytes).unwrap(), row);
    }

    #[test]
    fn what_others_pack_is_unpacked(row in row()) {
        let bytes = rmp_serde::to_vec_named(&row).unwrap();
        prop_assert_eq!(unpack::<Row>(&bytes).unwrap(), row);
    }

    #[test]
    fn json_is_as_others_write_it(row in row()) {
        prop_assert_eq!(json::to_string(&row).unwrap(), serde_json::to_string(&row).unwrap());
        prop_assert_eq!(
            json::to_string_pretty(&row).unwrap(),
            serde_json::to_string_pretty(&row).unwrap()
        );
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = unpack::<Row>(&bytes);
        let _ = unpack::<Kind>(&bytes);
    }

    #[test]
    fn one_changed_byte_gives_a_row_or_an_error(row in row(), at: prop::sample::Index, byte: u8) {
        let mut bytes = pack(&row).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = unpack::<Row>(&bytes);
    }

    #[test]
    fn bytes_that_end_early_are_an_error(row in row(), end: prop::sample::Index) {
        let bytes = pack(&row).unwrap();
        prop_assert!(unpack::<Row>(&bytes[..end.index(bytes.len())]).is_err());
    }
}

/// Any shape of value, read without knowing what it is.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Any {
    Flag(bool),
    Whole(i64),
    Broken(f64),
    Text(String),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
    Nil(Option<()>),
}

#[test]
fn keys_of_json_are_texts() {
    let numbers = BTreeMap::from([(-7_i64, Kind::Plain)]);
    assert_eq!(json::to_string(&numbers).unwrap(), r#"{"-7":"Plain"}"#);
    let lists = BTreeMap::from([(vec![1_u8], true)]);
    let error = json::to_vec(&lists).unwrap_err();
    assert_eq!(error.to_string(), "key must be a string");
}

#[test]
fn lists_and_maps_may_be_of_any_length() {
    #[derive(Serialize)]
    struct Outer {
        list: Unknown<u32>,
        #[serde(flatten)]
        inner: BTreeMap<String, u32>,
    }
    struct Unknown<T>(Vec<T>);
    impl<T: Serialize> Serialize for Unknown<T> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq as _;
            let mut list = serializer.serialize_seq(None)?;
            self.0
                .iter()
                .try_for_each(|item| list.serialize_element(item))?;
            list.end()
        }
    }
    let inner: BTreeMap<_, _> = (0..70_000).map(|n| (n.to_string(), n)).collect();
    let bytes = pack(&Outer {
        list: Unknown((0..300).collect()),
        inner: inner.clone(),
    })
    .unwrap();
    #[derive(Deserialize)]
    struct Back {
        list: Vec<u32>,
        #[serde(flatten)]
        inner: BTreeMap<String, u32>,
    }
    let back: Back = unpack(&bytes).unwrap();
    assert_eq!(back.list, (0..300).collect::<Vec<_>>());
    assert_eq!(back.inner, inner);
}

/// Takes so many bytes, and tells how many came at a time.
struct Narrow {
    room: usize,
    bytes: Vec<u8>,
    most: usize,
}

impl std::io::Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.room {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.most = self.most.max(bytes.len());
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_large_value_leaves_in_pieces() {
    let rows: Vec<Vec<String>> = vec![vec!["x".repeat(100); 50]; 400];
    let narrow = |room| Narrow {
        room,
        bytes: Vec::new(),
        most: 0,
    };
    let mut out = narrow(usize::MAX);
    pack_into(&rows, &mut out).unwrap();
    assert_eq!(out.bytes, pack(&rows).unwrap());
    assert!(out.most < out.bytes.len() / 4, "{} at a time", out.most);
    let full = pack_into(&rows, &mut narrow(1_000_000)).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn values_tell_what_they_are() {
    let value: BTreeMap<&str, (bool, i32, f64, Option<u8>)> =
        BTreeMap::from([("a", (true, -5, 0.5, None))]);
    let read: Any = unpack(&pack(&value).unwrap()).unwrap();
    let list = vec![
        Any::Flag(true),
        Any::Whole(-5),
        Any::Broken(0.5),
        Any::Nil(None),
    ];
    assert_eq!(
        read,
        Any::Map(BTreeMap::from([("a".to_owned(), Any::List(list))]))
    );
}

#[test]
fn fields_that_are_not_known_are_passed_over() {
    #[derive(Serialize)]
    struct Newer {
        odd: Vec<BTreeMap<String, Option<f32>>>,
        small: u8,
    }
    let newer = Newer {
        odd: vec![BTreeMap::from([("x".to_owned(), Some(1.0))])],
        small: 7,
    };
    let row: Row = unpack(&pack(&newer).unwrap()).unwrap();
    assert_eq!(
        row,
        Row {
            small: 7,
            ..Row::default()
        }
    );
}

#[test]
fn a_value_of_another_kind_is_told() {
    let told = |bytes: &[u8]| unpack::<Row>(bytes).unwrap_err().to_string();
    let map = |name: &str| pack(&BTreeMap::from([(name, "text")])).unwrap();
    assert_eq!(told(&map("small")), "a number was expected, a text found");
    assert_eq!(told(&map("counts")), "a list was expected, a text found");
    assert_eq!(
        told(&pack(&BTreeMap::from([("small", 300)])).unwrap()),
        "invalid value: integer `300`, expected u8"
    );
    assert_eq!(
        unpack::<Kind>(&pack("Holds").unwrap())
            .unwrap_err()
            .to_string(),
        "variant \"Holds\" comes without what it holds"
    );
    assert_eq!(told(&[0xc1]), "a byte that begins no value");
}

#[test]
fn bytes_behind_the_value_are_told() {
    let mut bytes = pack(&7_u8).unwrap();
    bytes.push(0);
    assert_eq!(
        unpack::<u8>(&bytes).unwrap_err().to_string(),
        "1 bytes follow the value that was expected alone"
    );
    assert_eq!(unpack_first::<u8>(&bytes).unwrap(), (7, 1));
}

#[test]
fn values_that_nest_without_end_are_refused() {
    let lists = vec![0x91; 100_000];
    let deep: Result<Any, _> = unpack(&lists);
    assert_eq!(
        deep.unwrap_err().to_string(),
        "lists and maps nest too deep"
    );
}

#[test]
fn a_length_that_was_read_reserves_nothing() {
    // A list of four thousand million texts in five bytes.
    assert!(unpack::<Vec<String>>(&[0xdd, 0xff, 0xff, 0xff, 0xff]).is_err());
}
