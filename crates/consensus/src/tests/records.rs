//! Bytes that older releases have written.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::{
    PeerInfo,
    record::{ENTRY, EntryRecord, LogIdRecord, MembershipRecord, PayloadRecord, VOTE, VoteRecord},
};

const ID: LogIdRecord = LogIdRecord {
    term: 2,
    leader: 7,
    index: 300,
};

fn check(entry: &EntryRecord, stored: &[u8]) {
    let bytes = ENTRY.encode(entry).unwrap();
    assert_eq!(
        bytes.escape_ascii().to_string(),
        stored.escape_ascii().to_string()
    );
    assert_eq!(ENTRY.decode::<EntryRecord>(stored).unwrap(), *entry);
}

#[test]
fn entries_keep_their_bytes() {
    check(
        &EntryRecord {
            id: ID,
            payload: PayloadRecord::Command(Bytes::from_static(b"run")),
        },
        b"\x01\x01\x00\x01\x00\x00\x002\xf1\x06\xb85\x82\xa2id\x83\xa4term\x02\xa6leader\x07\xa5index\xcd\x01,\xa7payload\x81\xa7Command\xc4\x03run",
    );
    check(
        &EntryRecord {
            id: ID,
            payload: PayloadRecord::Blank,
        },
        b"\x01\x01\x00\x01\x00\x00\x00*\xf2\xe1F\xe9\x82\xa2id\x83\xa4term\x02\xa6leader\x07\xa5index\xcd\x01,\xa7payload\xa5Blank",
    );
    check(
        &EntryRecord {
            id: ID,
            payload: PayloadRecord::Membership(MembershipRecord {
                configs: vec![BTreeSet::from([7])],
                nodes: BTreeMap::from([(7, PeerInfo::new("a:1", "n"))]),
            }),
        },
        b"\x01\x01\x00\x01\x00\x00\x00XT\xa6\x81U\x82\xa2id\x83\xa4term\x02\xa6leader\x07\xa5index\xcd\x01,\xa7payload\x81\xaaMembership\x82\xa7configs\x91\x91\x07\xa5nodes\x81\x07\x82\xa7address\xa3a:1\xa4name\xa1n",
    );
}

#[test]
fn votes_keep_their_bytes() {
    let vote = VoteRecord {
        term: 2,
        leader: 7,
        committed: true,
    };
    let stored = b"\x01\x02\x00\x01\x00\x00\x00\x1a+\xa7\x12\xc1\x83\xa4term\x02\xa6leader\x07\xa9committed\xc3";
    let bytes = VOTE.encode(&vote).unwrap();
    assert_eq!(
        bytes.escape_ascii().to_string(),
        stored.escape_ascii().to_string()
    );
    assert_eq!(VOTE.decode::<VoteRecord>(stored).unwrap(), vote);
}

#[test]
fn a_peer_without_a_name_is_read() {
    #[derive(serde::Serialize)]
    struct Older {
        address: &'static str,
    }
    let bytes = caravan_wire::pack("peer", &Older { address: "a:1" }).unwrap();
    let peer: PeerInfo = caravan_wire::unpack("peer", &bytes).unwrap();
    assert_eq!(peer, PeerInfo::new("a:1", ""));
}
