//! Every use comes through; nothing a stranger sends does, or panics.

use super::*;

fn all_uses() -> Vec<Preface> {
    vec![
        Preface::Server {
            name: "srv1".into(),
            region: "global".into(),
        },
        Preface::Client {
            node_id: "n1".into(),
            region: String::new(),
        },
        Preface::Reverse {
            node_id: "n1".into(),
            region: "eu".into(),
            secret: "hush".into(),
        },
    ]
}

async fn read(bytes: &[u8]) -> Result<Preface, PrefaceError> {
    let mut bytes = bytes;
    Preface::read(&mut bytes).await
}

#[tokio::test]
async fn uses_come_through() {
    for preface in all_uses() {
        let bytes = preface.encode().unwrap();
        assert!(read(&bytes).await.unwrap() == preface);
        for cut in 0..bytes.len() {
            assert!(
                matches!(read(&bytes[..cut]).await, Err(PrefaceError::Closed)),
                "{cut} bytes of {preface:?}"
            );
        }
    }
}

#[test]
fn the_secret_is_not_shown() {
    for preface in all_uses() {
        assert!(!format!("{preface:?}").contains("hush"));
    }
}

#[tokio::test]
async fn strangers_are_named() {
    let mut other_version = all_uses()[0].encode().unwrap();
    other_version[4] = 9;
    let mut other_use = all_uses()[0].encode().unwrap();
    other_use[5] = 77;
    let cases: [(&[u8], &str); 7] = [
        (b"GET / HTTP/1.1\r\n", "not the public API"),
        (&[0x16, 3, 1, 0, 200, 1, 0, 0], "only one end has tls"),
        (&other_version, "protocol version 9 is not supported"),
        (&other_use, "connection use 77"),
        (b"CVRP\x01\x01\xff\xff", "65535 bytes long"),
        (b"CVRP\x01\x03\x00\x01\x80", "has no node id"),
        (b"CVRP\x01\x02\x00\x01\xc1", "cannot be decoded"),
    ];
    for (bytes, expected) in cases {
        let error = read(bytes).await.unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{error:?} should say {expected:?}"
        );
    }
}

#[tokio::test]
async fn a_field_of_a_newer_agent_is_ignored() {
    #[derive(Serialize)]
    struct Newer {
        node_id: &'static str,
        region: &'static str,
        shoe_size: u8,
    }
    let bytes = frame(
        2,
        &Newer {
            node_id: "n",
            region: "r",
            shoe_size: 44,
        },
    );
    let expected = Preface::Client {
        node_id: "n".into(),
        region: "r".into(),
    };
    assert!(read(&bytes.unwrap()).await.unwrap() == expected);
}

#[tokio::test]
async fn a_refusal_of_a_newer_version_can_be_read() {
    let (mut ours, mut theirs) = tokio::io::duplex(1 << 16);
    let mut refusal = frame(REFUSED, &"too old").unwrap();
    refusal[4] = 200;
    theirs.write_all(&refusal).await.unwrap();
    let error = offer(&mut ours, &all_uses()[0]).await.unwrap_err();
    assert_eq!(error.to_string(), "too old");
}

#[tokio::test]
async fn a_long_refusal_is_cut() {
    let (mut ours, mut theirs) = tokio::io::duplex(1 << 16);
    refuse(&mut theirs, &"é".repeat(9000)).await.unwrap();
    let error = offer(&mut ours, &all_uses()[0]).await.unwrap_err();
    assert!(matches!(error, PrefaceError::Refused(text) if text.starts_with("éé")));
}

#[tokio::test]
async fn random_bytes_are_refused() {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as u8
    };
    let valid = all_uses()[2].encode().unwrap();
    for round in 0..20_000 {
        let bytes: Vec<u8> = match round % 3 {
            0 => (0..random() as usize).map(|_| random()).collect(),
            // A good header with rubbish behind it.
            1 => b"CVRP\x01"
                .iter()
                .copied()
                .chain([random() % 4, 0, 40])
                .chain((0..40).map(|_| random()))
                .collect(),
            // A good frame with one byte changed.
            _ => {
                let mut bytes = valid.clone();
                let at = random() as usize % bytes.len();
                bytes[at] ^= random() | 1;
                bytes
            }
        };
        // Some mutations of a valid frame stay valid (a letter of a name); no input may panic, and
        // pure noise must not pass.
        let outcome = read(&bytes).await;
        assert!(round % 3 != 0 || outcome.is_err());
    }
}
